import { err, isValidName, ok, type Result } from "@parley/foundation";
import type { Section } from "@parley/protocol";
import type { Refusal } from "./io.ts";
import { mayPublish } from "./permissions.ts";
import type { SectionUse } from "./ports.ts";
import type { Member, RoomState, SessionState } from "./state.ts";
import { countStreams, planStream, type PlannedStream } from "./streams.ts";

/** What the sections of an offer are to be, after permissions and limits. */
export interface SectionPlan {
  /** By mid, for the negotiator. */
  readonly uses: ReadonlyMap<string, SectionUse>;
  readonly published: ReadonlyMap<string, PlannedPublish>;
  readonly received: ReadonlyMap<string, number>;
  readonly streams: ReadonlyMap<string, PlannedStream>;
  readonly refused: ReadonlyMap<string, Refusal>;
}

export interface PlannedPublish {
  readonly section: Section["use"] & { case: "publish" };
  readonly stream: PlannedStream;
}

/**
 * Sections that may not be are refused one by one; a stream name that is taken refuses the whole offer. `session`: the one that is updated or
 * replaced, whose streams go on; `kept`: slots, by mid, that are there already and stay.
 */
export function planSections(
  room: RoomState,
  member: Member,
  sections: readonly Section[],
  session: SessionState | undefined,
  kept: ReadonlyMap<string, unknown>,
): Result<SectionPlan, Refusal> {
  const uses = new Map<string, SectionUse>();
  const published = new Map<string, PlannedPublish>();
  const received = new Map<string, number>();
  const streams = new Map<string, PlannedStream>();
  const refused = new Map<string, Refusal>();
  const { limits } = room.ports;
  if (sections.length > limits.maxNamedSections) return err({ name: "too-many-media-sections" });
  let newStreams = 0;

  for (const { mid, use } of sections) {
    if (uses.has(mid) || refused.has(mid)) return err({ name: "bad-request", detail: "A section is named twice." });
    if (use.case === "receive") {
      // A slot that is there stays, and shows nothing: an offer cannot take a section back.
      const isNew = !kept.has(mid);
      if (isNew && !member.permissions.subscribe)
        refused.set(mid, { name: "permission-denied", detail: "Missing: subscribe." });
      else if (received.size >= limits.maxSlotsPerSession) refused.set(mid, { name: "too-many-slots" });
      else {
        const { pair } = use.value;
        received.set(mid, pair);
        uses.set(mid, { type: "receive", msid: `pair-${pair}`, trackId: `slot-${mid}` });
      }
    } else if (use.case === "publish") {
      const { stream: name, source } = use.value;
      if (!isValidName(name)) return err({ name: "bad-id", detail: "The stream's name." });
      // Nobody may be seen or heard without being shown.
      if (member.watchesOnly || !mayPublish(member, source)) {
        refused.set(mid, { name: "permission-denied", detail: "Missing: publish, or this source." });
        continue;
      }
      let stream = streams.get(name);
      if (stream === undefined) {
        const planned = planStream(room, member, use.value, session);
        if (!planned.ok) return planned;
        if (planned.value.existing === undefined) newStreams += 1;
        if (countStreams(room, member) + newStreams > limits.maxStreamsPerParticipant) {
          return err({ name: "too-many-streams" });
        }
        stream = planned.value;
        streams.set(name, stream);
      }
      if ([...published.values()].filter((one) => one.stream === stream).length >= limits.maxTracksPerStream) {
        refused.set(mid, { name: "too-many-streams", detail: "Too many tracks in one stream." });
        continue;
      }
      published.set(mid, { section: use, stream });
      uses.set(mid, { type: "publish", streamId: stream.streamId });
    }
  }
  return ok({ uses, published, received, streams, refused });
}
