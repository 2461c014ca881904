// What one peer, or a stranger who overheard one, must not be able to do to others.
#include "check.h"
#include "engine_pair.h"
#include "engine_rig.h"
#include "parley/engine/check_guard.h"
#include "parley/engine/rate_budget.h"

using namespace parley;
using namespace parley::test;

TEST("a budget is full at first, empties, and fills at its rate, slow or fast asked") {
  RateBudget budget;
  int taken = 0;
  for (int i = 0; i < 100; ++i) taken += budget.take(1'000'000, 10, 40);
  CHECK_EQ(taken, 40);
  CHECK(!budget.take(1'050'000, 10, 40));
  CHECK(budget.take(1'100'000, 10, 40));
  CHECK(!budget.take(1'100'000, 10, 40));
  taken = 0;
  for (int64_t now = 1'100'000; now < 3'100'000; now += 1'000) taken += budget.take(now, 10, 40);
  CHECK(taken >= 19 && taken <= 20);
  taken = 0;
  for (int i = 0; i < 100; ++i) taken += budget.take(900'000'000'000, 10, 40);
  CHECK_EQ(taken, 40);
}

TEST("a transaction is remembered with its address: again from there is a repetition, from elsewhere a replay") {
  SeenChecks seen;
  Random random(7);
  for (int round = 0; round < 1'000; ++round) {
    const uint64_t transaction = random.next();
    const uint64_t here = random.next();
    const uint64_t elsewhere = random.next();
    CHECK(!seen.replayed(transaction, here));
    seen.note(transaction, here);
    CHECK(!seen.replayed(transaction, here));
    CHECK(seen.replayed(transaction, elsewhere));
    CHECK(!seen.replayed(random.next(), elsewhere));
  }
}

TEST("a flood with one genuine ufrag goes up within its budget, and somebody else's first check at once") {
  Rig rig;
  Client flooded(rig);
  Client newcomer(rig);
  rig.peers.clear();  // nobody answers
  flooded.open_socket("127.0.0.1", false);
  newcomer.open_socket("127.0.0.1", false);
  for (int i = 0; i < 3'000; ++i) {
    flooded.send_check(true);
    if (i % 100 == 99) rig.run_for(1);
  }
  const auto told = [&rig](const Client& client) {
    size_t count = 0;
    for (const Event& event : rig.events) {
      const auto view = event.type == EventType::kStun ? parse_stun(event.datagram) : std::nullopt;
      count += view && view->local_ufrag() == client.ice.local_ufrag;
    }
    return count;
  };
  rig.run_for(20);
  CHECK(told(flooded) >= 40 && told(flooded) <= 60);
  newcomer.send_check(true);
  rig.until("the newcomer's check", [&] { return told(newcomer) == 1; });
  CHECK(rig.counter(plane_field::kEventsDropped) >= 2'000);
}

TEST("a valid check said again from another address draws nothing there, whether it made a path or kept one alive") {
  Rig rig;
  Pair pair(rig);
  pair.send_frame(true, 1);
  pair.receive_until(1);
  rig.run_for(5);
  const auto overheard = [&](bool nominate) {
    BindingRequest request;
    for (uint8_t& byte : request.transaction_id) byte = static_cast<uint8_t>(rig.random.next());
    const std::string username = pair.subscriber.ice.local_ufrag + ":" + pair.subscriber.ice.remote_ufrag;
    request.username = username;
    request.priority = 1;
    request.use_candidate = nominate;
    std::vector<uint8_t> out(kStunMaxWrite);
    out.resize(write_binding_request(request, StunKey(pair.subscriber.ice.local_password), out.data()));
    return out;
  };
  // On a known path the data plane answers by itself.
  const std::vector<uint8_t> kept = overheard(true);
  pair.subscriber.send_raw(kept.data(), kept.size());
  rig.run_for(10);
  // A path that is made: it goes up.
  Client roamed(rig);
  roamed.ice = pair.subscriber.ice;
  roamed.open_socket("127.0.0.1", false);
  const std::vector<uint8_t> made = overheard(true);
  rig.select_new_paths = false;
  rig.events.clear();
  roamed.send_raw(made.data(), made.size());
  rig.until("the check of a new path", [&] { return !rig.events.empty(); });
  rig.run_for(5);

  Client thief(rig);
  thief.open_socket("127.0.0.1", false);
  rig.events.clear();
  const double before = rig.counter(plane_field::kReplayed);
  for (const auto& said : {kept, made}) thief.send_raw(said.data(), said.size());
  rig.until("both are counted", [&] { return rig.counter(plane_field::kReplayed) == before + 2; });
  CHECK(rig.events.empty());
  pair.send_frame(false, 2);
  pair.receive_until(3);
}

TEST("DTLS, nominations and BYE of one peer go up within its budget") {
  Rig rig;
  Pair pair(rig);
  pair.send_frame(true, 1);
  pair.receive_until(1);
  rig.events.clear();
  const uint8_t garbage[30] = {22, 1, 2, 3};
  for (int i = 0; i < 2'000; ++i) {
    pair.subscriber.send_raw(garbage, sizeof(garbage));
    if (i % 100 == 99) rig.run_for(1);
  }
  for (int i = 0; i < 500; ++i) {
    pair.publisher.send_rtcp([](RtcpWriter& writer) {
      const uint32_t ssrcs[] = {kPublisherSsrc};
      writer.bye(ssrcs);
    });
    if (i % 50 == 49) rig.run_for(1);
  }
  rig.run_for(20);
  size_t dtls = 0;
  size_t ends = 0;
  for (const Event& event : rig.events) {
    dtls += event.type == EventType::kDtls;
    ends += event.type == EventType::kTrackEnded;
  }
  CHECK(dtls >= 200 && dtls <= 230);
  CHECK_EQ(ends, size_t{1});
}

TEST("a publisher that begins its stream anew with every packet is held to its budget") {
  Rig rig;
  Pair pair(rig);
  pair.send_frame(true, 1);
  pair.receive_until(1);
  const std::vector<uint8_t> key = vp8(200, true, true, 1, 1);
  for (uint32_t i = 0; i < 2'000; ++i) {
    pair.publisher.send_rtp(kVp8, static_cast<uint16_t>(i), i * 3'000, 0x50000 + i, "v", key);
    if (i % 50 == 49) rig.run_for(1);
  }
  rig.run_for(50);
  size_t begun = 0;
  for (const Event& event : rig.events) begun += event.type == EventType::kSsrc;
  CHECK(begun >= 40 && begun <= 80);
}
