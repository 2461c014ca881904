import type { PacketGroups, PeerHandle, TransportFeedback } from "@parley/domain-media-control";

/** What a report of transport-wide feedback said, to be kept: the data plane's own is overwritten by the next. */
export interface KeptFeedback {
  readonly peer: PeerHandle;
  readonly receivedMonoMs: number;
  readonly feedbackDelayUs: number;
  readonly packets: number;
  readonly bytes: number;
  readonly lost: number;
  readonly groups: readonly KeptGroup[];
}

export interface KeptGroup {
  readonly sendDeltaUs: number;
  readonly receiveDeltaUs: number;
  readonly bytes: number;
  readonly packets: number;
  readonly lost: number;
}

export function keptFeedback(feedback: TransportFeedback): KeptFeedback {
  const { peer, receivedMonoMs, feedbackDelayUs, packets, bytes, lost, groups } = feedback;
  const kept = Array.from({ length: groups.count }, (_, index) => ({
    sendDeltaUs: groups.sendDeltaUs(index),
    receiveDeltaUs: groups.receiveDeltaUs(index),
    bytes: groups.bytes(index),
    packets: groups.packets(index),
    lost: groups.lost(index),
  }));
  return { peer, receivedMonoMs, feedbackDelayUs, packets, bytes, lost, groups: kept };
}

/** The other way round: as a data plane hands it over. */
export function feedbackOf(kept: KeptFeedback): TransportFeedback {
  const of = (index: number): KeptGroup => {
    const group = kept.groups[index];
    if (group === undefined) throw new RangeError(`group ${index} of ${kept.groups.length}`);
    return group;
  };
  const groups: PacketGroups = {
    count: kept.groups.length,
    sendDeltaUs: (index) => of(index).sendDeltaUs,
    receiveDeltaUs: (index) => of(index).receiveDeltaUs,
    bytes: (index) => of(index).bytes,
    packets: (index) => of(index).packets,
    lost: (index) => of(index).lost,
  };
  return { ...kept, groups };
}
