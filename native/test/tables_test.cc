// Path table, packet history, queues, counters, senders: the engine's parts by themselves.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <map>
#include <set>
#include <thread>

#include "check.h"
#include "parley/engine/packet_history.h"
#include "parley/engine/path_table.h"
#include "parley/engine/queues.h"
#include "parley/net/tcp_server.h"
#include "parley/net/udp_sender.h"

#include <sys/epoll.h>

using namespace parley;
using namespace parley::test;

namespace {

PathAddress random_path(Random& random) {
  PathAddress path;
  path.family = random.chance(0.5) ? 4 : 6;
  path.remote_port = static_cast<uint16_t>(random.below(50));
  path.remote_ip[0] = static_cast<uint8_t>(random.below(3));
  if (path.family == 6) path.remote_ip[15] = static_cast<uint8_t>(random.below(3));
  return path;
}

PacketRef make_packet(PacketPool& pool, int64_t arrival_us) {
  PacketBuffer* buffer = pool.acquire();
  buffer->arrival_us = arrival_us;
  return PacketRef(buffer);
}

}  // namespace

TEST("the path table agrees with a map through random inserts and erasures") {
  Random random(1);
  PathTable table(random.next());
  const auto less = [](const PathAddress& a, const PathAddress& b) { return std::memcmp(&a, &b, sizeof(a)) < 0; };
  std::map<PathAddress, Handle, decltype(less)> model(less);
  for (int step = 0; step < 100'000; ++step) {
    const PathAddress path = random_path(random);
    if (random.chance(0.5)) {
      const Handle peer = 1 + random.below(1000);
      table.insert(path).peer = peer;
      model[path] = peer;
    } else if (random.chance(0.5)) {
      table.erase(path);
      model.erase(path);
    }
    const PathEntry* entry = table.find(path);
    const auto found = model.find(path);
    CHECK_EQ(entry != nullptr, found != model.end());
    if (entry != nullptr) CHECK_EQ(entry->peer, found->second);
    CHECK_EQ(table.size(), model.size());
  }
}

