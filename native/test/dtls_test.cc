// DTLS endpoints against each other over an in-memory link, in virtual time.

#include <algorithm>
#include <deque>
#include <map>

#include "check.h"
#include "crypto/dtls_record.h"
#include "parley/crypto/dtls.h"

using namespace parley;
using parley::test::Random;
using parley::test::to_hex;
using Datagram = std::vector<uint8_t>;

namespace {

const std::shared_ptr<const DtlsCertificate>& certificate(int which) {
  static const std::shared_ptr<const DtlsCertificate> all[] = {DtlsCertificate::generate(),
                                                               DtlsCertificate::generate()};
  CHECK(all[which] != nullptr);
  return all[which];
}

DtlsConfig config_for(DtlsRole role, int peer_certificate) {
  DtlsConfig config;
  config.role = role;
  config.peer_fingerprints = {certificate(peer_certificate)->fingerprint()};
  return config;
}

struct LinkQuality {
  double loss = 0;
  double duplication = 0;
  int64_t max_delay_ms = 0;  // each copy draws its own delay, so more than 0 reorders
};

// Two endpoints and what lies between them.
class Pair {
 public:
  Pair(DtlsConfig server_config, DtlsConfig client_config, LinkQuality quality = {}, uint64_t seed = 1)
      : quality_(quality), random_(seed) {
    server = DtlsEndpoint::create(certificate(0), std::move(server_config));
    client = DtlsEndpoint::create(certificate(1), std::move(client_config));
    CHECK(server != nullptr && client != nullptr);
  }

  // Runs until nothing is left to happen, both are connected, or the time is over.
  void run(uint64_t until_ms = 60'000) {
    client->start(now_ms);
    flush();
    while (now_ms < until_ms) {
      std::optional<uint64_t> next;
      if (!in_flight_.empty()) next = in_flight_.begin()->first;
      for (const DtlsEndpoint* end : {server.get(), client.get()}) {
        const auto at = end->next_timeout_ms();
        if (at && (!next || *at < *next)) next = at;
      }
      if (!next) return;
      now_ms = std::max(now_ms, *next);
      step();
    }
  }

  void flush() {
    send_all(*client, true);
    send_all(*server, false);
  }

  void inject(bool to_server, const Datagram& datagram) {
    (to_server ? *server : *client).receive(datagram, now_ms);
    flush();
  }

  std::unique_ptr<DtlsEndpoint> server;
  std::unique_ptr<DtlsEndpoint> client;
  uint64_t now_ms = 1000;
  std::vector<std::pair<bool, Datagram>> sent;  // true: by the client

 private:
  void step() {
    while (!in_flight_.empty() && in_flight_.begin()->first <= now_ms) {
      const auto [to_server, datagram] = in_flight_.begin()->second;
      in_flight_.erase(in_flight_.begin());
      (to_server ? *server : *client).receive(datagram, now_ms);
      flush();
    }
    for (DtlsEndpoint* end : {server.get(), client.get()}) {
      const auto at = end->next_timeout_ms();
      if (at && *at <= now_ms) end->timeout(now_ms);
    }
    flush();
  }

  void send_all(DtlsEndpoint& from, bool is_client) {
    Datagram datagram;
    while (from.take_datagram(datagram)) {
      CHECK(datagram.size() <= 1200);
      sent.emplace_back(is_client, datagram);
      const int copies = random_.chance(quality_.duplication) ? 2 : 1;
      for (int i = 0; i < copies; ++i) {
        if (random_.chance(quality_.loss)) continue;
        const auto delay = static_cast<uint64_t>(random_.between(1, 1 + quality_.max_delay_ms));
        in_flight_.emplace(now_ms + delay, std::make_pair(is_client, datagram));
      }
    }
  }

