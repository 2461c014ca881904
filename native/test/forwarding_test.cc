// What a subscriber gets, over loopback sockets: forwarding, repair, reports, key frames.
#include <atomic>

#include "engine_pair.h"

using namespace parley;
using namespace parley::test;

TEST("[MED-1] forwards with the slot's numbers, own MID and transport-wide numbers, in few messages") {
  Rig rig;
  Pair pair(rig);
  pair.send_frame(true, 6);
  pair.send_frame(false, 6);
  pair.receive_until(12);
  check_forwarded(pair, 12);
  rig.until("slot-started", [&] { return rig.find(EventType::kSlotStarted, pair.slot) != nullptr; });
  CHECK_EQ(rig.find(EventType::kSlotStarted, pair.slot)->second, pair.track);
  CHECK(rig.find(EventType::kSsrc, pair.track) != nullptr);
  CHECK_EQ(rig.slot_counter(pair.slot, slot_field::kPackets), 12);
  CHECK_EQ(rig.slot_counter(pair.slot, slot_field::kStreamId), 77);
  CHECK_EQ(rig.track_counter(pair.track, track_field::kKeyFrames), 1);
}

TEST("[MED-2] every profile") {
  for (const SrtpProfile profile : kSrtpProfilePreference) {
    Rig rig;
    Pair pair(rig, true, profile);
    pair.send_frame(true, 6);
    pair.receive_until(6);
    check_forwarded(pair, 6);
  }
}

TEST("[MED-4] without UDP_SEGMENT the same packets leave one by one") {
  PlaneConfig config;
  config.segmentation = false;
  Rig rig(config);
  Pair pair(rig);
  pair.send_frame(true, 6);
  pair.receive_until(6);
  check_forwarded(pair, 6);
  CHECK_EQ(rig.counter(plane_field::kSendMessages), rig.counter(plane_field::kTxDatagrams));
}

TEST("[MED-4] the packets of a frame that come in a burst leave as one message for each subscriber") {
  if (!udp_segment_supported()) return;
  Rig rig;
  Pair pair(rig);
  std::vector<std::unique_ptr<Client>> others;
  for (int i = 0; i < 5; ++i) {
    others.push_back(std::make_unique<Client>(rig));
    others.back()->set_codecs();
    const Handle slot = rig.plane.open_slot(others.back()->peer, video_slot("t", kSlotSsrc, kSlotRtx));
    rig.plane.bind_slot(slot, pair.track, kVideoMap);
    others.back()->connect();
  }
  pair.send_frame(true, 6);
  pair.receive_until(6);
  // The first bursts show how the packets come.
  for (int i = 0; i < 10; ++i) {
    pair.send_frame(false, 6);
    rig.run_for(5);
    pair.subscriber.receive();
  }
  const double datagrams = rig.counter(plane_field::kTxDatagrams);
  const double messages = rig.counter(plane_field::kSendMessages);
  for (int i = 0; i < 30; ++i) {
    pair.send_frame(false, 6);
    rig.run_for(5);
    pair.subscriber.receive();
  }
  pair.receive_until(6 * 41);
  // 6 at best; reports go alone, and a machine under load tears a burst now and then.
  CHECK((rig.counter(plane_field::kTxDatagrams) - datagrams) / (rig.counter(plane_field::kSendMessages) - messages) > 2);
  check_forwarded(pair, 6 * 41);
}

TEST("video starts at a key frame, which is asked for at bind") {
  Rig rig;
  Pair pair(rig);
  pair.send_frame(false, 2);
  pair.publisher_until("a PLI", [&] { return pair.publisher.plis > 0; });
  pair.send_frame(false, 2);
  rig.run_for(20);
  pair.subscriber.receive();
  CHECK_EQ(pair.subscriber.rtp.size(), 0u);
  pair.payloads.clear();
  pair.send_frame(true, 3);
  pair.receive_until(3);
  check_forwarded(pair, 3);
}

TEST("audio is forwarded at once, known by MID alone, and its level is measured") {
  Rig rig;
  Client publisher(rig);
  Client subscriber(rig);
  publisher.set_codecs();
  subscriber.set_codecs();
  const Handle track = rig.plane.open_track(publisher.peer, audio_track(5));
  SlotData data;
  data.mid = "q";
  data.ssrc = 8000;
  data.clock_rate_hz = 48'000;
  const Handle slot = rig.plane.open_slot(subscriber.peer, data);
  rig.plane.bind_slot(slot, track, {{kOpus, kOpus}});
  publisher.connect();
  subscriber.connect();
  for (uint16_t i = 0; i < 20; ++i) {
    publisher.send_rtp(kOpus, i, i * 960u, 4242, i == 0 ? "a" : "", std::vector<uint8_t>(80, 1));
  }
  rig.until("audio", [&] {
    subscriber.receive();
    return subscriber.rtp.size() >= 20;
  });
  CHECK_EQ(subscriber.rtp[0].csrc, 5u);
  const ExtensionValue& level = subscriber.rtp[0].header.extension(Extension::kAudioLevel);
  CHECK_EQ(subscriber.rtp[0].packet[level.offset], 0x80 | 30);
  CHECK(rig.track_counter(track, track_field::kAudioLevel) > 50);
}

