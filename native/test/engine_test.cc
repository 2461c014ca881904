// The data plane over loopback sockets: forwarding, repair, key frames, switching, paths, strangers, teardown.
#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include "engine_pair.h"

using namespace parley;
using namespace parley::test;

namespace {

void check_forwarded(Pair& pair, size_t count) {
  CHECK(pair.subscriber.rtp.size() >= count);
  const uint16_t first = pair.subscriber.rtp[0].header.sequence;
  for (size_t i = 0; i < count; ++i) {
    const ReceivedRtp& got = pair.subscriber.rtp[i];
    CHECK_EQ(got.header.ssrc, kSlotSsrc);
    CHECK_EQ(got.csrc, 77u);
    CHECK_EQ(got.header.sequence, static_cast<uint16_t>(first + i));
    CHECK_EQ(got.header.payload_type, kVp8);
    CHECK(got.payload == pair.payloads[i]);
    const ExtensionValue& mid = got.header.extension(Extension::kMid);
    CHECK_EQ(mid.size, 1u);
    CHECK_EQ(got.packet[mid.offset], 's');
    CHECK_EQ(load16(got.packet.data() + got.header.extension(Extension::kTransportCc).offset), static_cast<uint16_t>(i));
  }
}

}  // namespace

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

TEST("[MED-4] TCP with RFC 4571 framing; its end is told") {
  Rig rig;
  Pair pair(rig, true, SrtpProfile::kAeadAes128Gcm, false);
  pair.publisher.connect();
  pair.subscriber.connect("127.0.0.1", true);
  pair.send_frame(true, 6);
  pair.receive_until(6);
  check_forwarded(pair, 6);
  pair.subscriber.disconnect();
  rig.until("path-closed", [&] { return rig.find(EventType::kPathClosed, pair.subscriber.peer) != nullptr; });
  pair.send_frame(false, 2);
  rig.run_for(10);
}

TEST("[MED-4] IPv6") {
  PlaneConfig config;
  config.bind = {"::1"};
  Rig rig(config);
  Pair pair(rig, true, SrtpProfile::kAeadAes128Gcm, false);
  pair.publisher.connect("::1");
  pair.subscriber.connect("::1");
  pair.send_frame(true, 6);
  pair.receive_until(6);
  check_forwarded(pair, 6);
}

TEST("[MED-4] a wildcard socket answers from the address the packet came to, in segmented sends too") {
  PlaneConfig config;
  config.bind = {"0.0.0.0", "::"};
  Rig rig(config);
  Pair pair(rig, true, SrtpProfile::kAeadAes128Gcm, false);
  // Connected sockets refuse answers from elsewhere.
  pair.publisher.connect("127.0.0.2");
  pair.subscriber.connect("127.0.0.3");
  pair.send_frame(true, 6);
  pair.receive_until(6);
  check_forwarded(pair, 6);
}

TEST("strangers, forged ufrags and rubbish are counted and get no answer") {
  Rig rig;
  Client stranger(rig);
  stranger.open_socket("127.0.0.1", false);
  const uint8_t rtp[20] = {0x80, 96};
  stranger.send_raw(rtp, sizeof(rtp));
  const uint8_t rubbish[20] = {0x00, 0x01, 0x00, 0x40, 0x21, 0x12, 0xa4, 0x42};
  stranger.send_raw(rubbish, sizeof(rubbish));
  IceData forged = stranger.ice;
  forged.local_ufrag[3] = forged.local_ufrag[3] == 'x' ? 'y' : 'x';
  stranger.send_check_as(forged, true);
  rig.until("the counters", [&] {
    return rig.counter(plane_field::kStrangers) == 1 && rig.counter(plane_field::kMalformed) == 1 &&
           rig.counter(plane_field::kForgedUfrags) == 1;
  });
  CHECK(rig.events.empty());
  rig.peers.clear();
  stranger.send_check(true);
  rig.until("the genuine one", [&] { return !rig.events.empty(); });
  CHECK(rig.events[0].type == EventType::kStun);
  CHECK_EQ(rig.counter(plane_field::kTxDatagrams), 0);
}

TEST("replayed and tampered packets are dropped and counted") {
  Rig rig;
  Pair pair(rig);
  uint8_t packet[1500];
  Client& publisher = pair.publisher;
  pair.send_frame(true, 1);
  pair.receive_until(1);
  std::memset(packet, 7, sizeof(packet));
  packet[0] = 0x80;
  packet[1] = kVp8;
  publisher.send_raw(packet, 200);
  double* counters = rig.plane.peer_counters().at(handle_index(publisher.peer));
  rig.until("an authentication failure",
            [&] { return std::atomic_ref<double>(counters[peer_field::kAuthFailures]).load() == 1; });
}

