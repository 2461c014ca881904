// When media is read, and what a packet that nobody waits for costs nobody.
#include "engine_pair.h"
#include "parley/engine/media_pace.h"

using namespace parley;
using namespace parley::test;

namespace {

struct Played {
  size_t reads = 0;
  int64_t longest_wait_us = 0;
};

// A datagram each `gap_us`, read as MediaPace says; every `wanted_each`th is for somebody (0: none).
Played play(MediaPace& pace, int64_t& now_us, int64_t gap_us, size_t datagrams, size_t wanted_each = 0) {
  Played played;
  size_t waiting = 0;
  int64_t first_us = 0;
  bool wanted = false;
  int64_t next_us = now_us + gap_us;
  for (size_t come = 0; come < datagrams;) {
    now_us = pace.timed() && pace.due_us() < next_us ? std::max(now_us, pace.due_us()) : next_us;
    if (now_us >= next_us) {
      if (waiting++ == 0) first_us = now_us;
      ++come;
      wanted = wanted || (wanted_each != 0 && come % wanted_each == 0);
      next_us += gap_us;
    }
    if (pace.timed() && now_us < pace.due_us()) continue;
    if (waiting > 0) played.longest_wait_us = std::max(played.longest_wait_us, now_us - first_us);
    if (wanted) pace.on_wanted(now_us);
    pace.on_read(now_us, waiting);
    waiting = 0;
    wanted = false;
    ++played.reads;
  }
  return played;
}

// Packets about 100 us apart, and when each was sent: not before the first, not after the second.
struct Sent {
  int64_t before_us;
  int64_t after_us;
};
std::vector<Sent> send_apart(Pair& pair, size_t packets) {
  std::vector<Sent> sent;
  int64_t due_us = monotonic_us();
  for (size_t i = 0; i < packets; ++i, due_us += 100) {
    while (monotonic_us() < due_us) {
    }
    const int64_t before_us = monotonic_us();
    pair.send_frame(false, 1, 200);
    sent.push_back({before_us, monotonic_us()});
    pair.publisher.receive();
  }
  return sent;
}

}  // namespace

TEST("many datagrams that nobody gets are read by the clock, none later than a millisecond; few are read as they come") {
  MediaPace pace;
  int64_t now = 5'000'000;
  CHECK_EQ(play(pace, now, 1'000, 1'000).reads, 1'000u);
  CHECK(!pace.timed());
  play(pace, now, 17, 5'000);
  CHECK(pace.timed());
  const Played many = play(pace, now, 17, 60'000);
  CHECK(many.reads < 60'000 / 20);
  CHECK(many.longest_wait_us <= MediaPace::kMaxStepUs);
  play(pace, now, 2'000, 50);
  CHECK(!pace.timed());
}

TEST("more than the socket should hold is read sooner") {
  MediaPace pace;
  int64_t now = 5'000'000;
  play(pace, now, 4, 20'000);
  CHECK(pace.timed());
  const Played much = play(pace, now, 4, 50'000);
  CHECK(50'000 / much.reads <= MediaPace::kMore * 5 / 4);
}

TEST("as soon as somebody gets a packet all are read as they come, until a quarter of a second after the last one") {
  MediaPace pace;
  int64_t now = 5'000'000;
  play(pace, now, 50, 5'000);
  CHECK(pace.timed());
  // One of 200 is for somebody: ten milliseconds apart. (The last one of these is still to be read.)
  play(pace, now, 50, 399, 200);
  CHECK(!pace.timed());
  CHECK_EQ(play(pace, now, 50, 20'000, 200).longest_wait_us, 0);
  play(pace, now, 50, (MediaPace::kCalmUs - 1'000) / 50);
  CHECK(!pace.timed());
  play(pace, now, 50, (MediaPace::kWindowUs * 3) / 50);
  CHECK(pace.timed());
}

TEST("[MED-7] feedback tells when packets came, not when they were read") {
  Rig rig;
  Pair pair(rig);
  rig.plane.bind_slot(pair.slot, 0, {});
  rig.run_for(static_cast<int>(MediaPace::kCalmUs / 1'000));
  const std::vector<Sent> sent = send_apart(pair, 4'000);
  pair.publisher_until("feedback of the last packet", [&] { return pair.publisher.arrivals_us.contains(3'999); });
  // Both clocks begin at the packet in the middle; the wire tells quarters of a millisecond.
  constexpr size_t kMiddle = 2'000;
  size_t apart = 0;
  const int64_t middle_us = pair.publisher.arrivals_us.at(kMiddle);
  for (size_t i = 0; i < sent.size(); ++i) {
    const auto told = pair.publisher.arrivals_us.find(static_cast<uint16_t>(i));
    CHECK(told != pair.publisher.arrivals_us.end());
    const int64_t us = told->second - middle_us;
    apart += us < sent[i].before_us - sent[kMiddle].after_us - 300 || us > sent[i].after_us - sent[kMiddle].before_us + 300;
  }
  CHECK(apart < sent.size() / 20);
}

TEST("packets of a track that nobody gets take no buffers; whoever comes then gets the picture and its repetitions") {
  PlaneConfig config;
  config.max_packets = 256;
  Rig rig(config);
  Pair pair(rig);
  rig.plane.bind_slot(pair.slot, 0, {});
  rig.run_for(20);
  send_apart(pair, 3'000);
  rig.until("all of it", [&] { return rig.track_counter(pair.track, track_field::kPackets) == 3'000; });
  CHECK_EQ(rig.counter(plane_field::kQueueDrops), 0);
  CHECK(pair.subscriber.rtp.empty());
  rig.plane.bind_slot(pair.slot, pair.track, kVideoMap);
  rig.run_for(20);
  pair.payloads.clear();
  pair.send_frame(true, 5);
  pair.receive_until(5);
  const uint16_t wanted = pair.subscriber.rtp[2].header.sequence;
  pair.subscriber.send_rtcp([&](RtcpWriter& writer) { writer.nack(1, kSlotSsrc, {&wanted, 1}); });
  pair.receive_until(6);
  CHECK_EQ(pair.subscriber.rtp[5].header.ssrc, kSlotRtx);
}

TEST("who has just been switched away still gets the last packets again, and a second later they are gone") {
  Rig rig;
  Pair pair(rig);
  Client other(rig);
  other.set_codecs();
  const Handle track = rig.plane.open_track(other.peer, video_track(78, 2'000, 2'001));
  other.connect();
  pair.send_frame(true, 3);
  pair.receive_until(3);
  rig.plane.bind_slot(pair.slot, track, kVideoMap);
  rig.run_for(20);
  other.send_rtp(kVp8, 1, 3'000, 2'000, "v", vp8(500, true, true, 1, 7));
  pair.receive_until(4);
  const uint16_t wanted = pair.subscriber.rtp[1].header.sequence;
  const auto ask = [&] { pair.subscriber.send_rtcp([&](RtcpWriter& writer) { writer.nack(1, kSlotSsrc, {&wanted, 1}); }); };
  ask();
  pair.receive_until(5);
  CHECK_EQ(pair.subscriber.rtp[4].header.ssrc, kSlotRtx);
  rig.run_for(2'500);
  ask();
  rig.run_for(100);
  pair.subscriber.receive();
  CHECK_EQ(pair.subscriber.rtp.size(), 5u);
}