TEST("[MED-7] a subscriber's NACK is answered by RTX with the original number") {
  Rig rig;
  Pair pair(rig);
  pair.send_frame(true, 6);
  pair.receive_until(6);
  const ReceivedRtp lost = pair.subscriber.rtp[3];
  pair.subscriber.send_rtcp([&](RtcpWriter& writer) {
    const uint16_t sequences[] = {lost.header.sequence};
    writer.nack(1, kSlotSsrc, sequences);
  });
  pair.receive_until(7);
  const ReceivedRtp& repeated = pair.subscriber.rtp[6];
  CHECK_EQ(repeated.header.ssrc, kSlotRtx);
  CHECK_EQ(repeated.header.payload_type, kVp8Rtx);
  CHECK_EQ(repeated.header.timestamp, lost.header.timestamp);
  CHECK_EQ(load16(repeated.payload.data()), lost.header.sequence);
  CHECK(std::vector<uint8_t>(repeated.payload.begin() + 2, repeated.payload.end()) == lost.payload);
  CHECK_EQ(rig.slot_counter(pair.slot, slot_field::kRtxSent), 1);
}

TEST("[MED-7] without RTX the packet is repeated byte for byte, or GCM would give its key away") {
  Rig rig;
  Pair pair(rig, false);
  pair.send_frame(true, 6);
  pair.receive_until(6);
  const uint16_t sequence = pair.subscriber.rtp[2].header.sequence;
  pair.send_frame(false, 3);
  pair.receive_until(9);
  const size_t wire_before = pair.subscriber.raw_rtp.size();
  pair.subscriber.send_rtcp([&](RtcpWriter& writer) {
    const uint16_t sequences[] = {sequence};
    writer.nack(1, kSlotSsrc, sequences);
  });
  rig.until("the repetition", [&] {
    pair.subscriber.receive();
    return pair.subscriber.replays > 0;
  });
  CHECK_EQ(pair.subscriber.raw_rtp.size(), wire_before + 1);
  CHECK(pair.subscriber.raw_rtp.back() == pair.subscriber.raw_rtp[2]);
}

