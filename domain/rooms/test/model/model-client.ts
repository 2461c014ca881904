import type { Participant, RoomEvent, RoomResponse, Snapshot, Stream } from "@parley/protocol";
import type { SeededRandom } from "@parley/testing";
import { fakeOffer } from "../fake-negotiator.ts";
import { publishing, receiving, type Method } from "../room-bench.ts";

export const mainRoom = "room";
export const rooms = [mainRoom, "room/b", "room/c"] as const;

/** A client's view of the room, kept from snapshots and events as the protocol says. */
export class ModelClient {
  connectionId: string;
  readonly userId: string;
  readonly isHost: boolean;
  /** Crashed clients announce nothing and hear nothing. */
  alive = true;
  joined = false;
  waiting = false;
  participantId = "";
  /** Where it is, or will join: the main room, or the one it was moved to. */
  roomId = mainRoom;
  /** The present room revision as this client knows it; undefined: it needs the snapshot. */
  revision: bigint | undefined;
  participants = new Map<string, Participant>();
  streams = new Map<number, Stream>();
  /** Events it could not apply. */
  gaps = 0;
  slots = 0;
  #incarnation = 0;

  constructor(index: number) {
    this.userId = `user-${index}`;
    this.isHost = index < 2;
    this.connectionId = `conn-${index}-0`;
  }

  /** The next thing to ask, for a client of no particular purpose. */
  nextMethod(random: SeededRandom): Method {
    if (!this.joined) return { case: "join", value: this.#joinValue(random) };
    if (this.waiting) return { case: random.chance(0.1) ? "leave" : "getSnapshot", value: {} };
    if (this.revision === undefined) return { case: "getSnapshot", value: {} };
    const choice = random.below(this.isHost ? 24 : 17);
    if (choice < 1) return { case: "leave", value: {} };
    if (choice >= 15 && choice < 17) return this.#data(random);
    if (choice < 3) return { case: "openSession", value: this.#publish(random) };
    if (choice < 4) return { case: "closeSession", value: { session: random.pick(["pub", "sub"]) } };
    if (choice < 6) return this.#receive(random);
    if (choice < 11) return { case: "bindSlots", value: { session: "sub", bindings: this.#bindings(random) } };
    if (choice < 12) return { case: "setTrackMuted", value: { ...this.#someTrack(random), muted: random.chance(0.5) } };
    if (choice < 14) {
      const attributes = { [random.pick(["a", "b"])]: random.pick(["", "1", "2"]) };
      return { case: "updateSelf", value: { attributes, handRaised: random.chance(0.5) } };
    }
    if (choice < 15) return { case: "getSnapshot", value: {} };
    return this.#hostMethod(random);
  }

  /** A new connection of the same user, with or without a claim to its old place. */
  reconnect(): void {
    this.#incarnation += 1;
    this.connectionId = this.connectionId.replace(/-\d+$/, `-${this.#incarnation}`);
    this.alive = true;
    this.#leftRoom();
  }

  answered(method: Method, response: RoomResponse | undefined, error: string): void {
    if (error === "not-in-room") this.#leftRoom();
    if (error === "in-lobby") this.waiting = true;
    if (error === "already-in-room") this.joined = true;
    const result = response?.result;
    if (result?.case === "joined") {
      this.joined = true;
      this.waiting = result.value.waiting;
      this.participantId = result.value.participantId;
      this.slots = 0;
      this.#takeSnapshot(result.value.snapshot);
    }
    if (result?.case === "snapshot") {
      this.waiting = false;
      this.#takeSnapshot(result.value);
    }
    if (method.case === "leave" && response !== undefined) this.#leftRoom();
  }

  heard({ roomId, revision, event }: RoomEvent): void {
    if (roomId !== this.roomId) return;
    if (event.case === "dataReceived") {
      this.received.push(`${this.connectionId} < ${new TextDecoder().decode(event.value.payload)}`);
    }
    if (event.case === "removed") this.#leftRoom();
    if (event.case === "moved") {
      this.#leftRoom();
      this.roomId = event.value.toRoomId;
      this.joined = true;
      this.participantId = event.value.joined?.participantId ?? "";
      this.slots = 0;
      this.#takeSnapshot(event.value.joined?.snapshot);
      return;
    }
    if (event.case === "admitted" && event.value.admitted) {
      this.waiting = false;
      this.#takeSnapshot(event.value.joined?.snapshot);
    }
    if (revision === 0n || this.revision === undefined || revision <= this.revision) return;
    if (revision !== this.revision + 1n) {
      this.gaps += 1;
      this.revision = undefined;
      return;
    }
    this.revision = revision;
    this.#apply(event);
  }

  #apply(event: RoomEvent["event"]): void {
    switch (event.case) {
      case "participantJoined":
      case "participantUpdated":
        if (event.value.participant !== undefined) {
          this.participants.set(event.value.participant.participantId, event.value.participant);
        }
        break;
      case "participantLeft":
        this.participants.delete(event.value.participantId);
        break;
      case "streamPublished":
      case "streamUpdated":
        if (event.value.stream !== undefined) this.streams.set(event.value.stream.streamId, event.value.stream);
        break;
      case "streamUnpublished":
        this.streams.delete(event.value.streamId);
        break;
      default:
    }
  }

  #takeSnapshot(snapshot: Snapshot | undefined): void {
    if (snapshot === undefined) return;
    // An answer that was overtaken by events is old news.
    if (this.revision !== undefined && snapshot.revision < this.revision) return;
    this.revision = snapshot.revision;
    this.participants = new Map(snapshot.participants.map((one) => [one.participantId, one]));
    this.streams = new Map(snapshot.streams.map((one) => [one.streamId, one]));
  }

  #leftRoom(): void {
    this.roomId = mainRoom;
    this.joined = false;
    this.waiting = false;
    this.revision = undefined;
    this.participants.clear();
    this.streams.clear();
  }

  #joinValue(random: SeededRandom) {
    const attributes = random.chance(0.3) ? { a: "0" } : {};
    return { attributes, replacesParticipantId: random.chance(0.5) ? this.participantId : "" };
  }

  #publish(random: SeededRandom) {
    const names = random.chance(0.3) ? ["camera", "screen"] : [random.pick(["camera", "screen"])];
    const sections = names.flatMap((name, index) => [
      ...(random.chance(0.8) ? [{ mid: `${index}a`, kind: "audio" as const, name }] : []),
      { mid: `${index}v`, kind: "video" as const, name },
    ]);
    return {
      session: "pub",
      offerSdp: fakeOffer({ sections }),
      sections: sections.flatMap(({ name, ...section }) => publishing(name, { sections: [section] }).sections),
    };
  }

  #receive(random: SeededRandom): Method {
    const grow = this.slots > 0 && random.chance(0.5);
    this.slots = grow ? Math.min(4, this.slots + 1) : 1 + random.below(3);
    const sections = Array.from({ length: this.slots }, (_, pair) => [
      { mid: `a${pair}`, kind: "audio" as const },
      { mid: `v${pair}`, kind: "video" as const },
    ]).flat();
    const value = receiving({ sections });
    return grow
      ? { case: "updateSession", value }
      : { case: "openSession", value: { ...value, bindings: random.chance(0.5) ? this.#bindings(random) : [] } };
  }

  #bindings(random: SeededRandom) {
    return Array.from({ length: 1 + random.below(3) }, () => {
      const mid = `${random.pick(["a", "v"])}${random.below(4)}`;
      const choice = random.below(6);
      if (choice === 0) return { mid };
      if (choice === 1) return { mid, streamName: random.pick(["camera", "screen"]) };
      const streams = [...this.streams.keys()];
      return { mid, streamId: streams.length === 0 ? 1 + random.below(9) : random.pick(streams) };
    });
  }

  #someTrack(random: SeededRandom): { streamId: number; mid: string } {
    const tracks = [...this.streams.values()].flatMap(({ streamId, tracks: all }) =>
      all.map(({ mid }) => ({ streamId, mid })),
    );
    return tracks.length === 0 ? { streamId: 1, mid: "0a" } : random.pick(tracks);
  }

