// Slots over loopback sockets: switched, unbound, paused, and their tracks closed under them.
#include "engine_pair.h"

using namespace parley;
using namespace parley::test;

TEST("a slot switches at the new track's key frame with going numbers; the old one goes on until then") {
  Rig rig;
  Pair pair(rig);
  Client other(rig);
  other.set_codecs();
  const Handle second = rig.plane.open_track(other.peer, video_track(88, 2000, 2001));
  other.connect();
  pair.send_frame(true, 2);
  pair.receive_until(2);
  rig.plane.bind_slot(pair.slot, second, kVideoMap);
  rig.until("a PLI for the other", [&] {
    other.receive();
    return other.plis > 0;
  });
  other.send_rtp(kVp8, 900, 1'000'000, 2000, "v", vp8(500, true, false, 9, 1));
  pair.send_frame(false, 2);
  pair.receive_until(4);
  CHECK_EQ(pair.subscriber.rtp[3].csrc, 77u);
  other.send_rtp(kVp8, 901, 1'003'000, 2000, "v", vp8(500, true, true, 10, 2));
  pair.receive_until(5);
  pair.send_frame(false, 2);
  other.send_rtp(kVp8, 902, 1'006'000, 2000, "v", vp8(500, true, false, 11, 3));
  pair.receive_until(6);
  rig.run_for(20);
  pair.subscriber.receive();
  CHECK_EQ(pair.subscriber.rtp.size(), 6u);
  for (size_t i = 1; i < 6; ++i) {
    const RtpHeader& before = pair.subscriber.rtp[i - 1].header;
    const RtpHeader& now = pair.subscriber.rtp[i].header;
    CHECK_EQ(now.sequence, static_cast<uint16_t>(before.sequence + 1));
    CHECK(static_cast<int32_t>(now.timestamp - before.timestamp) >= 0);
  }
  CHECK_EQ(pair.subscriber.rtp[4].csrc, 88u);
  // Picture ids go on, too: 101 was the last of the first publisher.
  CHECK_EQ(load16(pair.subscriber.rtp[4].payload.data() + 2) & 0x7fff, 102);
  CHECK_EQ(load16(pair.subscriber.rtp[5].payload.data() + 2) & 0x7fff, 103);
  // What was sent of the old track can still be asked for.
  pair.subscriber.send_rtcp([&](RtcpWriter& writer) {
    const uint16_t sequences[] = {pair.subscriber.rtp[3].header.sequence};
    writer.nack(1, kSlotSsrc, sequences);
  });
  pair.receive_until(7);
  CHECK_EQ(pair.subscriber.rtp[6].header.ssrc, kSlotRtx);
}

TEST("closing the old track while waiting for the new one's key frame keeps the bind") {
  Rig rig;
  Pair pair(rig);
  Client other(rig);
  other.set_codecs();
  const Handle second = rig.plane.open_track(other.peer, video_track(88, 2000, 2001));
  other.connect();
  pair.send_frame(true, 1);
  pair.receive_until(1);
  rig.plane.bind_slot(pair.slot, second, kVideoMap);
  rig.pump();
  rig.plane.close_track(pair.track);
  rig.run_for(10);
  other.send_rtp(kVp8, 901, 1'003'000, 2000, "v", vp8(500, true, true, 10, 2));
  pair.receive_until(2);
  CHECK_EQ(pair.subscriber.rtp[1].csrc, 88u);
}

TEST("unbinding and pausing stop the flow; a resumed track asks for a key frame") {
  Rig rig;
  Pair pair(rig);
  pair.send_frame(true, 1);
  pair.receive_until(1);
  rig.plane.set_track_paused(pair.track, true);
  rig.run_for(5);
  pair.send_frame(false, 2);
  rig.run_for(20);
  pair.subscriber.receive();
  CHECK_EQ(pair.subscriber.rtp.size(), 1u);
  CHECK_EQ(rig.track_counter(pair.track, track_field::kPackets), 3);
  pair.publisher.receive();
  const size_t before = pair.publisher.plis;
  rig.plane.set_track_paused(pair.track, false);
  pair.publisher_until("a PLI after the pause", [&] { return pair.publisher.plis > before; });
  pair.send_frame(true, 1);
  pair.receive_until(2);
  rig.plane.bind_slot(pair.slot, 0, {});
  rig.run_for(5);
  pair.send_frame(true, 2);
  rig.run_for(20);
  pair.subscriber.receive();
  CHECK_EQ(pair.subscriber.rtp.size(), 2u);
}