TEST("[MED-7] a packet lost on the way in is asked for, and its RTX goes on under its number") {
  Rig rig;
  Pair pair(rig);
  pair.send_frame(true, 2);
  const uint16_t missing = pair.sequence++;
  pair.payloads.push_back(vp8(900, false, false, pair.picture, 0x55));
  const std::vector<uint8_t> lost = pair.payloads.back();
  pair.send_frame(false, 3);
  pair.publisher_until("a NACK", [&] { return !pair.publisher.nacked.empty(); });
  CHECK_EQ(pair.publisher.nacked[0], missing);
  std::vector<uint8_t> rtx = {static_cast<uint8_t>(missing >> 8), static_cast<uint8_t>(missing)};
  rtx.insert(rtx.end(), lost.begin(), lost.end());
  pair.publisher.send_rtp(kVp8Rtx, 1, 93'000, kPublisherRtx, "v", rtx);
  pair.receive_until(6);
  const uint16_t first = pair.subscriber.rtp[0].header.sequence;
  CHECK_EQ(pair.subscriber.rtp[5].header.sequence, static_cast<uint16_t>(first + 2));
  CHECK(pair.subscriber.rtp[5].payload == lost);
  CHECK_EQ(rig.track_counter(pair.track, track_field::kRtxReceived), 1);
}

TEST("[MED-6] transport-wide feedback and receiver reports reach the publisher, sender reports the subscriber") {
  Rig rig;
  Pair pair(rig);
  pair.send_frame(true, 4);
  pair.receive_until(4);
  rig.until("reports", [&] {
    pair.publisher.receive();
    pair.subscriber.receive();
    return pair.publisher.transport_reports > 0 && pair.publisher.receiver_reports > 0 &&
           pair.subscriber.sender_reports.size() >= 2;
  });
  const SenderInfo& report = pair.subscriber.sender_reports.back();
  CHECK_EQ(report.ssrc, kSlotSsrc);
  CHECK_EQ(report.packets, 4u);
  // A receiver report about it gives the round trip.
  pair.subscriber.send_rtcp([&](RtcpWriter& writer) {
    ReportBlock block;
    block.ssrc = kSlotSsrc;
    block.fraction_lost = 64;
    block.last_sr = static_cast<uint32_t>(report.ntp >> 16);
    writer.receiver_report(1, {&block, 1});
  });
  double* counters = rig.plane.peer_counters().at(handle_index(pair.subscriber.peer));
  rig.until("a round trip", [&] { return std::atomic_ref<double>(counters[peer_field::kRttUs]).load() > 0; });
  CHECK_EQ(rig.slot_counter(pair.slot, slot_field::kLossRatio), 0.25);
}

TEST("[MED-6] a viewer's sender reports leave as the last datagram of a picture's message") {
  Rig rig;
  Pair pair(rig);
  pair.send_frame(true, 4);
  pair.receive_until(4);
  rig.until("the first report", [&] {
    pair.subscriber.receive();
    return !pair.subscriber.sender_reports.empty();
  });
  rig.run_for(5);
  const auto sent_to = [&rig](const Client& client) {
    double* counters = rig.plane.peer_counters().at(handle_index(client.peer));
    return std::atomic_ref<double>(counters[peer_field::kTxPackets]).load();
  };
  const size_t reports_before = pair.subscriber.sender_reports.size();
  const double viewer_before = sent_to(pair.subscriber);
  const double camera_before = sent_to(pair.publisher);
  const double messages_before = rig.counter(plane_field::kSendMessages);
  size_t frames = 0, behind_its_picture = 0;
  while (pair.subscriber.sender_reports.size() < reports_before + 3 && frames < 300) {
    const size_t seen = pair.subscriber.sender_reports.size();
    const size_t packets = pair.subscriber.rtp.size();
    pair.send_frame(false, 1);
    ++frames;
    pair.receive_until(packets + 1);
    rig.run_for(20);
    pair.subscriber.receive();
    if (pair.subscriber.sender_reports.size() == seen) continue;
    const SenderInfo& report = pair.subscriber.sender_reports.back();
    CHECK_EQ(report.ssrc, kSlotSsrc);
    behind_its_picture += report.packets == pair.subscriber.rtp.size();
  }
  CHECK_EQ(pair.subscriber.sender_reports.size(), reports_before + 3);
  CHECK_EQ(behind_its_picture, 3u);
  CHECK_EQ(sent_to(pair.subscriber) - viewer_before, static_cast<double>(frames + 3));
  // Each picture is one message, and so is what the camera is told.
  CHECK_EQ(rig.counter(plane_field::kSendMessages) - messages_before, static_cast<double>(frames) + sent_to(pair.publisher) - camera_before);
}

TEST("reports that no picture takes along leave by themselves") {
  Rig rig;
  Pair pair(rig);
  pair.send_frame(true, 4);
  pair.receive_until(4);
  // The picture was the last: of the reports that were owed with it none may be missing after two turns.
  rig.run_for(2'200);
  pair.subscriber.receive();
  const size_t reports = pair.subscriber.sender_reports.size();
  CHECK(reports >= 2);
  rig.run_for(1'100);
  pair.subscriber.receive();
  CHECK(pair.subscriber.sender_reports.size() > reports);
}

TEST("key frame requests of many subscribers become one per interval") {
  Rig rig;
  Pair pair(rig);
  pair.send_frame(true, 1);
  pair.receive_until(1);
  pair.publisher_until("the PLI of the bind", [&] { return pair.publisher.plis > 0; });
  rig.run_for(250);
  pair.publisher.receive();
  const size_t before = pair.publisher.plis;
  for (int i = 0; i < 20; ++i) {
    pair.subscriber.send_rtcp([](RtcpWriter& writer) { writer.pli(1, kSlotSsrc); });
    pair.subscriber.send_rtcp([i](RtcpWriter& writer) { writer.fir(1, kSlotSsrc, static_cast<uint8_t>(i)); });
  }
  rig.run_for(100);
  pair.publisher.receive();
  CHECK_EQ(pair.publisher.plis, before + 1);
  // Unanswered, it is repeated; answered, it is not.
  pair.publisher_until("the repetition", [&] { return pair.publisher.plis == before + 2; });
  pair.send_frame(true, 1);
  rig.run_for(300);
  pair.publisher.receive();
  CHECK_EQ(pair.publisher.plis, before + 2);
}

TEST("an SSRC that is used again under the same keys goes on counting") {
  Rig rig;
  Pair pair(rig);
  pair.send_frame(true, 5);
  pair.receive_until(5);
  const uint16_t last = pair.subscriber.rtp[4].header.sequence;
  rig.plane.close_slot(pair.slot);
  pair.slot = rig.plane.open_slot(pair.subscriber.peer, video_slot("s", kSlotSsrc, kSlotRtx));
  rig.plane.bind_slot(pair.slot, pair.track, kVideoMap);
  rig.run_for(5);
  pair.send_frame(true, 2);
  pair.receive_until(7);
  CHECK_EQ(pair.subscriber.rtp[5].header.sequence, static_cast<uint16_t>(last + 1));
}