  #hostMethod(random: SeededRandom): Method {
    const participantIds = [...this.participants.keys()];
    const participantId = participantIds.length === 0 ? "nobody" : random.pick(participantIds);
    const moderate = (command: Extract<Method, { case: "moderate" }>["value"]["command"]): Method => ({
      case: "moderate",
      value: command === undefined ? {} : { command },
    });
    switch (random.below(12)) {
      case 0:
        return { case: "updateRoom", value: { lobbyEnabled: random.chance(0.3), locked: random.chance(0.2) } };
      case 1:
        return moderate({ case: "muteTrack", value: { ...this.#someTrack(random), allAudio: random.chance(0.5) } });
      case 2:
        return moderate({ case: "remove", value: { participantId } });
      case 3:
        return moderate({ case: "admit", value: { participantIds: this.lobby, deny: random.chance(0.2) } });
      case 4:
        return moderate({ case: "remove", value: { participantId, ban: random.chance(0.2) } });
      case 5:
        return moderate({ case: "askToUnmute", value: { participantId, source: 2 } });
      case 6:
        if (random.chance(0.1)) return moderate({ case: "closeRoom", value: { reason: "over" } });
        return moderate({ case: "muteTrack", value: { ...this.#someTrack(random), allAudio: true } });
      case 7:
      case 8:
      case 9: {
        const toRoomId = random.pick(rooms.filter((roomId) => roomId !== this.roomId));
        const some = participantIds.filter(() => random.chance(0.4));
        return moderate({
          case: "move",
          value: { participantIds: some.length > 0 ? some : [participantId], toRoomId },
        });
      }
      default: {
        const permissions = {
          subscribe: random.chance(0.8),
          publish: random.chance(0.7),
          publishData: true,
          moderate: true,
        };
        return moderate({ case: "setPermissions", value: { participantId, permissions } });
      }
    }
  }

  #data(random: SeededRandom): Method {
    const some = [...this.participants.keys()].filter(() => random.chance(0.3));
    this.sent += 1;
    const payload = new TextEncoder().encode(`${this.connectionId} ${this.sent}`);
    const toParticipantIds = random.chance(0.5) ? [] : some;
    return { case: "sendData", value: { payload, topic: "t", reliable: random.chance(0.5), toParticipantIds } };
  }

  /** To everybody, for sure: sent when nothing is lost any more. */
  lastWords(): Method {
    this.saidLast = this.connectionId;
    const payload = new TextEncoder().encode(`${this.connectionId} last`);
    return { case: "sendData", value: { payload, topic: "t", reliable: true } };
  }

  /** The connection over which it said its last words. */
  saidLast = "";
  /** Data messages, as they came: to which connection, and which. */
  readonly received: string[] = [];
  sent = 0;

  /** Who waits, as far as this host has heard. */
  lobby: string[] = [];
}
