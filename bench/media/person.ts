import type { MediaLoad } from "@parley/adapter-media-native";
import {
  connectPeer,
  makeOffer,
  newCredentials,
  newSsrcs,
  srtpProfiles,
  type LoadPeerOptions,
  type ServerProcess,
} from "@parley/app";
import { RoomKind, Source, type SlotResult } from "@parley/protocol";
import { RoomClient } from "./room-client.ts";

const publishing = "pub";
const receiving = "sub";

export interface PersonOptions extends LoadPeerOptions {
  readonly user: string;
  /** Has a camera with a microphone. */
  readonly sends: boolean;
  /** How many others can be received at once. */
  readonly receivePairs: number;
  /** False: what this one receives is not in the load client's figures. */
  readonly measured?: boolean;
  /** Of the room, when this one makes it. */
  readonly kind?: RoomKind;
}

/** Somebody in a room by the client protocol, as with the SDK: a session to send, a session of slots to receive. */
export class Person {
  readonly room: string;
  /** Of the camera; 0: none. */
  readonly streamId: number;
  readonly #client: RoomClient;

  private constructor(client: RoomClient, room: string, streamId: number) {
    this.#client = client;
    this.room = room;
    this.streamId = streamId;
  }

  static async join(server: ServerProcess, load: MediaLoad, room: string, options: PersonOptions): Promise<Person> {
    const { user, sends, receivePairs, camera: profile, pace, gro, kind = RoomKind.CONFERENCE } = options;
    const srtpProfile = srtpProfiles[options.srtp];
    const client = await RoomClient.connect(server.origin, server.token(room, sends, user));
    const peers = new Map<string, number>();
    const sessions = [];
    if (sends) {
      const [ice, camera] = [newCredentials(), newSsrcs()];
      peers.set(publishing, load.addPublisher({ ...ice, ...camera, profile, pace, srtpProfile, gro: false }));
      const publish = (mid: string, source: Source) => ({
        mid,
        use: { case: "publish" as const, value: { stream: "camera", source } },
      });
      sessions.push({
        session: publishing,
        offerSdp: makeOffer(ice, load.fingerprint(), { camera }),
        sections: [publish("0", Source.MICROPHONE), publish("1", Source.CAMERA)],
      });
    }
    if (receivePairs > 0) {
      const ice = newCredentials();
      peers.set(receiving, load.addSubscriber({ ...ice, srtpProfile, gro }, options.measured ?? true));
      const sections = Array.from({ length: receivePairs * 2 }, (_, mid) => ({
        mid: String(mid),
        use: { case: "receive" as const, value: { pair: Math.floor(mid / 2) } },
      }));
      sessions.push({ session: receiving, offerSdp: makeOffer(ice, load.fingerprint(), { receivePairs }), sections });
    }
    const { result } = await client.request(room, { case: "join", value: { name: user, kind, sessions } });
    if (result.case !== "joined") throw new Error(`A join was answered by ${result.case}`);
    for (const { session, answerSdp } of result.value.sessions) {
      const id = peers.get(session);
      if (id !== undefined) connectPeer(load, id, answerSdp);
    }
    const [stream] = result.value.sessions.flatMap(({ published }) => published);
    return new Person(client, room, stream?.streamId ?? 0);
  }

  /** Receives these streams, the first one in the first pair and so on. Rejects when one of them cannot be had. */
  async watch(streamIds: readonly number[]): Promise<void> {
    await this.bind(
      streamIds.flatMap((streamId, pair) => [
        { mid: String(pair * 2), streamId },
        { mid: String(pair * 2 + 1), streamId },
      ]),
    );
  }

  async bind(bindings: readonly { readonly mid: string; readonly streamId: number }[]): Promise<void> {
    const { result } = await this.#client.request(this.room, {
      case: "bindSlots",
      value: { session: receiving, bindings: [...bindings] },
    });
    const slots: readonly SlotResult[] = result.case === "slots" ? result.value.slots : [];
    const failed = slots.find(({ error }) => error !== undefined);
    if (slots.length === 0 || failed !== undefined)
      throw new Error(`A slot was not bound: ${failed?.error?.name ?? result.case}`);
  }

  close(): void {
    this.#client.close();
  }
}