TEST("a check on a known path is answered natively; nomination of another path is told; media follows the selection") {
  Rig rig;
  Pair pair(rig);
  rig.select_new_paths = false;
  pair.send_frame(true, 1);
  pair.receive_until(1);
  pair.subscriber.open_socket("127.0.0.1", false);  // a new port: the client moved
  pair.subscriber.check_until_answered();
  rig.until("nominated", [&] {
    pair.subscriber.send_check(true);
    return rig.find(EventType::kNominated, pair.subscriber.peer) != nullptr;
  });
  rig.plane.select_path(pair.subscriber.peer, rig.find(EventType::kNominated, pair.subscriber.peer)->path);
  rig.run_for(5);
  pair.send_frame(false, 2);
  pair.receive_until(3);
  double* counters = rig.plane.peer_counters().at(handle_index(pair.subscriber.peer));
  CHECK(std::atomic_ref<double>(counters[peer_field::kLastConsentMs]).load() > 0);
}

TEST("ICE restart: both generations are answered until the old one retires") {
  Rig rig;
  Client client(rig);
  client.connect();
  const IceData old = client.ice;
  IceData fresh{make_ufrag(rig.key, "restart00001"), "new password 0123456789", "remote-new"};
  rig.plane.restart_ice(client.peer, fresh);
  rig.run_for(5);
  client.allow_other_password = true;
  const size_t before = client.answers;
  client.send_check_as(old, false);
  client.send_check_as(fresh, false);
  rig.until("both answers", [&] {
    client.receive();
    return client.answers == before + 2;
  });
  rig.plane.retire_previous_ice(client.peer);
  rig.run_for(5);
  client.send_check_as(old, false);
  client.send_check_as(fresh, false);
  rig.run_for(20);
  client.receive();
  CHECK_EQ(client.answers, before + 3);
}

TEST("a role conflict goes up, a wrong password gets no answer") {
  Rig rig;
  Client client(rig);
  client.connect();
  rig.run_for(20);
  client.receive();
  const size_t before = client.answers;
  IceData wrong = client.ice;
  wrong.local_password = "not the password";
  client.send_check_as(wrong, false);
  BindingRequest request;
  const std::string username = client.ice.local_ufrag + ":" + client.ice.remote_ufrag;
  request.username = username;
  request.controlling = false;
  uint8_t out[kStunMaxWrite];
  rig.events.clear();
  client.send_raw(out, write_binding_request(request, StunKey(client.ice.local_password), out));
  rig.until("the conflict", [&] { return !rig.events.empty(); });
  CHECK(rig.events[0].type == EventType::kStun);
  rig.run_for(10);
  client.receive();
  CHECK_EQ(client.answers, before);
}

TEST("DTLS of a known peer goes up; sendTo reaches it") {
  Rig rig;
  Client client(rig);
  client.connect();
  const uint8_t hello[30] = {22, 1, 2, 3};
  client.send_raw(hello, sizeof(hello));
  rig.until("dtls", [&] { return rig.find(EventType::kDtls, client.peer) != nullptr; });
  CHECK_EQ(rig.find(EventType::kDtls, client.peer)->datagram.size(), sizeof(hello));
}

TEST("BYE of all SSRCs ends the track") {
  Rig rig;
  Pair pair(rig);
  pair.send_frame(true, 1);
  pair.receive_until(1);
  pair.publisher.send_rtcp([](RtcpWriter& writer) {
    writer.receiver_report(1, {});
    const uint32_t ssrcs[] = {kPublisherSsrc};
    writer.bye(ssrcs);
  });
  rig.until("track-ended", [&] { return rig.find(EventType::kTrackEnded, pair.track) != nullptr; });
}

TEST("closed handles are stale, their indices come back under other names") {
  Rig rig;
  std::set<Handle> seen;
  for (int i = 0; i < 50; ++i) {
    Client client(rig);
    CHECK(seen.insert(client.peer).second);
    const Handle track = rig.plane.open_track(client.peer, audio_track(1));
    const Handle slot = rig.plane.open_slot(client.peer, video_slot("s", 1, 2));
    rig.plane.bind_slot(slot, track, kVideoMap);
    if (i % 2 == 0) client.connect();
    rig.plane.close_peer(client.peer);
    const double before = rig.counter(plane_field::kStaleCommands);
    rig.plane.request_key_frame(track);
    rig.plane.close_slot(slot);
    rig.plane.close_peer(client.peer);
    CHECK_EQ(rig.counter(plane_field::kStaleCommands), before + 3);
    rig.run_for(3);
  }
  // Reused, not grown.
  for (const Handle handle : seen) CHECK(handle_index(handle) < 5);
}

