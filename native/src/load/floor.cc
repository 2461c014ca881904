#include "parley/load/floor.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "parley/load/floor_batch.h"
#include "parley/load/load_peer.h"
#include "parley/net/path_address.h"

namespace parley {

int64_t floor_thread_cpu_us() {
  rusage usage;
  getrusage(RUSAGE_THREAD, &usage);
  const auto us = [](const timeval& t) { return int64_t{t.tv_sec} * 1'000'000 + t.tv_usec; };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

void floor_sleep_until(int64_t us) {
  timespec t{static_cast<time_t>(us / 1'000'000), static_cast<long>(us % 1'000'000 * 1'000)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, nullptr);
}

FloorSender::~FloorSender() {
  if (thread_.joinable()) thread_.join();
  if (fd_ >= 0) ::close(fd_);
}

int open_floor_socket(const std::string& ip, uint16_t& port) {
  sockaddr_storage address;
  socklen_t length = 0;
  if (!parse_sockaddr(ip, 0, &address, &length) || address.ss_family != AF_INET) return -1;
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  // As the data plane has it: no route look-up for path MTU, large buffers.
  const int probe = IP_PMTUDISC_PROBE;
  setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &probe, sizeof(probe));
  const int bytes = 4 * 1024 * 1024;
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    ::close(fd);
    return -1;
  }
  port = ntohs(reinterpret_cast<sockaddr_in*>(&address)->sin_port);
  return fd;
}

std::vector<sockaddr_in> floor_addresses(const std::string& ip, const std::vector<uint16_t>& ports) {
  sockaddr_storage any;
  socklen_t length = 0;
  parse_sockaddr(ip, 0, &any, &length);
  std::vector<sockaddr_in> addresses(ports.size());
  for (size_t i = 0; i < ports.size(); ++i) {
    addresses[i] = *reinterpret_cast<sockaddr_in*>(&any);
    addresses[i].sin_port = htons(ports[i]);
  }
  return addresses;
}

uint16_t FloorSender::open(const std::string& ip) {
  if (fd_ >= 0) ::close(fd_);
  uint16_t port = 0;
  fd_ = open_floor_socket(ip, port);
  ip_ = ip;
  return fd_ < 0 ? 0 : port;
}

bool FloorSender::start(std::vector<uint16_t> ports, LoadProfile profile, double pace, FloorMode mode, uint16_t overhead, int64_t duration_us) {
  if (fd_ < 0 || running() || ports.empty()) return false;
  if (thread_.joinable()) thread_.join();
  running_.store(true, std::memory_order_release);
  thread_ = std::thread([this, ports = std::move(ports), pattern = make_load_pattern(profile, pace), mode, overhead, duration_us]() mutable {
    run(std::move(ports), std::move(pattern), mode, overhead, duration_us);
    running_.store(false, std::memory_order_release);
  });
  return true;
}

FloorResult FloorSender::finish() {
  if (thread_.joinable()) thread_.join();
  return result_;
}

void FloorSender::run(std::vector<uint16_t> ports, LoadPattern pattern, FloorMode mode, uint16_t overhead, int64_t duration_us) {
  prctl(PR_SET_TIMERSLACK, 1'000);
  result_ = {};
  std::vector<sockaddr_in> addresses = floor_addresses(ip_, ports);
  std::vector<uint8_t> bytes(65'536, 0x5a);
  FloorBatch batch(fd_, result_);
  const bool whole_frames = pattern.profile == LoadProfile::kBurst;
  const int64_t cpu_before = floor_thread_cpu_us();
  const int64_t begun = load_monotonic_us();
  size_t next = 0;
  int64_t round_us = begun;
  for (;;) {
    // The packets that are there at once: a frame of a burst, else one.
    size_t end = next + 1;
    if (whole_frames && !pattern.packets[next].audio) {
      while (end < pattern.packets.size() && !pattern.packets[end].first_of_frame) ++end;
    }
    const int64_t due = round_us + pattern.packets[end - 1].at_us;
    if (due - begun >= duration_us) break;
    floor_sleep_until(due);
    for (auto& to : addresses) {
      for (size_t i = next; i < end;) {
        const size_t size = pattern.packets[i].payload_size + size_t{overhead};
        if (mode == FloorMode::kSendto) {
          const bool ok = sendto(fd_, bytes.data(), size, 0, reinterpret_cast<sockaddr*>(&to), sizeof(to)) > 0;
          ++(ok ? result_.datagrams : result_.errors);
          ++result_.calls;
          ++result_.messages;
          ++i;
          continue;
        }
        size_t run = 1;
        while (i + run < end && pattern.packets[i + run].payload_size == pattern.packets[i].payload_size) ++run;
        batch.add(to, bytes.data(), size, run);
        i += run;
      }
    }
    if (mode == FloorMode::kSegments) batch.flush();
    next = end;
    if (next >= pattern.packets.size()) {
      next = 0;
      round_us += pattern.length_us;
    }
  }
  result_.cpu_us = floor_thread_cpu_us() - cpu_before;
  result_.elapsed_us = load_monotonic_us() - begun;
}

}  // namespace parley
