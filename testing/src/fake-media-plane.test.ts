import { mediaPlaneContract } from "./contracts/media-plane-contract.ts";
import { FakeMediaPlane } from "./fake-media-plane.ts";
import { keptFeedback, type KeptFeedback } from "./kept-feedback.ts";
import { VirtualClock } from "./virtual-clock.ts";

mediaPlaneContract("fake plane", async () => {
  const clock = new VirtualClock();
  const plane = new FakeMediaPlane(clock);
  const reported = async (): Promise<readonly KeptFeedback[]> => {
    const told: KeptFeedback[] = [];
    const peer = plane.openPeer({ ice: { localUfrag: "a", localPassword: "b", remoteUfrag: "c" } });
    plane.sendFeedbackTo(peer, { take: (feedback) => void told.push(keptFeedback(feedback)) });
    clock.advance(100);
    plane.report({
      peer,
      receivedMonoMs: plane.nowMs(),
      feedbackDelayUs: 40_000,
      packets: 11,
      bytes: 13_200,
      lost: 1,
      groups: [{ sendDeltaUs: 33_000, receiveDeltaUs: 33_500, bytes: 4_800, packets: 4, lost: 1 }],
    });
    plane.takeTransportFeedback();
    return told;
  };
  return { plane, settle: async () => undefined, reported, close: () => plane.close() };
});
