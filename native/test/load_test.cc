#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "parley/load/core_distance.h"
#include "parley/load/fan_out_watch.h"
#include "parley/load/floor_relay.h"
#include "parley/load/latency_histogram.h"
#include "parley/load/load_inbox.h"
#include "parley/load/load_pattern.h"
#include "parley/load/load_peer.h"
#include "parley/load/load_schedule.h"
#include "parley/net/path_address.h"

using namespace parley;
using namespace parley::test;

TEST("the camera's pattern: 1.5 Mb/s, 5 to 6 packets of one size and the last longer, within half a millisecond") {
  const LoadPattern pattern = make_load_pattern(LoadProfile::kBurst);
  uint64_t bytes = 0, video = 0, audio = 0;
  int64_t last = 0, frame_begun = 0;
  uint16_t size = 0;
  uint64_t in_frame = 0;
  for (const auto& p : pattern.packets) {
    CHECK(p.at_us >= last && p.at_us < pattern.length_us);
    last = p.at_us;
    bytes += p.payload_size + 40u;
    audio += p.audio;
    if (p.audio) continue;
    ++video;
    in_frame = p.first_of_frame ? 1 : in_frame + 1;
    if (p.first_of_frame) {
      frame_begun = p.at_us;
      size = p.payload_size;
    }
    CHECK(p.at_us - frame_begun <= 500);
    CHECK_EQ(p.payload_size, size + (p.last_of_frame ? 1 : 0));
    if (p.last_of_frame) CHECK(in_frame == 5 || in_frame == 6);
  }
  const double seconds = static_cast<double>(pattern.length_us) / 1e6;
  CHECK_EQ(audio, 200u);
  const double rate = static_cast<double>(video + audio) / seconds;
  CHECK(rate > 195 && rate < 225);
  const double bitrate = static_cast<double>(bytes) * 8 / seconds;
  CHECK(bitrate > 1.4e6 && bitrate < 1.65e6);
}

TEST("the spread pattern has its video packets half a millisecond apart, and the same sizes") {
  const LoadPattern burst = make_load_pattern(LoadProfile::kBurst);
  const LoadPattern spread = make_load_pattern(LoadProfile::kSpread);
  CHECK_EQ(burst.packets.size(), spread.packets.size());
  int64_t last = -1'000'000;
  std::vector<uint16_t> a, b;
  for (const auto& p : burst.packets) {
    if (!p.audio) a.push_back(p.payload_size);
  }
  for (const auto& p : spread.packets) {
    if (p.audio) continue;
    b.push_back(p.payload_size);
    CHECK(p.at_us - last >= 500);
    last = p.at_us;
  }
  CHECK(a == b);
}

