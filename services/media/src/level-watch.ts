import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { MediaPlane, TrackHandle } from "@parley/domain-media-control";
import {
  AudioLevelsSchema,
  type AudioLevels,
  type RoomAudioLevelsSchema,
  type TrackAudioLevelSchema,
} from "@parley/protocol";
import type { SessionHost } from "./session-host.ts";

/** Smaller changes are noise, and nobody's decision hangs on them. */
const MIN_CHANGE = 3;

interface Watched {
  readonly host: SessionHost;
  readonly mid: string;
  /** The level that was told last. */
  told: number;
}

type RoomLevels = MessageInitShape<typeof RoomAudioLevelsSchema> & {
  readonly tracks: MessageInitShape<typeof TrackAudioLevelSchema>[];
};

/** How loud the tracks with sound are, as far as it has changed: one message for all of them, however many packets came. */
export class LevelWatch {
  readonly #plane: Pick<MediaPlane, "trackCounters">;
  readonly #tracks = new Map<TrackHandle, Watched>();

  constructor(plane: Pick<MediaPlane, "trackCounters">) {
    this.#plane = plane;
  }

  opened(track: TrackHandle, host: SessionHost, mid: string): void {
    this.#tracks.set(track, { host, mid, told: 0 });
  }

  closed(track: TrackHandle): void {
    this.#tracks.delete(track);
  }

  /** What has changed since it was asked last; undefined: nothing. */
  changes(node: { readonly nodeId: string; readonly nodeBootId: bigint }): AudioLevels | undefined {
    const rooms = new Map<string, RoomLevels>();
    for (const [track, watched] of this.#tracks) {
      const level = this.#plane.trackCounters(track)?.audioLevel ?? 0;
      // Silence is always told: a level that stays a little above it for ever would be wrong for ever.
      if (Math.abs(level - watched.told) < MIN_CHANGE && (level !== 0 || watched.told === 0)) continue;
      watched.told = level;
      const { appId, roomId } = watched.host.machine.grant;
      const key = JSON.stringify([appId, roomId]);
      let room = rooms.get(key);
      if (room === undefined) rooms.set(key, (room = { appId, roomId, tracks: [] }));
      room.tracks.push({ sessionId: watched.host.sessionId, mid: watched.mid, level });
    }
    return rooms.size === 0 ? undefined : create(AudioLevelsSchema, { ...node, rooms: [...rooms.values()] });
  }
}
