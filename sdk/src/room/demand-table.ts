import type { Demand } from "../media/slot-plan.ts";
import type { RemotePublication } from "./remote-publication.ts";

/** A demand's publications. */
export interface DemandEntry {
  readonly streamId: number;
  readonly video: RemotePublication | undefined;
  readonly audio: RemotePublication | undefined;
}

/** Which publications share a pair of slots, so that lips stay in sync, and what is wanted of them now. */
export class DemandTable {
  #entries = new Map<string, DemandEntry>();

  get(key: string): DemandEntry | undefined {
    return this.#entries.get(key);
  }

  /** The publication a speaker's slot carries when this stream comes out of it. */
  primaryAudio(streamId: number): RemotePublication | undefined {
    return this.#entries.get(keyOf(streamId, 0))?.audio;
  }

  /** `publications` in the order in which participants are to be preferred. */
  build(publications: Iterable<RemotePublication>, rankOf: (publication: RemotePublication) => number): Demand[] {
    const streams = new Map<number, { video: RemotePublication[]; audio: RemotePublication[] }>();
    for (const publication of publications) {
      let stream = streams.get(publication.streamId);
      if (stream === undefined) streams.set(publication.streamId, (stream = { video: [], audio: [] }));
      stream[publication.kind].push(publication);
    }
    const entries = new Map<string, DemandEntry>();
    const demands: Demand[] = [];
    let order = 0;
    for (const [streamId, { video, audio }] of streams) {
      for (let index = 0; index < Math.max(video.length, audio.length); index += 1) {
        const entry = { streamId, video: video[index], audio: audio[index] };
        // Where there is no choice of ours, the server may take a backup in another codec.
        const mids = { video: video.length > 1, audio: audio.length > 1 };
        const key = keyOf(streamId, index);
        entries.set(key, entry);
        demands.push(demandOf(key, entry, mids, order, rankOf));
        order += 1;
      }
    }
    this.#entries = entries;
    return demands;
  }
}

/** Those who never spoke, in the order they came, after everybody who did. */
const silentRank = 1_000_000;

function demandOf(
  key: string,
  { streamId, video, audio }: DemandEntry,
  isNamed: { readonly video: boolean; readonly audio: boolean },
  order: number,
  rankOf: (one: RemotePublication) => number,
): Demand {
  const wantsVideo = video?.wantsSlot === true;
  const wantsAudio = audio?.wantsSlot === true;
  const any = audio ?? video;
  const rank = any === undefined ? Infinity : rankOf(any);
  return {
    key,
    streamId,
    video: wantsVideo ? (isNamed.video ? video.mid : "") : undefined,
    audio: wantsAudio ? (isNamed.audio ? audio.mid : "") : undefined,
    isOptional: !wantsVideo && wantsAudio && audio.muted,
    rank: Number.isFinite(rank) ? rank : silentRank + order,
  };
}

function keyOf(streamId: number, index: number): string {
  return `${streamId}/${index}`;
}