TEST("peers on several workers: packets find their owners, tracks their subscribers") {
  PlaneConfig config;
  config.threads = 3;
  Rig rig(config);
  Client publisher(rig);
  publisher.set_codecs();
  const Handle track = rig.plane.open_track(publisher.peer, video_track(77, kPublisherSsrc, kPublisherRtx));
  std::vector<std::unique_ptr<Client>> subscribers;
  std::vector<Handle> slots;
  for (int i = 0; i < 12; ++i) {
    auto client = std::make_unique<Client>(rig);
    client->set_codecs();
    slots.push_back(rig.plane.open_slot(client->peer, video_slot("s", kSlotSsrc, kSlotRtx)));
    rig.plane.bind_slot(slots.back(), track, kVideoMap);
    client->connect();
    subscribers.push_back(std::move(client));
  }
  publisher.connect();
  std::set<uint16_t> workers;
  for (const Event& event : rig.events) {
    if (event.type == EventType::kStun) workers.insert(event.path.worker);
  }
  CHECK(workers.size() > 1);
  rig.until("a PLI", [&] {
    publisher.receive();
    return publisher.plis > 0;
  });
  rig.run_for(20);
  std::vector<std::vector<uint8_t>> payloads;
  for (uint16_t i = 0; i < 40; ++i) {
    payloads.push_back(vp8(600, true, i == 0, static_cast<uint16_t>(i + 1), static_cast<uint8_t>(i)));
    publisher.send_rtp(kVp8, i, i * 3000u, kPublisherSsrc, "v", payloads.back());
    rig.pump();
  }
  for (auto& client : subscribers) {
    rig.until("40 packets everywhere", [&] {
      client->receive();
      return client->rtp.size() >= 40;
    });
    for (size_t i = 0; i < 40; ++i) CHECK(client->rtp[i].payload == payloads[i]);
    client->send_rtcp([&](RtcpWriter& writer) {
      const uint16_t sequences[] = {client->rtp[7].header.sequence};
      writer.nack(1, kSlotSsrc, sequences);
    });
    rig.until("RTX from a replica", [&] {
      client->receive();
      return client->rtp.size() == 41;
    });
    const std::vector<uint8_t>& repeated = client->rtp[40].payload;
    CHECK(std::vector<uint8_t>(repeated.begin() + 2, repeated.end()) == payloads[7]);
  }
  CHECK(rig.counter(plane_field::kForwardedElsewhere) > 0);
  rig.plane.close_track(track);
  rig.run_for(10);
  rig.plane.close_peer(publisher.peer);
  rig.run_for(10);
}

TEST("a peer whose first selected path came to another worker moves there before media") {
  PlaneConfig config;
  config.threads = 2;
  Rig rig(config);
  Client subscriber(rig);
  Client publisher(rig);
  publisher.set_codecs();
  subscriber.set_codecs();
  const Handle track = rig.plane.open_track(publisher.peer, video_track(77, kPublisherSsrc, kPublisherRtx));
  const Handle slot = rig.plane.open_slot(subscriber.peer, video_slot("s", kSlotSsrc, kSlotRtx));
  rig.plane.bind_slot(slot, track, kVideoMap);
  rig.select_new_paths = false;
  subscriber.connect();
  const uint16_t first_worker = rig.events[0].path.worker;
  // Other ports until one is received elsewhere.
  const Event* elsewhere = nullptr;
  for (int i = 0; i < 50 && elsewhere == nullptr; ++i) {
    subscriber.open_socket("127.0.0.1", false);
    subscriber.check_until_answered();
    for (const Event& event : rig.events) {
      const bool ours = event.type == EventType::kStun && event.path.remote_port == subscriber.port();
      if (ours && event.path.worker != first_worker) elsewhere = &event;
    }
  }
  CHECK(elsewhere != nullptr);
  rig.plane.select_path(subscriber.peer, elsewhere->path);
  rig.select_new_paths = true;
  publisher.connect();
  rig.until("a PLI", [&] {
    publisher.receive();
    return publisher.plis > 0;
  });
  publisher.send_rtp(kVp8, 1, 0, kPublisherSsrc, "v", vp8(600, true, true, 1, 1));
  rig.until("a packet", [&] {
    subscriber.receive();
    return subscriber.rtp.size() == 1;
  });
  subscriber.check_until_answered();
}

TEST("close races: peers, tracks, slots and paths come and go under traffic") {
  PlaneConfig config;
  config.threads = 2;
  Rig rig(config);
  for (int round = 0; round < 30; ++round) {
    Pair pair(rig);
    pair.send_frame(true, 3);
    pair.send_frame(false, 3);
    switch (round % 6) {
      case 0: rig.plane.close_track(pair.track); break;
      case 1: rig.plane.close_slot(pair.slot); break;
      case 2: rig.plane.close_peer(pair.publisher.peer); break;
      case 3: rig.plane.close_peer(pair.subscriber.peer); break;
      case 4: rig.plane.bind_slot(pair.slot, 0, {}); break;
      default: break;
    }
    pair.send_frame(false, 3);
    rig.pump();
    pair.send_frame(false, 3);
    rig.plane.close_peer(pair.subscriber.peer);
    rig.plane.close_peer(pair.publisher.peer);
    rig.pump();
  }
  rig.run_for(20);
}