TEST("percentiles of the latency histogram") {
  LatencyHistogram histogram;
  CHECK_EQ(histogram.percentile_us(0.5), 0);
  for (int i = 1; i <= 1000; ++i) histogram.add(i * 10 - 1);
  CHECK_EQ(histogram.percentile_us(0.5), 5'010);
  CHECK_EQ(histogram.percentile_us(0.99), 9'910);
  histogram.add(10'000'000);
  histogram.add(-5);
  CHECK_EQ(histogram.count(), 1002u);
  histogram.clear();
  CHECK_EQ(histogram.percentile_us(0.99), 0);
}

TEST("a camera at another pace sends the same frames in another time") {
  for (const double pace : {0.1, 2.0, 8.0}) {
    for (const LoadProfile profile : {LoadProfile::kBurst, LoadProfile::kSpread}) {
      const LoadPattern normal = make_load_pattern(profile);
      const LoadPattern pattern = make_load_pattern(profile, pace);
      CHECK_EQ(pattern.packets.size(), normal.packets.size());
      CHECK_EQ(pattern.length_us, static_cast<int64_t>(static_cast<double>(normal.length_us) / pace));
      uint64_t bytes = 0, bytes_normal = 0;
      int64_t last = 0;
      for (size_t i = 0; i < pattern.packets.size(); ++i) {
        bytes += pattern.packets[i].payload_size;
        bytes_normal += normal.packets[i].payload_size;
        CHECK(pattern.packets[i].at_us >= last && pattern.packets[i].at_us < pattern.length_us);
        CHECK(pattern.packets[i].frame_us <= pattern.packets[i].at_us);
        last = pattern.packets[i].at_us;
      }
      CHECK_EQ(bytes, bytes_normal);
    }
  }
}

TEST("fan-out: the last viewer of a packet counts, and from the first to the last send of a frame") {
  FanOutWatch watch;
  CHECK(!watch.on());
  watch.begin(3);
  LoadStamp stamp{1'000'000, 7, 0, 1, 2};
  uint8_t bytes[LoadStamp::kSize];
  stamp.write(bytes);
  stamp = LoadStamp::read(bytes);
  for (const int64_t at : {1'000'100, 1'000'700, 1'000'300}) watch.on_packet(stamp, at);
  CHECK_EQ(watch.last().count(), 1u);
  CHECK_EQ(watch.last().max_us(), 700);
  CHECK_EQ(watch.frame().count(), 0u);
  stamp.packet = 1;
  for (const int64_t at : {1'000'900, 1'000'800, 1'001'000}) watch.on_packet(stamp, at);
  CHECK_EQ(watch.last().count(), 2u);
  CHECK_EQ(watch.frame().count(), 1u);
  CHECK_EQ(watch.frame().max_us(), 900);
  // Another camera's packets of the same numbers are others; audio is no frame.
  stamp = {1'000'000, 8, 0, 1, 0};
  for (const int64_t at : {1'000'010, 1'000'020, 1'000'030}) watch.on_packet(stamp, at);
  CHECK_EQ(watch.last().count(), 3u);
  CHECK_EQ(watch.frame().count(), 1u);
  // One that a viewer did not get first hand is told apart when its place is needed.
  stamp.packet = 1;
  watch.on_packet(stamp, 1'000'010);
  CHECK_EQ(watch.incomplete(), 0u);
  stamp.packet = 1 + 4096;
  watch.on_packet(stamp, 1'000'010);
  CHECK_EQ(watch.incomplete(), 1u);
  CHECK_EQ(watch.last().count(), 3u);
}

TEST("the floor of meetings: what a camera sends comes to all others of its meeting, and to nobody else") {
  // Three meetings of three.
  FloorRelay relay;
  const uint16_t port = relay.open("127.0.0.1", 3, 3);
  CHECK(port != 0);
  sockaddr_in to = floor_addresses("127.0.0.1", {port}).front();
  std::vector<int> sinks;
  std::vector<uint16_t> ports;
  for (int i = 0; i < 9; ++i) {
    uint16_t own = 0;
    sinks.push_back(open_floor_socket("127.0.0.1", own));
    ports.push_back(own);
    CHECK_EQ(connect(sinks.back(), reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
  }
  FloorRelayOptions options;
  options.duration_us = 300'000;
  for (const FloorWait wait : {FloorWait::kSchedule, FloorWait::kArrival}) {
    options.wait = wait;
    CHECK(relay.start(ports, options));
    CHECK(!relay.start(ports, options));
    const FloorResult result = relay.finish();
    CHECK(result.offered > 400);
    CHECK_EQ(result.received, result.offered);
    CHECK_EQ(result.errors, 0u);
    // A frame that was not whole at the end was not sent.
    CHECK(result.datagrams <= result.received * 2 && result.datagrams > result.received * 2 - 9 * 2 * 6);
    CHECK(result.messages < result.datagrams);
    CHECK(result.cpu_us > 0);
    uint64_t came = 0;
    for (size_t i = 0; i < sinks.size(); ++i) {
      uint8_t bytes[2048];
      ssize_t size = 0;
      while ((size = recv(sinks[i], bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
        ++came;
        const uint32_t camera = load32(bytes);
        CHECK(camera / 3 == i / 3 && camera != i);
      }
    }
    CHECK_EQ(came, result.datagrams);
  }
  // Nobody to send to: it only receives.
  CHECK(relay.start({}, options));
  const FloorResult received = relay.finish();
  CHECK_EQ(received.datagrams, 0u);
  CHECK_EQ(received.received, received.offered);
  for (const int fd : sinks) close(fd);
}

namespace {

// A viewer that looks at nothing: only its socket counts.
class SocketPeer final : public LoadPeer {
 public:
  explicit SocketPeer(uint64_t seed) : LoadPeer(DtlsCertificate::generate(), {"ufrag", "password-of-this-side-000", {}, false}, seed) {}

 protected:
  void on_rtp(std::span<uint8_t>, const RtpHeader&, int64_t, int64_t, size_t) override {}
  void on_rtcp(const RtcpPacket&, int64_t) override {}
  void on_media_tick(int64_t) override {}
  int64_t media_due_us() const override { return 0; }
};

struct Ticked {
  int64_t due = 0;
  size_t ticks = 0;
  int64_t due_us() const { return due; }
  void on_tick(int64_t now_us) {
    ++ticks;
    due = now_us + 100;
  }
};

}  // namespace

TEST("the inbox takes what sockets have as far as there is room, and hands it over in order, a run of one peer at a time") {
  uint16_t port = 0;
  const int server = open_floor_socket("127.0.0.1", port);
  CHECK(server >= 0);
  SocketPeer first(1), second(2);
  sockaddr_in addresses[2];
  SocketPeer* const peers[] = {&first, &second};
  for (size_t i = 0; i < 2; ++i) {
    CHECK_EQ(peers[i]->connect({"127.0.0.1", port, "server", "password-of-the-server-00", {}}, 0), 0);
    uint8_t check[1500];
    socklen_t length = sizeof(addresses[i]);
    CHECK(recvfrom(server, check, sizeof(check), 0, reinterpret_cast<sockaddr*>(&addresses[i]), &length) > 0);
  }
  const auto send_to = [&](size_t peer, int count) {
    const uint8_t datagram[40] = {0xff};
    for (int i = 0; i < count; ++i) {
      CHECK_EQ(sendto(server, datagram, sizeof(datagram), 0, reinterpret_cast<sockaddr*>(&addresses[peer]), sizeof(addresses[peer])), 40);
    }
  };
  LoadInbox inbox(4);
  CHECK(inbox.deliver() == nullptr);
  send_to(0, 3);
  send_to(1, 2);
  CHECK_EQ(inbox.take(first, 1), 3u);
  CHECK_EQ(inbox.take(second, 1), 1u);
  CHECK_EQ(inbox.room(), 0u);
  CHECK_EQ(inbox.take(second, 1), 0u);
  CHECK(inbox.deliver() == &first);
  CHECK(inbox.deliver() == &second);
  CHECK(inbox.empty());
  CHECK_EQ(inbox.room(), 4u);
  CHECK_EQ(inbox.take(second, 2), 1u);
  send_to(0, 1);
  CHECK_EQ(inbox.take(first, 2), 1u);
  inbox.forget(second);
  CHECK(inbox.deliver() == &first);
  CHECK(inbox.deliver() == nullptr);
  ::close(server);
}

TEST("the schedule ticks who is due, and forgets who has gone") {
  LoadSchedule<Ticked> schedule;
  Ticked a, b, c;
  for (Ticked* each : {&a, &b, &c}) schedule.add(*each);
  schedule.tick(1'000);
  CHECK(a.ticks == 1 && b.ticks == 1 && c.ticks == 1);
  schedule.tick(1'050);
  CHECK_EQ(a.ticks + b.ticks + c.ticks, 3u);
  b.due = 1'060;
  schedule.renew(b);
  schedule.tick(1'060);
  CHECK(a.ticks == 1 && b.ticks == 2 && c.ticks == 1);
  schedule.remove(a);
  schedule.remove(a);
  schedule.tick(2'000);
  CHECK(a.ticks == 1 && b.ticks == 3 && c.ticks == 2);
  c.due = 0;
  schedule.renew(c);
  schedule.remove(b);
  schedule.tick(2'001);
  CHECK(b.ticks == 3 && c.ticks == 3);
}

TEST("the distance of two cores is that of memory, not of a clock or a scheduler; one core has none") {
  cpu_set_t before;
  CHECK_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
  if (CPU_COUNT(&before) >= 2) {
    // 0: something else ran there. It does not for ever.
    double ns = 0;
    for (int i = 0; i < 100 && ns == 0; ++i) ns = core_distance_ns();
    CHECK(ns > 1 && ns < 5'000);
  }
  cpu_set_t one;
  CPU_ZERO(&one);
  for (int core = 0; CPU_COUNT(&one) == 0; ++core) {
    if (CPU_ISSET(core, &before)) CPU_SET(core, &one);
  }
  CHECK_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  CHECK_EQ(core_distance_ns(), 0.0);
  CHECK_EQ(sched_setaffinity(0, sizeof(before), &before), 0);
}
