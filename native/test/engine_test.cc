// A data plane's life over loopback sockets: handles, several workers, races, hostile packets, its end.
#include <set>

#include "engine_pair.h"

using namespace parley;
using namespace parley::test;

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
