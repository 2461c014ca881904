import type { Publisher } from "../media/publisher.ts";
import type { SessionReport, StatsEntry } from "../media/stats.ts";
import type { Subscriber } from "../media/subscriber.ts";
import type { Receiver } from "./receiver.ts";
import { publicationId } from "./remote-publication.ts";
import type { RemoteRoster } from "./remote-roster.ts";

/** What the PeerConnections of a room report, with whose tracks they carry. */
export async function reportsOf(room: {
  readonly publisher: Publisher | undefined;
  readonly subscriber: Subscriber | undefined;
  readonly receiver: Receiver | undefined;
  readonly remote: RemoteRoster;
  readonly localParticipantId: string;
}): Promise<SessionReport[]> {
  const reports: SessionReport[] = [];
  const sending = room.publisher?.session.pc;
  if (sending !== undefined) {
    reports.push({
      direction: "send",
      entries: await entriesOf(sending),
      owner: (mid) => {
        const track = room.publisher?.tracks.find((candidate) => candidate.mid === mid);
        if (track === undefined) return undefined;
        const id = publicationId(track.streamId, track.mid);
        return { publicationId: id, participantId: room.localParticipantId, source: track.source };
      },
    });
  }
  const receiving = room.subscriber?.session.pc;
  if (receiving !== undefined) {
    reports.push({
      direction: "receive",
      entries: await entriesOf(receiving),
      owner: (mid) => {
        const publication = room.receiver?.publicationAt(mid);
        if (publication === undefined) return undefined;
        const { id, source } = publication;
        return { publicationId: id, participantId: room.remote.ownerOf(publication)?.id, source };
      },
    });
  }
  return reports;
}

async function entriesOf(pc: RTCPeerConnection): Promise<StatsEntry[]> {
  return [...((await pc.getStats()).values() as Iterable<StatsEntry>)];
}
