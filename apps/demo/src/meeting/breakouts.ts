import { Room } from "@parley/sdk";
import { codeOf } from "../failures.ts";

/** How long the server may take to move us. */
const movedWithinMs = 5_000;

export interface BreakoutOptions {
  readonly room: Room;
  readonly url: string;
  readonly homeRoomId: string;
  /** Hidden: others do not see who joins with it. */
  readonly token: () => Promise<string>;
  readonly onChange: () => void;
}

/** Breakout rooms as a host has them: their names begin with the room's and a slash, which is what tokens for one room allow (docs/guides/sdk.md). */
export class Breakouts {
  readonly #options: BreakoutOptions;
  #rooms: readonly string[] = [];
  #isFetching = false;

  constructor(options: BreakoutOptions) {
    this.#options = options;
  }

  /** Ids of the rooms that we have sent people to. */
  get rooms(): readonly string[] {
    return this.#rooms;
  }

  /** We are on our way to bring people back: no news to the host. */
  get isFetching(): boolean {
    return this.#isFetching;
  }

  async moveTo(participantId: string, group: string): Promise<void> {
    const { room, homeRoomId, onChange } = this.#options;
    const roomId = `${homeRoomId}/${group}`;
    await room.host.move([participantId], roomId);
    if (!this.#rooms.includes(roomId)) this.#rooms = [...this.#rooms, roomId];
    onChange();
  }

  /** Only a host in the breakout room can send its people back: we go there unseen, or, with a token for this room only, in person. */
  async bringBack(roomId: string): Promise<void> {
    try {
      await this.#fetchUnseen(roomId);
    } catch (error) {
      if (codeOf(error) !== "wrong-room") throw error;
      this.#isFetching = true;
      try {
        await this.#fetchInPerson(roomId);
      } finally {
        this.#isFetching = false;
      }
    }
    this.#rooms = this.#rooms.filter((one) => one !== roomId);
    this.#options.onChange();
  }

  async #fetchUnseen(roomId: string): Promise<void> {
    const { room, url, token } = this.#options;
    const there = new Room({ receive: false, clientName: "parley-demo" });
    try {
      await there.connect(url, token, { room: roomId });
      const everybody = [...there.remoteParticipants.keys()];
      if (everybody.length > 0) await there.host.move(everybody, room.id);
    } finally {
      await there.disconnect();
    }
  }

  async #fetchInPerson(roomId: string): Promise<void> {
    const { room, homeRoomId } = this.#options;
    const goTo = async (people: readonly string[], to: string): Promise<void> => {
      const { promise: moved, resolve, reject } = Promise.withResolvers<void>();
      const timer = setTimeout(() => reject(new Error("not moved")), movedWithinMs);
      const onMoved = (id: string): void => (id === to ? resolve() : undefined);
      room.on("moved", onMoved);
      try {
        await Promise.all([moved, room.host.move(people, to)]);
      } finally {
        clearTimeout(timer);
        room.off("moved", onMoved);
      }
    };
    await goTo([room.localParticipant.id], roomId);
    await goTo([...room.remoteParticipants.keys(), room.localParticipant.id], homeRoomId);
  }
}
