import {
  type DtlsTransport,
  type FeedbackSink,
  type OpenGrant,
  type PathAddress,
  type PeerHandle,
  SessionMachine,
  type SessionMachineOptions,
  type SlotHandle,
  type TrackHandle,
} from "@parley/domain-media-control";
import type { Encoded, SessionGrant } from "@parley/protocol";

/** Whoever estimates the bandwidth to a session's client, from its first connection to its end. */
export interface FeedbackFollower extends FeedbackSink {
  /** There will be no more. */
  close(): void;
}

/** A session's machine with the handles that stand for it in the data plane. */
export class SessionHost {
  readonly sessionId: string;
  readonly machine: SessionMachine;
  readonly tracks = new Map<string, TrackHandle>();
  readonly slots = new Map<string, SlotHandle>();
  /** The grant as it came: for the next one, and for a signaling process that rebuilds its rooms. */
  granted: Encoded<SessionGrant>;
  /** Which turn of the sweep it has. */
  bucket = 0;
  /** Its counters need not be read before. */
  sampleFromMs = 0;
  /** When its last status went out, and in how many of its next turns it is said again. */
  toldAtMs = 0;
  repeatsLeft = 0;
  peer: PeerHandle | undefined;
  feedback: FeedbackFollower | undefined;
  dtls: DtlsTransport | undefined;
  /** Where DTLS goes: where it last came from. */
  dtlsPath: PathAddress | undefined;
  dtlsDueMs: number | undefined;

  private constructor(grant: OpenGrant, granted: Encoded<SessionGrant>, options: SessionMachineOptions) {
    this.sessionId = grant.sessionId;
    this.machine = new SessionMachine(grant, options);
    this.granted = granted;
  }

  static create(grant: OpenGrant, granted: Encoded<SessionGrant>, options: SessionMachineOptions): SessionHost {
    return new SessionHost(grant, granted, options);
  }
}
