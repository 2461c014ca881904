import type { Participant as WireParticipant } from "@parley/protocol";
import type { Attributes, ConnectionQuality, Permissions, Role, TrackSource } from "../api/values.ts";
import { permissionsFromWire, roleFromWire } from "./wire-values.ts";

interface AnyPublication {
  readonly source: TrackSource;
  readonly muted: boolean;
}

/** What local and remote participants have in common. */
export abstract class ParticipantState {
  #wire: WireParticipant | undefined;
  /** Set by the room. */
  isSpeaking = false;
  audioLevel = 0;
  connectionQuality: ConnectionQuality = "unknown";

  constructor(wire: WireParticipant | undefined) {
    this.#wire = wire;
  }

  abstract getPublication(source: TrackSource): AnyPublication | undefined;

  get id(): string {
    return this.#wire?.participantId ?? "";
  }
  get userId(): string {
    return this.#wire?.userId ?? "";
  }
  get name(): string {
    return this.#wire?.name ?? "";
  }
  get role(): Role {
    return this.#wire === undefined ? "viewer" : roleFromWire(this.#wire.role);
  }
  get permissions(): Permissions {
    return permissionsFromWire(this.#wire?.permissions);
  }
  get attributes(): Attributes {
    return this.#wire?.attributes ?? {};
  }
  get joinedAtUnixMs(): number {
    return Number(this.#wire?.joinedAtUnixMs ?? 0n);
  }
  get handRaised(): boolean {
    return this.#wire?.handRaised ?? false;
  }
  get isCameraEnabled(): boolean {
    return this.#isOn("camera");
  }
  get isMicrophoneEnabled(): boolean {
    return this.#isOn("microphone");
  }
  get isScreenShareEnabled(): boolean {
    return this.#isOn("screen");
  }

  /** The server's newest word. */
  setWire(wire: WireParticipant): void {
    this.#wire = wire;
  }

  #isOn(source: TrackSource): boolean {
    const publication = this.getPublication(source);
    return publication !== undefined && !publication.muted;
  }
}