TEST("the history keeps what is young, grows for fast streams, and gives buffers back") {
  PacketPool pool(4096);
  {
    PacketHistory history;
    // 800 packets a second: more than the first capacity.
    for (uint64_t i = 0; i < 3'000; ++i) {
      const int64_t now_us = static_cast<int64_t>(i) * 1'250;
      history.insert(65'536 + i, make_packet(pool, now_us), now_us);
      CHECK(history.contains(65'536 + i));
      if (i >= 700) CHECK(history.contains(65'536 + i - 700));
      if (i >= 1'024) CHECK(!history.contains(65'536 + i - 1'024));
    }
    CHECK(pool.allocated() < 1'200);
    // A late one within reach, one out of reach, and a jump.
    history.insert(65'536 + 2'990, make_packet(pool, 3'750'000), 3'750'000);
    CHECK(history.contains(65'536 + 2'990));
    history.insert(100, make_packet(pool, 3'750'000), 3'750'000);
    CHECK(!history.contains(100));
    history.insert(9'000'000, make_packet(pool, 3'750'000), 3'750'000);
    CHECK(history.contains(9'000'000));
    CHECK(!history.contains(65'536 + 2'990));
  }
  // All are back: the pool hands out what it has without growing.
  const size_t allocated = pool.allocated();
  std::vector<PacketRef> all;
  for (size_t i = 0; i < allocated; ++i) all.push_back(make_packet(pool, 0));
  CHECK_EQ(pool.allocated(), allocated);
}

TEST("the pool has a limit, and takes buffers back from other threads") {
  PacketPool pool(128);
  std::vector<PacketRef> held;
  for (int i = 0; i < 128; ++i) held.push_back(make_packet(pool, 0));
  CHECK(pool.acquire() == nullptr);
  std::thread other([&held] { held.clear(); });
  other.join();
  for (int i = 0; i < 128; ++i) held.push_back(make_packet(pool, 0));
}

TEST("queues between threads lose nothing and keep the order") {
  MpscInbox<std::pair<int, int>> inbox;
  SpscRing<int, 64> ring;
  constexpr int kEach = 20'000;
  std::vector<std::thread> writers;
  for (int w = 0; w < 3; ++w) {
    writers.emplace_back([&inbox, w] {
      for (int i = 0; i < kEach; ++i) inbox.push({w, i});
    });
  }
  writers.emplace_back([&ring] {
    for (int i = 0; i < kEach;) {
      if (ring.push(i)) {
        ++i;
      } else {
        std::this_thread::yield();
      }
    }
  });
  int next[3] = {};
  int taken = 0;
  int next_in_ring = 0;
  bool ordered = true;
  while (taken < 3 * kEach || next_in_ring < kEach) {
    inbox.drain([&](std::pair<int, int>& value) {
      ordered = ordered && value.second == next[value.first]++;
      ++taken;
    });
    int item;
    while (ring.pop(item)) ordered = ordered && item == next_in_ring++;
  }
  for (std::thread& writer : writers) writer.join();
  CHECK(ordered);
  CHECK(inbox.empty() && ring.empty());
}

TEST("the event ring wraps, and drops whole records when full") {
  EventRing ring(256);
  Random random(3);
  std::vector<uint8_t> out;
  uint8_t next = 0;
  uint8_t expected = 0;
  for (int round = 0; round < 2'000; ++round) {
    for (size_t k = random.below(6); k > 0; --k) {
      uint8_t record[60];
      const size_t size = 1 + random.below(sizeof(record));
      std::memset(record, next, size);
      const EventRing::Piece pieces[] = {{record, size / 2}, {record + size / 2, size - size / 2}};
      if (ring.push(pieces, 2)) ++next;
    }
    out.clear();
    ring.drain(out);
    for (size_t at = 0; at < out.size();) {
      uint32_t size;
      std::memcpy(&size, out.data() + at, 4);
      for (uint32_t i = 0; i < size; ++i) CHECK_EQ(out[at + 4 + i], expected);
      ++expected;
      at += 4 + size;
    }
  }
  CHECK_EQ(next, expected);
  const uint8_t big[300] = {};
  const EventRing::Piece piece{big, sizeof(big)};
  CHECK(!ring.push(&piece, 1));
  CHECK(ring.empty());
}

TEST("[MED-4] a sender cuts a message into segments itself when the kernel refuses, and goes on behind a failing message") {
  UdpSocket receiver;
  UdpSocket socket;
  const char* what = "";
  CHECK_EQ(receiver.open({"127.0.0.1", 0, false}, &what), 0);
  CHECK_EQ(socket.open({"127.0.0.1", 0, false}, &what), 0);
  for (const bool segmentation : {true, false}) {
    SendCounters counters;
    UdpSender sender(socket, counters, segmentation && udp_segment_supported());
    PathAddress good = receiver.local();
    good.remote_port = good.local_port;
    std::memcpy(good.remote_ip, good.local_ip, 16);
    // Port 0 is nobody's: the kernel refuses it.
    PathAddress bad = good;
    bad.remote_port = 0;
    for (int round = 0; round < 3; ++round) {
      for (const PathAddress* path : {&bad, &good, &bad, &good}) {
        uint8_t* at = sender.reserve(3'500);
        for (size_t i = 0; i < 3'500; ++i) at[i] = static_cast<uint8_t>(i / 1'000);
        sender.commit(*path, 3'500, 1'000);
      }
      sender.flush();
      size_t sizes[5] = {};
      size_t count = 0;
      uint8_t data[2'000];
      for (ssize_t got; count < 9 && (got = recv(receiver.fd(), data, sizeof(data), MSG_DONTWAIT)) > 0; ++count) {
        CHECK_EQ(data[0], count % 4);
        sizes[count % 4] = static_cast<size_t>(got);
      }
      CHECK_EQ(count, 8u);
      CHECK_EQ(sizes[0], 1'000u);
      CHECK_EQ(sizes[3], 500u);
    }
    CHECK_EQ(counters.datagrams, 24u);
    // One bad receiver must not switch the gain off for all.
    CHECK_EQ(sender.segmentation(), segmentation && udp_segment_supported());
  }
}

namespace {

struct TcpRig final : TcpHandler {
  explicit TcpRig(TcpLimits limits) : epoll(epoll_create1(0)), server(epoll, 1'000'000, *this, limits) {
    const char* what = "";
    if (server.listen("127.0.0.1", 0, 0, &local, &what) != 0) fail(__FILE__, __LINE__, what);
  }
  ~TcpRig() { close(epoll); }
  void on_tcp_frame(const PathAddress& path, const uint8_t* data, size_t size) override {
    frames.emplace_back(data, data + size);
    last = path;
  }
  void on_tcp_closed(const PathAddress&) override { ++closed; }
  int connect_client() {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(local.local_port);
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) fail(__FILE__, __LINE__, "connect");
    return fd;
  }
  void turn(int64_t now_us) {
    epoll_event events[16];
    for (int i = 0; i < 20; ++i) {
      const int ready = epoll_wait(epoll, events, 16, 1);
      for (int k = 0; k < ready; ++k) server.on_event(static_cast<int>(events[k].data.u64 - 1'000'000), events[k].events, now_us);
    }
  }
  int epoll;
  PathAddress local;
  TcpServer server;
  std::vector<std::vector<uint8_t>> frames;
  PathAddress last;
  int closed = 0;
};

}  // namespace

TEST("[MED-4] TCP frames come whole however the bytes come; an oversized frame ends the connection") {
  TcpRig rig({});
  const int fd = rig.connect_client();
  Random random(5);
  std::vector<uint8_t> stream;
  std::vector<size_t> sizes;
  for (int i = 0; i < 40; ++i) {
    sizes.push_back(1 + random.below(1'500));
    stream.push_back(static_cast<uint8_t>(sizes.back() >> 8));
    stream.push_back(static_cast<uint8_t>(sizes.back()));
    stream.insert(stream.end(), sizes.back(), static_cast<uint8_t>(i));
  }
  for (size_t at = 0; at < stream.size();) {
    const size_t piece = std::min<size_t>(1 + random.below(3'000), stream.size() - at);
    CHECK_EQ(send(fd, stream.data() + at, piece, 0), static_cast<ssize_t>(piece));
    at += piece;
    rig.turn(1);
  }
  CHECK_EQ(rig.frames.size(), 40u);
  for (size_t i = 0; i < 40; ++i) CHECK_EQ(rig.frames[i].size(), sizes[i]);
  const uint8_t oversized[2] = {0xff, 0xff};
  CHECK_EQ(send(fd, oversized, 2, 0), 2);
  rig.turn(2);
  CHECK_EQ(rig.closed, 1);
  CHECK_EQ(rig.server.connections(), 0u);
  close(fd);
}

TEST("[MED-4] TCP limits: idle connections, silent strangers, full queues, stuck readers") {
  TcpLimits limits;
  limits.idle_per_address = 3;
  limits.write_queue_bytes = 100'000;
  TcpRig rig(limits);
  std::vector<int> fds;
  for (int i = 0; i < 5; ++i) fds.push_back(rig.connect_client());
  rig.turn(1);
  CHECK_EQ(rig.server.connections(), 3u);
  CHECK_EQ(rig.server.counters().refused, 2u);
  const uint8_t frame[4] = {0, 2, 1, 2};
  CHECK_EQ(send(fds[0], frame, 4, 0), 4);
  rig.turn(2);
  const uint32_t connection = rig.last.connection;
  rig.server.adopt(connection);
  rig.server.sweep(11'000'000);
  CHECK_EQ(rig.server.connections(), 1u);
  CHECK_EQ(rig.closed, 2);
  // It does not read: the queue fills, frames are dropped, and at last the connection goes.
  std::vector<uint8_t> packet(1'200, 9);
  size_t dropped = 0;
  for (int i = 0; i < 20'000; ++i) dropped += rig.server.send(connection, packet.data(), packet.size()) ? 0 : 1;
  CHECK(dropped > 0);
  CHECK_EQ(rig.server.counters().dropped_frames, dropped);
  rig.server.sweep(40'000'000);
  CHECK_EQ(rig.server.connections(), 0u);
  for (const int fd : fds) close(fd);
}
