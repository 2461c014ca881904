#include "parley/load/floor.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "parley/load/load_peer.h"
#include "parley/net/path_address.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

namespace parley {
namespace {

constexpr size_t kBatch = 32;

int64_t thread_cpu_us() {
  rusage usage;
  getrusage(RUSAGE_THREAD, &usage);
  const auto us = [](const timeval& t) { return int64_t{t.tv_sec} * 1'000'000 + t.tv_usec; };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

void sleep_until(int64_t us) {
  timespec t{static_cast<time_t>(us / 1'000'000), static_cast<long>(us % 1'000'000 * 1'000)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, nullptr);
}

// Messages of one sendmmsg.
class Batch {
 public:
  Batch(int fd, const uint8_t* bytes, FloorResult& result) : fd_(fd), bytes_(bytes), result_(result) {
    std::memset(messages_, 0, sizeof(messages_));
    std::memset(control_, 0, sizeof(control_));
  }
  void add(sockaddr_in& to, size_t size, size_t count) {
    vectors_[used_] = {const_cast<uint8_t*>(bytes_), size * count};
    msghdr& m = messages_[used_].msg_hdr;
    m.msg_name = &to;
    m.msg_namelen = sizeof(to);
    m.msg_iov = &vectors_[used_];
    m.msg_iovlen = 1;
    m.msg_control = nullptr;
    m.msg_controllen = 0;
    if (count > 1) {
      m.msg_control = control_[used_];
      m.msg_controllen = CMSG_SPACE(sizeof(uint16_t));
      cmsghdr* c = CMSG_FIRSTHDR(&m);
      c->cmsg_level = SOL_UDP;
      c->cmsg_type = UDP_SEGMENT;
      c->cmsg_len = CMSG_LEN(sizeof(uint16_t));
      const auto segment = static_cast<uint16_t>(size);
      std::memcpy(CMSG_DATA(c), &segment, sizeof(segment));
    }
    counts_[used_] = count;
    if (++used_ == kBatch) flush();
  }
  void flush() {
    size_t at = 0;
    while (at < used_) {
      const int sent = sendmmsg(fd_, messages_ + at, static_cast<unsigned>(used_ - at), 0);
      ++result_.calls;
      if (sent <= 0) {
        ++result_.errors;
        ++at;
        continue;
      }
      for (int i = 0; i < sent; ++i) result_.datagrams += counts_[at + static_cast<size_t>(i)];
      result_.messages += static_cast<uint64_t>(sent);
      at += static_cast<size_t>(sent);
    }
    used_ = 0;
  }

 private:
  int fd_;
  const uint8_t* bytes_;
  FloorResult& result_;
  size_t used_ = 0;
  mmsghdr messages_[kBatch];
  iovec vectors_[kBatch];
  size_t counts_[kBatch];
  alignas(cmsghdr) uint8_t control_[kBatch][CMSG_SPACE(sizeof(uint16_t))];
};

}  // namespace

FloorSender::~FloorSender() {
  if (thread_.joinable()) thread_.join();
  if (fd_ >= 0) ::close(fd_);
}

uint16_t FloorSender::open(const std::string& ip) {
  if (fd_ >= 0) ::close(fd_);
  sockaddr_storage address;
  socklen_t length = 0;
  if (!parse_sockaddr(ip, 0, &address, &length) || address.ss_family != AF_INET) return 0;
  fd_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0 || ::bind(fd_, reinterpret_cast<sockaddr*>(&address), length) != 0) return 0;
  // As the data plane has it: no route look-up for path MTU, a large send buffer.
  const int probe = IP_PMTUDISC_PROBE;
  setsockopt(fd_, IPPROTO_IP, IP_MTU_DISCOVER, &probe, sizeof(probe));
  const int bytes = 4 * 1024 * 1024;
  setsockopt(fd_, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
  if (::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length) != 0) return 0;
  ip_ = ip;
  return ntohs(reinterpret_cast<sockaddr_in*>(&address)->sin_port);
}

bool FloorSender::start(std::vector<uint16_t> ports, LoadProfile profile, FloorMode mode, uint16_t overhead, int64_t duration_us) {
  if (fd_ < 0 || running() || ports.empty()) return false;
  if (thread_.joinable()) thread_.join();
  running_.store(true, std::memory_order_release);
  thread_ = std::thread([this, ports = std::move(ports), pattern = make_load_pattern(profile), mode, overhead, duration_us]() mutable {
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
  std::vector<sockaddr_in> addresses(ports.size());
  sockaddr_storage any;
  socklen_t length = 0;
  parse_sockaddr(ip_, 0, &any, &length);
  for (size_t i = 0; i < ports.size(); ++i) {
    addresses[i] = *reinterpret_cast<sockaddr_in*>(&any);
    addresses[i].sin_port = htons(ports[i]);
  }
  std::vector<uint8_t> bytes(65'536, 0x5a);
  Batch batch(fd_, bytes.data(), result_);
  const bool whole_frames = pattern.packets.size() > 1 && pattern.packets[1].at_us - pattern.packets[0].at_us < 500;
  const int64_t cpu_before = thread_cpu_us();
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
    sleep_until(due);
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
        batch.add(to, size, run);
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
  result_.cpu_us = thread_cpu_us() - cpu_before;
  result_.elapsed_us = load_monotonic_us() - begun;
}

}  // namespace parley