TEST("a peer with valid keys and mad packets harms nobody") {
  PlaneConfig config;
  config.threads = 2;
  Rig rig(config);
  Pair pair(rig);
  pair.send_frame(true, 3);
  pair.receive_until(3);
  Random& random = rig.random;
  for (int i = 0; i < 6'000; ++i) {
    uint8_t packet[1500];
    const size_t size = 12 + random.below(i % 10 == 0 ? 1'300 : 80);
    for (size_t k = 0; k < size; ++k) packet[k] = static_cast<uint8_t>(random.next());
    Client& from = random.chance(0.5) ? pair.publisher : pair.subscriber;
    if (random.chance(0.4)) {
      // RTCP of every kind, with lengths that are mostly right.
      packet[0] = static_cast<uint8_t>(0x80 | random.below(32));
      packet[1] = static_cast<uint8_t>(200 + random.below(8));
      const size_t words = 1 + random.below(20);
      store16(packet + 2, static_cast<uint16_t>(random.chance(0.9) ? words : random.below(65536)));
      if (random.chance(0.7)) store32(packet + 8, random.chance(0.5) ? kSlotSsrc : kPublisherSsrc);
      from.send_rtcp_bytes(packet, 4 + words * 4);
      continue;
    }
    const uint8_t types[] = {kVp8, kVp8Rtx, kOpus, 50};
    packet[0] = static_cast<uint8_t>(0x80 | (random.chance(0.6) ? 0x10 : 0) | (random.chance(0.2) ? 0x20 : 0));
    packet[1] = static_cast<uint8_t>(types[random.below(4)] | (random.chance(0.3) ? 0x80 : 0));
    const uint32_t ssrcs[] = {kPublisherSsrc, kPublisherRtx, static_cast<uint32_t>(random.below(300)), kSlotSsrc};
    store32(packet + 8, ssrcs[random.below(4)]);
    store16(packet + 2, static_cast<uint16_t>(pair.sequence + i + static_cast<int>(random.below(40))));
    if (size > 40) {
      store16(packet + 12, random.chance(0.5) ? 0xbede : 0x1000);
      store16(packet + 14, static_cast<uint16_t>(random.below(5)));
    }
    from.send_rtp_bytes(packet, size);
    if (i % 100 == 0) {
      rig.pump();
      pair.publisher.receive();
      pair.subscriber.drop_input();
    }
  }
  // Most of it got past the tag and the replay window.
  const double refused = rig.peer_counter(pair.publisher.peer, peer_field::kAuthFailures) +
                         rig.peer_counter(pair.publisher.peer, peer_field::kReplays);
  CHECK(rig.peer_counter(pair.publisher.peer, peer_field::kRxPackets) > 1'000);
  CHECK(refused < rig.peer_counter(pair.publisher.peer, peer_field::kRxPackets) / 2);
  // Others are served as before.
  Pair other(rig);
  other.send_frame(true, 6);
  other.receive_until(6);
  check_forwarded(other, 6);
}

TEST("the plane stops under traffic, with events and commands under way") {
  for (int round = 0; round < 5; ++round) {
    PlaneConfig config;
    config.threads = 2;
    auto rig = std::make_unique<Rig>(config);
    auto pair = std::make_unique<Pair>(*rig);
    for (int i = 0; i < 20; ++i) pair->send_frame(i == 0, 6);
    rig->plane.flush();
    rig->plane.stop();
    rig->plane.close_peer(pair->publisher.peer);
    CHECK_EQ(rig->plane.open_peer({}), 0u);
    rig->plane.flush();
    pair->send_frame(false, 2);
  }
}

TEST("a port that another plane has is refused, though it could be shared") {
  Rig rig;
  Plane plane([] {});
  PlaneConfig config;
  config.bind = {"127.0.0.1"};
  config.udp_port = rig.udp_port();
  CHECK(plane.start(config).find(std::to_string(rig.udp_port())) != std::string::npos);
  CHECK(!plane.running());
}

TEST("an address that cannot be bound is an error with its name") {
  Plane plane([] {});
  PlaneConfig config;
  config.bind = {"192.0.2.1"};
  const std::string failure = plane.start(config);
  CHECK(failure.find("192.0.2.1") != std::string::npos);
  CHECK(!plane.running());
}