  LinkQuality quality_;
  Random random_;
  std::multimap<uint64_t, std::pair<bool, Datagram>> in_flight_;
};

Pair make_pair(LinkQuality quality = {}, uint64_t seed = 1) {
  return {config_for(DtlsRole::kServer, 1), config_for(DtlsRole::kClient, 0), quality, seed};
}

void check_keys_fit(DtlsEndpoint& server, DtlsEndpoint& client, SrtpProfile profile) {
  const auto ours = server.take_srtp_keys();
  const auto theirs = client.take_srtp_keys();
  CHECK(ours && theirs);
  CHECK_EQ(ours->local.profile, profile);
  CHECK_EQ(to_hex(ours->local.key), to_hex(theirs->remote.key));
  CHECK_EQ(to_hex(ours->local.salt), to_hex(theirs->remote.salt));
  CHECK_EQ(to_hex(ours->remote.key), to_hex(theirs->local.key));
  CHECK_EQ(to_hex(ours->remote.salt), to_hex(theirs->local.salt));
  CHECK(to_hex(ours->local.key) != to_hex(ours->remote.key));
  CHECK(!server.take_srtp_keys());

  auto sender = SrtpSendContext::create(ours->local);
  auto receiver = SrtpReceiveContext::create(theirs->remote);
  std::vector<uint8_t> packet = {0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9};
  packet.resize(80);
  const std::vector<uint8_t> payload(30, 0x42);
  const auto result = sender->protect_rtp(packet.data(), 12, packet.size(), payload, 1);
  CHECK(result.ok());
  CHECK(receiver->unprotect_rtp(packet.data(), result.size).ok());
}

}  // namespace

TEST("a handshake in two round trips, with keys on both sides") {
  Pair pair = make_pair();
  CHECK(!pair.server->take_srtp_keys());
  pair.run();
  CHECK_EQ(pair.server->state(), DtlsState::kConnected);
  CHECK_EQ(pair.client->state(), DtlsState::kConnected);
  CHECK_EQ(pair.now_ms, 1004u);  // four flights of one millisecond each, nothing sent twice
  CHECK(!pair.server->next_timeout_ms() && !pair.client->next_timeout_ms());
  check_keys_fit(*pair.server, *pair.client, SrtpProfile::kAeadAes128Gcm);
}

TEST("the server's order of profiles decides, and one profile in common is enough") {
  for (const SrtpProfile profile : kSrtpProfilePreference) {
    auto server = config_for(DtlsRole::kServer, 1);
    auto client = config_for(DtlsRole::kClient, 0);
    std::stable_partition(server.profiles.begin(), server.profiles.end(), [&](auto p) { return p == profile; });
    Pair ordered(server, client);
    ordered.run();
    check_keys_fit(*ordered.server, *ordered.client, profile);

    client.profiles = {profile};
    Pair single(config_for(DtlsRole::kServer, 1), client);
    single.run();
    check_keys_fit(*single.server, *single.client, profile);
  }
}

TEST("RFC 6347 4.2.4: handshakes get through a lossy, reordering, duplicating link, keys fit") {
  int connected = 0;
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    Pair pair = make_pair({.loss = 0.25, .duplication = 0.2, .max_delay_ms = 120}, seed);
    pair.run(32'000);
    if (pair.server->state() != DtlsState::kConnected || pair.client->state() != DtlsState::kConnected) continue;
    ++connected;
    check_keys_fit(*pair.server, *pair.client, SrtpProfile::kAeadAes128Gcm);
  }
  // At a loss of a quarter a few run out of their 30 s.
  CHECK(connected >= 147);
}

TEST("RFC 6347 4.2.4: reordering alone never costs a handshake") {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    Pair pair = make_pair({.loss = 0, .duplication = 0.5, .max_delay_ms = 900}, seed);
    pair.run(31'000);
    CHECK_EQ(pair.server->state(), DtlsState::kConnected);
    CHECK_EQ(pair.client->state(), DtlsState::kConnected);
  }
}

TEST("a small MTU fragments the messages of both sides, and fragments come in any order") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    auto server = config_for(DtlsRole::kServer, 1);
    auto client = config_for(DtlsRole::kClient, 0);
    server.mtu = client.mtu = 256;
    Pair pair(server, client, {.loss = 0.1, .duplication = 0.1, .max_delay_ms = 30}, seed);
    pair.run();
    for (const auto& [by_client, datagram] : pair.sent) CHECK(datagram.size() <= 256);
    CHECK(pair.sent.size() >= 7);
    check_keys_fit(*pair.server, *pair.client, SrtpProfile::kAeadAes128Gcm);
  }
}

