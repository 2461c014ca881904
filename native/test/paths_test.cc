// Ways to a peer over loopback sockets: UDP, TCP, IPv6, checks and nomination, and what comes from strangers.
#include <atomic>

#include "engine_pair.h"

using namespace parley;
using namespace parley::test;

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
