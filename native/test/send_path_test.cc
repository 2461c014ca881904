// What goes to subscribers, over loopback sockets: pacing, transport-wide feedback, and that no SRTP index is used for two packets.
#include <map>

#include "engine_pair.h"

using namespace parley;
using namespace parley::test;

namespace {

uint16_t transport_number(const ReceivedRtp& packet) {
  return load16(packet.packet.data() + packet.header.extension(Extension::kTransportCc).offset);
}

// A report of `received` out of numbers first to last, a millisecond apart.
TransportCcReport report_of(uint16_t first, const std::vector<bool>& received) {
  TransportCcReport report;
  report.base_sequence = first;
  report.reference_time = 1'000;
  int32_t delta = 0;
  for (const bool came : received) {
    delta += 4;
    report.entries.push_back({came, came ? delta : 0});
    if (came) delta = 0;
  }
  return report;
}

// Everything a subscriber ever got under one number is the same, byte for byte: with GCM two packets under one index give the key of
// the tag away (RFC 7714 8.4).
void check_indices(const Client& subscriber) {
  std::map<std::pair<uint32_t, uint16_t>, const std::vector<uint8_t>*> seen;
  for (const std::vector<uint8_t>& packet : subscriber.raw_rtp) {
    const auto [place, fresh] = seen.try_emplace({load32(packet.data() + 8), load16(packet.data() + 2)}, &packet);
    if (!fresh) CHECK(*place->second == packet);
  }
}

void check_in_order(const Client& subscriber, size_t from, uint32_t ssrc) {
  uint16_t expected = 0;
  bool first = true;
  for (size_t i = from; i < subscriber.rtp.size(); ++i) {
    const RtpHeader& header = subscriber.rtp[i].header;
    if (header.ssrc != ssrc) continue;
    if (!first) CHECK_EQ(header.sequence, expected);
    first = false;
    expected = static_cast<uint16_t>(header.sequence + 1);
  }
}

}  // namespace