TEST("the first retransmission comes after the configured interval and the interval doubles") {
  auto config = config_for(DtlsRole::kClient, 0);
  config.initial_retransmit_ms = 300;
  config.max_retransmit_ms = 1000;
  config.handshake_timeout_ms = 5000;
  auto client = DtlsEndpoint::create(certificate(1), config);
  Datagram first;
  client->start(10'000);
  CHECK(client->take_datagram(first));
  for (const uint64_t at : {10'300u, 10'900u, 11'900u, 12'900u, 13'900u, 14'900u}) {
    CHECK_EQ(*client->next_timeout_ms(), at);
    client->timeout(at - 1);
    Datagram again;
    CHECK(!client->take_datagram(again));
    client->timeout(at);
    CHECK(client->take_datagram(again));
    // The same message in a record with a new number.
    CHECK(again != first);
    CHECK_EQ(to_hex(std::span(again).subspan(13)), to_hex(std::span(first).subspan(13)));
  }
  CHECK_EQ(*client->next_timeout_ms(), 15'000u);
  client->timeout(15'000);
  CHECK_EQ(client->state(), DtlsState::kFailed);
  CHECK_EQ(client->error(), DtlsError::kTimeout);
  CHECK(!client->next_timeout_ms());
}

TEST("a peer that repeats its flight is answered at once, a duplicate made by the network is not") {
  Pair pair = make_pair();
  Datagram hello;
  pair.client->start(0);
  CHECK(pair.client->take_datagram(hello));
  pair.server->receive(hello, 0);
  Datagram answer;
  int flight = 0;
  while (pair.server->take_datagram(answer)) ++flight;
  CHECK(flight > 0);
  pair.server->receive(hello, 5);
  CHECK(!pair.server->take_datagram(answer));
  pair.client->timeout(400);
  CHECK(pair.client->take_datagram(hello));
  pair.server->receive(hello, 401);
  int again = 0;
  while (pair.server->take_datagram(answer)) ++again;
  CHECK_EQ(again, flight);
}

TEST("the client's repeated Finished is answered after the server is done, a duplicate of it is not") {
  Pair pair = make_pair();
  Datagram datagram;
  std::vector<Datagram> last_of_client;
  pair.client->start(0);
  for (int flight = 0; flight < 3; ++flight) {
    DtlsEndpoint& from = flight % 2 == 0 ? *pair.client : *pair.server;
    DtlsEndpoint& to = flight % 2 == 0 ? *pair.server : *pair.client;
    while (from.take_datagram(datagram)) {
      if (flight == 2) last_of_client.push_back(datagram);
      to.receive(datagram, 1);
    }
  }
  CHECK_EQ(pair.server->state(), DtlsState::kConnected);
  while (pair.server->take_datagram(datagram)) {
  }  // the last flight is lost
  CHECK_EQ(pair.client->state(), DtlsState::kHandshaking);
  for (const Datagram& duplicate : last_of_client) pair.server->receive(duplicate, 2);
  CHECK(!pair.server->take_datagram(datagram));
  CHECK_EQ(*pair.client->next_timeout_ms(), 401u);
  pair.client->timeout(401);
  while (pair.client->take_datagram(datagram)) pair.server->receive(datagram, 402);
  CHECK(pair.server->take_datagram(datagram));
  pair.client->receive(datagram, 403);
  CHECK_EQ(pair.client->state(), DtlsState::kConnected);
  CHECK(!pair.server->take_datagram(datagram));
  check_keys_fit(*pair.server, *pair.client, SrtpProfile::kAeadAes128Gcm);
}

TEST("wrong fingerprints fail on the side that knows, and the other side is told") {
  auto server = config_for(DtlsRole::kServer, 0);  // expects another certificate than the client has
  Pair pair(server, config_for(DtlsRole::kClient, 0));
  pair.run();
  CHECK_EQ(pair.server->state(), DtlsState::kFailed);
  CHECK_EQ(pair.server->error(), DtlsError::kWrongFingerprint);
  CHECK(!pair.server->take_srtp_keys());
  CHECK_EQ(pair.client->state(), DtlsState::kFailed);
  CHECK_EQ(pair.client->error(), DtlsError::kPeerAlert);

  Pair other(config_for(DtlsRole::kServer, 1), config_for(DtlsRole::kClient, 1));
  other.run();
  CHECK_EQ(other.client->error(), DtlsError::kWrongFingerprint);
  CHECK_EQ(other.server->state(), DtlsState::kFailed);

  auto empty = config_for(DtlsRole::kServer, 1);
  empty.peer_fingerprints.clear();
  Pair refused(empty, config_for(DtlsRole::kClient, 0));
  refused.run();
  CHECK_EQ(refused.server->error(), DtlsError::kWrongFingerprint);
}

TEST("no common profile is told as such") {
  auto server = config_for(DtlsRole::kServer, 1);
  auto client = config_for(DtlsRole::kClient, 0);
  server.profiles = {SrtpProfile::kAeadAes128Gcm};
  client.profiles = {SrtpProfile::kAes128CmSha1_80};
  Pair pair(server, client);
  pair.run();
  CHECK_EQ(pair.client->state(), DtlsState::kFailed);
  CHECK_EQ(pair.client->error(), DtlsError::kNoCommonProfile);
  CHECK_EQ(pair.server->state(), DtlsState::kFailed);
}

TEST("close_notify ends both sides, a forged one ends nothing") {
  for (const bool client_closes : {true, false}) {
    Pair pair = make_pair();
    pair.run();
    const Datagram plain_alert = {21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 99, 0, 2, 1, 0};
    Datagram forged(13 + 26, 0);
    forged[0] = 21;
    forged[1] = 0xfe;
    forged[2] = 0xfd;
    forged[4] = 1;
    forged[10] = 50;
    forged[12] = 26;
    for (const Datagram& datagram : {plain_alert, forged}) {
      pair.inject(true, datagram);
      pair.inject(false, datagram);
    }
    CHECK_EQ(pair.server->state(), DtlsState::kConnected);
    CHECK_EQ(pair.client->state(), DtlsState::kConnected);
    (client_closes ? pair.client : pair.server)->close(pair.now_ms);
    pair.flush();
    pair.run(pair.now_ms + 100);
    CHECK_EQ(pair.server->state(), DtlsState::kClosed);
    CHECK_EQ(pair.client->state(), DtlsState::kClosed);
  }
}

TEST("garbage is ignored before, in and after the handshake") {
  Random random(5);
  Pair pair = make_pair();
  auto throw_garbage = [&] {
    for (int i = 0; i < 300; ++i) {
      Datagram garbage(random.below(100));
      for (auto& byte : garbage) byte = static_cast<uint8_t>(random.next());
      if (!garbage.empty()) garbage[0] = static_cast<uint8_t>(random.between(20, 63));
      pair.inject(true, garbage);
      pair.inject(false, garbage);
    }
  };
  throw_garbage();
  CHECK_EQ(pair.server->state(), DtlsState::kHandshaking);
  pair.run();
  CHECK_EQ(pair.server->state(), DtlsState::kConnected);
  throw_garbage();
  check_keys_fit(*pair.server, *pair.client, SrtpProfile::kAeadAes128Gcm);
}

TEST("mutated datagrams of a true handshake crash nothing and never connect with a wrong key") {
  Random random(77);
  for (int round = 0; round < 120; ++round) {
    Pair pair = make_pair();
    pair.client->start(0);
    for (int flight = 0; flight < 6; ++flight) {
      DtlsEndpoint& from = flight % 2 == 0 ? *pair.client : *pair.server;
      DtlsEndpoint& to = flight % 2 == 0 ? *pair.server : *pair.client;
      Datagram datagram;
      while (from.take_datagram(datagram)) {
        Datagram mutated = datagram;
        const size_t at = random.below(mutated.size());
        mutated[at] = static_cast<uint8_t>(random.next());
        if (random.chance(0.3)) mutated.resize(random.below(mutated.size()));
        to.receive(mutated, 1);
        if (random.chance(0.5)) to.receive(datagram, 1);
      }
    }
    const auto server_keys = pair.server->take_srtp_keys();
    const auto client_keys = pair.client->take_srtp_keys();
    if (server_keys && client_keys) CHECK_EQ(to_hex(server_keys->local.key), to_hex(client_keys->remote.key));
  }
}

TEST("certificates survive PEM, fingerprints their text, and nonsense is refused") {
  const auto& original = certificate(0);
  const auto copy = DtlsCertificate::from_pem(original->certificate_pem(), original->key_pem());
  CHECK(copy != nullptr);
  CHECK_EQ(copy->fingerprint().colon_hex(), original->fingerprint().colon_hex());
  CHECK(DtlsCertificate::from_pem(original->certificate_pem(), certificate(1)->key_pem()) == nullptr);
  CHECK(DtlsCertificate::from_pem("", "") == nullptr);
  const std::string text = original->fingerprint().colon_hex();
  CHECK_EQ(text.size(), 95u);
  const auto parsed = DtlsFingerprint::parse("SHA-256", text);
  CHECK(parsed && parsed->digest == original->fingerprint().digest && parsed->algorithm == "sha-256");
  CHECK(!DtlsFingerprint::parse("md5", text));
  CHECK(!DtlsFingerprint::parse("sha-512", text));
  CHECK(!DtlsFingerprint::parse("sha-256", text.substr(1)));
  CHECK(!DtlsFingerprint::parse("sha-256", "G" + text.substr(1)));
}

TEST("little stays after the handshake") {
  Pair pair = make_pair();
  pair.run();
  CHECK(pair.server->memory_bytes() < 900);
}
