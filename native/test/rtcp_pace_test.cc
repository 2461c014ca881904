// When reports are read, and which socket the kernel puts it into.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <vector>

#include "check.h"
#include "parley/engine/rtcp_pace.h"
#include "parley/net/udp_socket.h"
#include "parley/net/udp_steering.h"

using namespace parley;
using namespace parley::test;

namespace {

// Reads whenever something came (or by the clock, when it is timed), one datagram each `gap_us`; returns the reads.
size_t play(RtcpPace& pace, int64_t& now_us, int64_t gap_us, size_t datagrams) {
  size_t reads = 0;
  size_t waiting = 0;
  int64_t next_us = now_us + gap_us;
  for (size_t come = 0; come < datagrams;) {
    now_us = pace.timed() && pace.due_us() < next_us ? std::max(now_us, pace.due_us()) : next_us;
    if (now_us >= next_us) {
      ++waiting;
      ++come;
      next_us += gap_us;
    }
    if (pace.timed() && now_us < pace.due_us()) continue;
    pace.on_read(now_us, waiting, waiting);
    waiting = 0;
    ++reads;
  }
  return reads;
}

// What of `sockets` has something to read, or -1.
int readable(const std::vector<UdpSocket>& sockets) {
  std::vector<pollfd> polled;
  for (const UdpSocket& socket : sockets) polled.push_back({socket.fd(), POLLIN, 0});
  if (poll(polled.data(), polled.size(), 2'000) != 1) return -1;
  for (size_t i = 0; i < polled.size(); ++i) {
    if (polled[i].revents == 0) continue;
    uint8_t buffer[64];
    (void)!recv(polled[i].fd, buffer, sizeof(buffer), 0);
    return static_cast<int>(i);
  }
  return -1;
}

void check_steering(const char* ip, uint8_t family, size_t workers) {
  std::vector<UdpSocket> sockets(workers * 2);
  uint16_t port = 0;
  const char* what = "";
  for (UdpSocket& socket : sockets) {
    CHECK_EQ(socket.open({ip, port, true}, &what), 0);
    port = socket.local().local_port;
  }
  if (!steer_reports(sockets[0].fd(), family, workers, 12345)) return;  // a kernel without the option
  sockaddr_storage address;
  socklen_t length;
  CHECK(parse_sockaddr(ip, port, &address, &length));
  std::vector<bool> used(workers);
  for (int client = 0; client < 40; ++client) {
    const int fd = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), length), 0);
    const auto to = [&](std::initializer_list<uint8_t> bytes) {
      CHECK_EQ(send(fd, bytes.begin(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
      return readable(sockets);
    };
    // Media, its first and last payload types, DTLS, and what is nothing.
    const int media = to({0x80, 96, 0, 1});
    CHECK(media >= 0 && media % 2 == 0);
    for (const uint8_t second : {uint8_t{0}, uint8_t{127}, uint8_t{191}, uint8_t{224}, uint8_t{255}}) {
      CHECK_EQ(to({0xbf, second, 0, 1}), media);
    }
    // An answer to a check, an indication; the check itself waits for company with what is reported.
    CHECK_EQ(to({0x01, 0x01, 0, 0}), media);
    CHECK_EQ(to({0x00, 0x11, 0, 0}), media);
    CHECK_EQ(to({0x00, 0x01, 0, 0}), media + 1);
    CHECK_EQ(to({0x00, 0x01}), media + 1);
    CHECK_EQ(to({22, 254, 253, 0}), media);
    CHECK_EQ(to({0xc8, 200, 0, 0}), media);
    // What is reported: the other socket of the same worker. Transport-wide feedback and REMB among it.
    for (const uint8_t second : {uint8_t{192}, uint8_t{200}, uint8_t{204}, uint8_t{207}, uint8_t{223}}) {
      CHECK_EQ(to({0x80, second, 0, 1}), media + 1);
    }
    for (const uint8_t first : {uint8_t{0xa0}, uint8_t{0x81}, uint8_t{0x9f}}) CHECK_EQ(to({first, 201, 0, 1}), media + 1);
    for (const uint8_t second : {uint8_t{205}, uint8_t{206}}) CHECK_EQ(to({0x80 | 15, second, 0, 1}), media + 1);
    CHECK_EQ(to({0xaf, 205, 0, 1}), media + 1);
    // What is asked for: NACK, PLI, FIR and what nobody knows.
    CHECK_EQ(to({0x81, 205, 0, 1}), media);
    CHECK_EQ(to({0xa1, 205, 0, 1}), media);
    for (const uint8_t format : {uint8_t{1}, uint8_t{4}, uint8_t{14}, uint8_t{31}}) {
      CHECK_EQ(to({static_cast<uint8_t>(0x80 | format), 206, 0, 1}), media);
    }
    used[static_cast<size_t>(media) / 2] = true;
    close(fd);
  }
  for (const bool each : used) CHECK(each);
}

}  // namespace

TEST("few reports are read at once, each time") {
  RtcpPace pace;
  int64_t now = 5'000'000;
  CHECK_EQ(play(pace, now, 20'000, 200), 200u);
  CHECK(!pace.timed());
}

TEST("a thousand datagrams a second are read some 60 times, none waits over 16 ms, and silence ends it") {
  RtcpPace pace;
  int64_t now = 5'000'000;
  const size_t reads = play(pace, now, 1'000, 1'000);
  CHECK(pace.timed());
  CHECK(reads <= 120);
  CHECK(pace.due_us() - now <= RtcpPace::kMaxStepUs);
  for (int i = 0; i < 10 && pace.timed(); ++i) {
    now = pace.due_us();
    pace.on_read(now, 0, 0);
  }
  CHECK(!pace.timed());
}

TEST("many more are read oftener, in batches that media need not wait long for") {
  RtcpPace pace;
  int64_t now = 5'000'000;
  play(pace, now, 1'000, 100);
  play(pace, now, 20, 20'000);
  CHECK(pace.due_us() - now <= static_cast<int64_t>(RtcpPace::kMore) * 20);
}

TEST("checks alone, as of somebody who joins, are read at once however fast they come") {
  RtcpPace pace;
  int64_t now = 5'000'000;
  for (int i = 0; i < 100; ++i) CHECK(!pace.on_read(now += 3'000, 1, 0));
  CHECK(!pace.timed());
}

TEST("among many reports checks are read within 2 ms while they are awaited, and later with the reports") {
  RtcpPace pace;
  int64_t now = 5'000'000;
  play(pace, now, 1'000, 1'000);
  CHECK(pace.timed());
  const int64_t until_us = now + RtcpPace::kAwaitedUs;
  pace.on_awaited(now, until_us);
  while (now < until_us) {
    CHECK(pace.due_us() - now <= RtcpPace::kAwaitedStepUs);
    now = std::max(now, pace.due_us());
    pace.on_read(now, 3, 2);
  }
  for (int i = 0; i < 8; ++i) pace.on_read(now = std::max(now, pace.due_us()), 3, 2);
  CHECK_EQ(pace.due_us() - now, RtcpPace::kMaxStepUs);
}

TEST("the kernel puts reports and checks into the second socket of the sender's worker, requests and all else into the first") {
  check_steering("127.0.0.1", 4, 1);
  check_steering("127.0.0.1", 4, 3);
  check_steering("::1", 6, 1);
  check_steering("::1", 6, 2);
}

TEST("a datagram that lay in a socket with time stamps says for how long") {
  UdpSocket socket;
  const char* what = "";
  CHECK_EQ(socket.open({"127.0.0.1", 0, false, true}, &what), 0);
  sockaddr_storage address;
  socklen_t length;
  CHECK(parse_sockaddr("127.0.0.1", socket.local().local_port, &address, &length));
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  CHECK_EQ(sendto(fd, "x", 1, 0, reinterpret_cast<sockaddr*>(&address), length), 1);
  poll(nullptr, 0, 20);
  PacketPool pool(64);
  UdpReceiver receiver(pool, 0);
  CHECK_EQ(receiver.receive(socket, 0), 1u);
  CHECK(receiver.waited_us(0) >= 19'000);
  close(fd);
}

TEST("more datagrams than a batch, kept and given back in turns, all arrive whole") {
  UdpSocket socket;
  const char* what = "";
  CHECK_EQ(socket.open({"127.0.0.1", 0, false}, &what), 0);
  sockaddr_storage address;
  socklen_t length;
  CHECK(parse_sockaddr("127.0.0.1", socket.local().local_port, &address, &length));
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  PacketPool pool(1'024);
  UdpReceiver receiver(pool, 0);
  uint32_t sent = 0;
  uint32_t got = 0;
  std::vector<PacketBuffer*> kept;
  for (const size_t count : {1, 3, 64, 2, 100, 7}) {
    for (size_t i = 0; i < count; ++i, ++sent) {
      std::vector<uint8_t> bytes(4 + sent % 50, static_cast<uint8_t>(sent));
      std::memcpy(bytes.data(), &sent, 4);
      CHECK(sendto(fd, bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&address), length) > 0);
    }
    for (size_t n = receiver.receive(socket, 0); n > 0; n = receiver.receive(socket, 0)) {
      for (size_t i = 0; i < n; ++i, ++got) {
        const PacketBuffer& packet = *receiver.packet(i);
        uint32_t number;
        std::memcpy(&number, packet.storage, 4);
        CHECK_EQ(number, got);
        CHECK_EQ(packet.length, 4 + got % 50);
        if (got % 3 == 0) kept.push_back(receiver.take(i));
        if (got % 3 == 1) {
          PacketBuffer* back = receiver.take(i);
          back->offset = 2;
          receiver.put_back(i, back);
        }
      }
    }
  }
  CHECK_EQ(got, sent);
  for (PacketBuffer* each : kept) pool.give_back(each);
  close(fd);
}