TEST("[MED-8] feedback of a subscriber comes up as groups, with what was lost and how long it took") {
  Rig rig;
  Pair pair(rig);
  pair.send_frame(true, 6);
  pair.receive_until(6);
  for (int i = 0; i < 3; ++i) {
    rig.run_for(20);
    pair.send_frame(false, 4);
    pair.receive_until(static_cast<size_t>(10 + 4 * i));
  }
  const uint16_t first = transport_number(pair.subscriber.rtp[0]);
  size_t bytes = 0;
  std::vector<bool> came(18, true);
  came[12] = false;
  for (size_t i = 0; i < 18; ++i) bytes += came[i] ? pair.subscriber.raw_rtp[i].size() : 0;
  const auto send = [&] {
    pair.subscriber.send_rtcp([&](RtcpWriter& writer) { CHECK(writer.transport_cc(1, kSlotSsrc, report_of(first, came))); });
  };
  send();
  rig.until("feedback", [&] { return !rig.feedback.empty(); });
  const Feedback& told = rig.feedback[0];
  CHECK_EQ(told.peer, pair.subscriber.peer);
  CHECK_EQ(told.packets, 17u);
  CHECK_EQ(told.lost, 1u);
  CHECK_EQ(told.bytes, bytes);
  CHECK(told.delay_us > 0);
  CHECK(told.delay_us < 10'000'000);
  CHECK(told.at_us > 0);
  // The first group is what the second is told against, and the last is still open. A busy machine may tear a frame into two.
  CHECK(told.groups.size() >= 2);
  size_t packets = 0, lost = 0;
  int64_t sent_us = 0, received_us = 0;
  for (const TwccGroup& group : told.groups) {
    CHECK(group.send_delta_us > 0);
    packets += group.packets;
    lost += group.lost;
    sent_us += group.send_delta_us;
    received_us += group.receive_delta_us;
  }
  CHECK(packets >= 7 && packets < 17);
  CHECK_EQ(lost, 1u);
  CHECK(sent_us > 30'000);
  // The receiver's clock in the reports: a millisecond for each packet.
  CHECK(received_us >= 8'000 && received_us < 17'000);
  CHECK_EQ(received_us % 1'000, 0);
  CHECK_EQ(rig.peer_counter(pair.subscriber.peer, peer_field::kFeedbackPackets), 17);
  CHECK_EQ(rig.peer_counter(pair.subscriber.peer, peer_field::kFeedbackLost), 1);
  CHECK_EQ(rig.peer_counter(pair.subscriber.peer, peer_field::kFeedbackBytes), static_cast<double>(bytes));
  // Said again it is nothing new.
  send();
  rig.until("the second report", [&] { return rig.peer_counter(pair.subscriber.peer, peer_field::kTwccReceived) == 2; });
  rig.run_for(40);
  CHECK_EQ(rig.feedback.size(), 1u);
}

TEST("[MED-8] a repetition is stamped with when it is sent, however long the report before its NACK was left unread") {
  Rig rig;
  Pair pair(rig);
  pair.send_frame(true, 4);
  pair.receive_until(4);
  const uint16_t wanted[] = {pair.subscriber.rtp[1].header.sequence};
  const auto report = [](RtcpWriter& writer) { writer.receiver_report(1, {}); };
  bool stamped = false;
  for (int round = 0; round < 40 && !stamped; ++round) {
    // Many enough to be read by the clock.
    for (int i = 0; i < 15; ++i) {
      pair.subscriber.send_rtcp(report);
      rig.run_for(1);
    }
    const size_t count = pair.subscriber.rtp.size();
    const int64_t asked_us = monotonic_us();
    pair.subscriber.send_rtcp([&](RtcpWriter& writer) {
      report(writer);
      writer.nack(1, kSlotSsrc, wanted);
    });
    pair.receive_until(count + 1);
    const int64_t came_us = monotonic_us();
    const size_t told = rig.feedback.size();
    pair.subscriber.send_rtcp([&](RtcpWriter& writer) {
      const uint16_t number = transport_number(pair.subscriber.rtp.back());
      CHECK(writer.transport_cc(1, kSlotSsrc, report_of(number, {true})));
    });
    rig.until("feedback", [&] { return rig.feedback.size() > told; });
    const int64_t sent_us = rig.feedback.back().at_us - rig.feedback.back().delay_us;
    CHECK(sent_us <= came_us);
    // It waited (up to 2 ms while peers have just come, 16 ms later), and not on its way back.
    stamped = came_us - asked_us >= 1'000 && came_us - sent_us < (came_us - asked_us) / 2;
  }
  CHECK(stamped);
}

TEST("feedback is understood from the moment its extension is agreed on, a stream that runs already included") {
  Rig rig;
  Pair pair(rig, true, SrtpProfile::kAeadAes128Gcm, false);
  CodecsData without;
  without.codecs.push_back({kVp8, Codec::kVp8, 90'000, kVp8Rtx, true, true, true, false});
  without.extensions = {{kMidId, Extension::kMid}};
  rig.plane.set_peer_codecs(pair.subscriber.peer, without);
  pair.publisher.connect();
  pair.subscriber.connect();
  pair.send_frame(true, 3);
  pair.receive_until(3);
  pair.subscriber.set_codecs();
  rig.run_for(5);
  pair.send_frame(false, 3);
  pair.receive_until(6);
  const uint16_t first = transport_number(pair.subscriber.rtp[3]);
  pair.subscriber.send_rtcp([&](RtcpWriter& writer) { CHECK(writer.transport_cc(1, kSlotSsrc, report_of(first, {true, true, true}))); });
  rig.until("feedback", [&] { return !rig.feedback.empty(); });
  CHECK_EQ(rig.feedback[0].packets, 3u);
}

TEST("feedback that nobody wants goes into counters, wakes nobody, and is not told later") {
  Rig rig;
  Pair pair(rig);
  pair.send_frame(true, 4, 400);
  pair.receive_until(4);
  const uint16_t first = transport_number(pair.subscriber.rtp[0]);
  const auto report = [&](uint16_t number) {
    pair.subscriber.send_rtcp([&](RtcpWriter& writer) { CHECK(writer.transport_cc(1, kSlotSsrc, report_of(number, {true}))); });
  };
  const auto delivered = [&](double packets) {
    return [&rig, &pair, packets] {
      return rig.peer_counter(pair.subscriber.peer, peer_field::kFeedbackPackets) == packets;
    };
  };
  rig.plane.want_feedback(false);
  const int woken = rig.woken;
  report(first);
  rig.until("the count", delivered(1));
  rig.run_for(60);
  CHECK_EQ(rig.woken.load(), woken);
  CHECK(rig.feedback.empty());
  rig.plane.want_feedback(true);
  report(static_cast<uint16_t>(first + 1));
  rig.until("feedback", [&] { return !rig.feedback.empty(); });
  CHECK_EQ(rig.feedback.size(), 1u);
  CHECK_EQ(rig.feedback[0].packets, 1u);
  // Nobody is woken for it even then: whoever wants it looks.
  CHECK_EQ(rig.woken.load(), woken);
  // What is in the ring when it is no longer wanted is gone.
  report(static_cast<uint16_t>(first + 2));
  while (!delivered(3)()) poll(nullptr, 0, 1);
  rig.plane.want_feedback(false);
  rig.plane.want_feedback(true);
  rig.run_for(60);
  CHECK_EQ(rig.feedback.size(), 1u);
}

TEST("feedback that nobody takes is dropped and counted, and costs no other event") {
  Rig rig;
  Pair pair(rig);
  pair.send_frame(true, 1, 40);
  pair.receive_until(1);
  const uint16_t first = transport_number(pair.subscriber.rtp[0]);
  // 37 bytes and more of each stay in a ring of half a megabyte. The rig takes nothing meanwhile.
  uint16_t reported = 0;
  for (int round = 0; round < 1'600; ++round) {
    pair.send_frame(false, 10, 40);
    const size_t expected = pair.payloads.size();
    const int64_t end = monotonic_us() + 5'000'000;
    while (pair.subscriber.rtp.size() < expected && monotonic_us() < end) pair.subscriber.receive();
    CHECK_EQ(pair.subscriber.rtp.size(), expected);
    for (int i = 0; i < 10; ++i) {
      pair.subscriber.send_rtcp([&](RtcpWriter& writer) {
        CHECK(writer.transport_cc(1, kSlotSsrc, report_of(static_cast<uint16_t>(first + reported), {true})));
      });
      ++reported;
    }
  }
  const double dropped = rig.counter(plane_field::kFeedbackDropped);
  CHECK(dropped > 0);
  const uint8_t hello[30] = {22, 1, 2, 3};
  pair.subscriber.send_raw(hello, sizeof(hello));
  rig.until("the other event", [&] { return rig.find(EventType::kDtls, pair.subscriber.peer) != nullptr; });
  CHECK_EQ(rig.counter(plane_field::kEventsDropped), 0);
  // Counters are published when a turn of the loop ends.
  rig.until("each report to be told or counted", [&] {
    return static_cast<double>(rig.feedback.size()) + rig.counter(plane_field::kFeedbackDropped) == 16'000;
  });
}

TEST("[MED-8] a rate spreads a key frame out; sound passes it, a repair goes before what waits, and nothing is lost") {
  Rig rig;
  Pair pair(rig);
  const Handle sound = rig.plane.open_track(pair.publisher.peer, audio_track(78));
  SlotData data;
  data.mid = "q";
  data.ssrc = 8000;
  data.clock_rate_hz = 48'000;
  const Handle sound_slot = rig.plane.open_slot(pair.subscriber.peer, data);
  rig.plane.bind_slot(sound_slot, sound, {{kOpus, kOpus}});
  pair.send_frame(true, 1);
  pair.receive_until(1);
  const uint16_t early = pair.subscriber.rtp[0].header.sequence;
  rig.plane.set_pacing_rate(pair.subscriber.peer, 1'000'000);
  rig.run_for(5);
  const int64_t begin = monotonic_us();
  pair.send_frame(true, 60);
  pair.publisher.send_rtp(kOpus, 1, 960, 4242, "a", std::vector<uint8_t>(80, 1));
  pair.subscriber.send_rtcp([&](RtcpWriter& writer) {
    const uint16_t sequences[] = {early};
    writer.nack(1, kSlotSsrc, sequences);
  });
  pair.receive_until(63);
  const int64_t took_us = monotonic_us() - begin;
  // 61 kB with headers at 125 kB/s, less the burst.
  CHECK(took_us > 400'000);
  size_t sound_at = 0, repair_at = 0, last_at = 0;
  for (size_t i = 0; i < 63; ++i) {
    const uint32_t ssrc = pair.subscriber.rtp[i].header.ssrc;
    (ssrc == 8000 ? sound_at : ssrc == kSlotRtx ? repair_at : last_at) = i;
  }
  CHECK(sound_at > 0 && repair_at > 0);
  CHECK(sound_at < last_at);
  CHECK(repair_at < last_at);
  check_in_order(pair.subscriber, 0, kSlotSsrc);
  // Transport-wide numbers are in the order of sending.
  for (size_t i = 0; i < 63; ++i) CHECK_EQ(transport_number(pair.subscriber.rtp[i]), i);
  CHECK(rig.peer_counter(pair.subscriber.peer, peer_field::kPacedPackets) > 40);
  rig.until("the longest wait", [&] { return rig.peer_counter(pair.subscriber.peer, peer_field::kPacingDelayUs) > 300'000; });
  CHECK_EQ(rig.peer_counter(pair.subscriber.peer, peer_field::kPacedBytes), 0);
  CHECK_EQ(rig.peer_counter(pair.subscriber.peer, peer_field::kPacingDrops), 0);
  // Without a rate the same passes at once.
  rig.plane.set_pacing_rate(pair.subscriber.peer, 0);
  rig.run_for(5);
  const double paced = rig.peer_counter(pair.subscriber.peer, peer_field::kPacedPackets);
  pair.send_frame(true, 60);
  pair.receive_until(123);
  CHECK_EQ(rig.peer_counter(pair.subscriber.peer, peer_field::kPacedPackets), paced);
  check_indices(pair.subscriber);
}

TEST("[MED-8] below its rate a stream is not held back at all") {
  Rig rig;
  Pair pair(rig);
  // 6 kB each 20 ms are 2.5 Mb/s with headers; the burst of this rate forgives a busy machine a third of a second.
  rig.plane.set_pacing_rate(pair.subscriber.peer, 20'000'000);
  for (int i = 0; i < 25; ++i) {
    pair.send_frame(i == 0, 6);
    // Later than meant only leaves more.
    rig.run_for(20);
    pair.subscriber.receive();
  }
  pair.receive_until(150);
  CHECK_EQ(rig.peer_counter(pair.subscriber.peer, peer_field::kPacedPackets), 0);
}

TEST("[MED-8] too much waits: the picture is given up until a key frame, which is asked for; numbers go on without a gap") {
  Rig rig;
  Pair pair(rig);
  Client other(rig);
  other.set_codecs();
  const Handle other_slot = rig.plane.open_slot(other.peer, video_slot("s", kSlotSsrc, kSlotRtx));
  rig.plane.bind_slot(other_slot, pair.track, kVideoMap);
  other.connect();
  pair.send_frame(true, 2);
  pair.receive_until(2);
  rig.plane.set_pacing_rate(pair.subscriber.peer, 50'000);
  rig.run_for(5);
  pair.publisher.receive();
  rig.until("the request of the bind to be answered", [&] {
    pair.publisher.receive();
    return pair.publisher.plis > 0;
  });
  const size_t plis = pair.publisher.plis;
  size_t frames = 0;
  while (rig.peer_counter(pair.subscriber.peer, peer_field::kPacingDrops) == 0 && frames < 200) {
    pair.send_frame(false, 10, 1'100);
    rig.run_for(3);
    other.receive();
    ++frames;
  }
  CHECK(rig.peer_counter(pair.subscriber.peer, peer_field::kPacingDrops) > 300);
  pair.publisher_until("a PLI", [&] { return pair.publisher.plis > plis; });
  rig.plane.set_pacing_rate(pair.subscriber.peer, 0);
  rig.run_for(5);
  pair.subscriber.receive();
  const size_t before = pair.subscriber.rtp.size();
  // Frames that need what was dropped are not sent.
  pair.send_frame(false, 3);
  rig.run_for(20);
  pair.subscriber.receive();
  CHECK_EQ(pair.subscriber.rtp.size(), before);
  pair.send_frame(true, 4);
  pair.send_frame(false, 4);
  pair.receive_until(before + 8);
  check_in_order(pair.subscriber, 0, kSlotSsrc);
  for (size_t i = 0; i < 8; ++i) CHECK(pair.subscriber.rtp[before + i].payload.size() >= 1'000);
  check_indices(pair.subscriber);
  // Nobody else noticed.
  rig.until("all of it at the other", [&] {
    other.receive();
    return other.rtp.size() == pair.payloads.size();
  });
  check_in_order(other, 0, kSlotSsrc);
}

TEST("what waits goes with its slot, its track's end or its peer") {
  PlaneConfig config;
  config.threads = 2;
  Rig rig(config);
  for (int round = 0; round < 12; ++round) {
    Pair pair(rig);
    rig.plane.set_pacing_rate(pair.subscriber.peer, 100'000);
    rig.run_for(3);
    pair.send_frame(true, 40);
    pair.receive_until(2);
    pair.subscriber.send_rtcp([&](RtcpWriter& writer) {
      const uint16_t sequences[] = {pair.subscriber.rtp[0].header.sequence};
      writer.nack(1, kSlotSsrc, sequences);
    });
    switch (round % 6) {
      case 0: rig.plane.close_slot(pair.slot); break;
      case 1: rig.plane.close_track(pair.track); break;
      case 2: rig.plane.close_peer(pair.publisher.peer); break;
      case 3: rig.plane.close_peer(pair.subscriber.peer); break;
      case 4: rig.plane.bind_slot(pair.slot, 0, {}); break;
      default: pair.subscriber.set_codecs(); break;
    }
    rig.run_for(20);
    pair.subscriber.receive();
    check_indices(pair.subscriber);
    rig.plane.close_peer(pair.subscriber.peer);
    rig.plane.close_peer(pair.publisher.peer);
  }
  rig.run_for(10);
}

TEST("[MED-7] a number of the publisher is forwarded once, whatever comes under it later and in whatever way") {
  for (const bool rtx : {true, false}) {
    Rig rig;
    Pair pair(rig, rtx);
    pair.send_frame(true, 6);
    pair.receive_until(6);
    const uint16_t taken = static_cast<uint16_t>(pair.sequence - 3);
    const uint16_t missing = pair.sequence++;
    pair.send_frame(false, 3);
    pair.receive_until(9);
    uint16_t rtx_sequence = 1;
    const auto repeat = [&](uint16_t sequence, uint8_t fill) {
      std::vector<uint8_t> payload = vp8(900, false, false, pair.picture, fill);
      payload.insert(payload.begin(), {static_cast<uint8_t>(sequence >> 8), static_cast<uint8_t>(sequence)});
      pair.publisher.send_rtp(kVp8Rtx, rtx_sequence++, pair.timestamp, kPublisherRtx, "v", payload);
    };
    repeat(taken, 1);      // was there
    repeat(missing, 2);    // fills the gap
    repeat(missing, 3);    // another one for it
    repeat(static_cast<uint16_t>(pair.sequence + 50), 4);  // of the future
    pair.receive_until(10);
    // The late original of what was repaired meanwhile, and asked for again by the subscriber.
    pair.publisher.send_rtp(kVp8, missing, pair.timestamp, kPublisherSsrc, "v", vp8(800, false, false, pair.picture, 5));
    const uint16_t repaired = static_cast<uint16_t>(pair.subscriber.rtp[5].header.sequence + 1);
    pair.subscriber.send_rtcp([&](RtcpWriter& writer) {
      const uint16_t sequences[] = {repaired};
      writer.nack(1, kSlotSsrc, sequences);
    });
    rig.until("the repetition", [&] {
      pair.subscriber.receive();
      return rtx ? pair.subscriber.rtp.size() == 11 : pair.subscriber.replays == 1;
    });
    pair.send_frame(false, 2);
    rig.until("the rest", [&] {
      pair.subscriber.receive();
      return pair.subscriber.rtp.size() == (rtx ? 13u : 12u);
    });
    rig.run_for(20);
    pair.subscriber.receive();
    CHECK_EQ(pair.subscriber.raw_rtp.size(), 13u);
    CHECK(pair.subscriber.rtp[9].payload == vp8(900, false, false, static_cast<uint16_t>(pair.picture - 1), 2));
    check_indices(pair.subscriber);
    CHECK_EQ(pair.subscriber.auth_failures, 0u);
  }
}

TEST("[MED-7] no index is used for two packets through loss, repairs, forged repeats, NACKs of anything, switches and pacing") {
  for (const uint64_t seed : {1, 2, 3, 4}) {
    const bool rtx = seed % 2 == 0;
    Rig rig;
    Pair pair(rig, rtx);
    Random random(seed);
    Client second(rig);
    second.set_codecs();
    const Handle second_track = rig.plane.open_track(second.peer, video_track(88, 2000, 2001));
    second.connect();
    uint16_t rtx_sequence = 1;
    uint16_t second_sequence = 100;
    pair.send_frame(true, 3);
    pair.receive_until(3);
    bool on_second = false;
    for (int step = 0; step < 900; ++step) {
      const uint64_t what = random.below(100);
      if (what < 45) {
        pair.send_frame(random.chance(0.1), 1 + random.below(12), 200 + random.below(900));
        if (random.chance(0.3)) ++pair.sequence;
      } else if (what < 55) {
        for (uint64_t n = 1 + random.below(5); n > 0; --n, ++second_sequence) {
          second.send_rtp(kVp8, second_sequence, second_sequence * 3000u, 2000, "v",
                          vp8(300, true, random.chance(0.3), second_sequence & 0x7fff, static_cast<uint8_t>(random.next())));
        }
      } else if (what < 70) {
        const auto number = static_cast<uint16_t>(pair.sequence - random.below(40) + 5);
        std::vector<uint8_t> payload = vp8(500, false, false, 9, static_cast<uint8_t>(random.next()));
        payload.insert(payload.begin(), {static_cast<uint8_t>(number >> 8), static_cast<uint8_t>(number)});
        pair.publisher.send_rtp(kVp8Rtx, rtx_sequence++, pair.timestamp, kPublisherRtx, "v", payload);
      } else if (what < 88 && !pair.subscriber.rtp.empty()) {
        std::vector<uint16_t> wanted;
        auto at = static_cast<uint16_t>(pair.subscriber.rtp.back().header.sequence - random.below(60));
        for (int i = 0; i < 12; ++i) wanted.push_back(at = static_cast<uint16_t>(at + 1 + random.below(8)));
        pair.subscriber.send_rtcp([&](RtcpWriter& writer) { writer.nack(1, kSlotSsrc, wanted); });
      } else if (what < 94) {
        const uint64_t rates[] = {0, 20'000, 200'000, 1'000'000};
        rig.plane.set_pacing_rate(pair.subscriber.peer, rates[random.below(4)]);
      } else if (what < 97) {
        on_second = !on_second;
        rig.plane.bind_slot(pair.slot, on_second ? second_track : pair.track, kVideoMap);
      } else {
        rig.run_for(static_cast<int>(random.below(40)));
      }
      if (step % 4 == 0) rig.run_for(1);
      pair.subscriber.receive();
    }
    rig.plane.set_pacing_rate(pair.subscriber.peer, 0);
    rig.run_for(50);
    pair.subscriber.receive();
    check_indices(pair.subscriber);
    CHECK_EQ(pair.subscriber.auth_failures, 0u);
    CHECK(pair.subscriber.raw_rtp.size() > 500);
    CHECK(rig.slot_counter(pair.slot, slot_field::kRtxSent) > 20);
    CHECK(rig.peer_counter(pair.subscriber.peer, peer_field::kPacedPackets) > 50);
  }
}
