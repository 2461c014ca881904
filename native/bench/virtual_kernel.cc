#include "virtual_kernel.h"

#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdarg.h>
#include <unistd.h>

#include <cstring>

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_TOGGLE_COLLECT
#endif

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

namespace parley::bench {
namespace {

// The thread's share of callgrind's switch: each thread has its own.
thread_local bool collecting = false;

void collect(bool on) {
  if (collecting == on) return;
  collecting = on;
  CALLGRIND_TOGGLE_COLLECT;
}

}  // namespace

VirtualKernel& VirtualKernel::instance() {
  static VirtualKernel kernel;
  return kernel;
}

void VirtualKernel::play(Scenario& scenario) {
  std::unique_lock held(lock_);
  scenario_ = &scenario;
  changed_.notify_all();
  changed_.wait(held, [this] { return finished_; });
}

void VirtualKernel::release() {
  const std::lock_guard held(lock_);
  released_ = true;
  changed_.notify_all();
}

void VirtualKernel::put(Datagram datagram) {
  const auto& bytes = datagram.bytes;
  const bool rtcp = bytes.size() > 1 && bytes[0] >> 6 == 2 && bytes[1] >= 192 && bytes[1] <= 223;
  const bool request = rtcp && (bytes[1] == 205 || bytes[1] == 206) && (bytes[0] & 0x1f) != 15;
  sockets_[rtcp && !request && sockets_.size() > 1 ? 1 : 0].queue.push_back(std::move(datagram));
}

void VirtualKernel::control(int operation, int fd, const epoll_event* event) {
  int type = 0;
  socklen_t size = sizeof(type);
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_DGRAM) return;
  for (Socket& socket : sockets_) {
    if (socket.fd == fd) socket.watched = event->events;
  }
  if (operation != EPOLL_CTL_ADD) return;
  sockets_.emplace_back();
  sockets_.back().fd = fd;
  sockets_.back().watched = event->events;
  sockets_.back().data = event->data;
}

int VirtualKernel::ready(epoll_event* events, int count) {
  int n = 0;
  for (const Socket& socket : sockets_) {
    if (n == count || socket.queue.empty() || (socket.watched & EPOLLIN) == 0) continue;
    events[n].events = EPOLLIN;
    events[n].data = socket.data;
    ++n;
  }
  return n;
}

void VirtualKernel::leave() {
  counting_ = counting_ || scenario_->warm();
  collect(counting_);
}

void VirtualKernel::finish() {
  std::unique_lock held(lock_);
  finished_ = true;
  changed_.notify_all();
  changed_.wait(held, [this] { return released_; });
}

int VirtualKernel::wait(epoll_event* events, int count, int64_t timeout_us) {
  collect(false);
  if (released_) {
    poll(nullptr, 0, 1);
    return 0;
  }
  if (scenario_ == nullptr) {
    // Commands of the set-up are taken once they are all there.
    std::unique_lock held(lock_);
    changed_.wait(held, [this] { return scenario_ != nullptr || released_; });
    return 0;
  }
  const int64_t until_us = now_us_ + timeout_us;
  int n = ready(events, count);
  while (n == 0) {
    const int64_t next_us = scenario_->next_us();
    if (next_us < 0) {
      finish();
      return 0;
    }
    if (next_us > until_us) {
      now_us_ = until_us;
      break;
    }
    now_us_ = next_us > now_us_ ? next_us : now_us_;
    scenario_->deliver(now_us_);
    n = ready(events, count);
  }
  leave();
  return n;
}

int VirtualKernel::receive(int fd, mmsghdr* messages, unsigned count) {
  collect(false);
  unsigned n = 0;
  for (Socket& socket : sockets_) {
    if (socket.fd != fd) continue;
    for (; n < count && !socket.queue.empty(); ++n) {
      const Datagram& datagram = socket.queue.front();
      msghdr& header = messages[n].msg_hdr;
      const size_t size = datagram.bytes.size() < header.msg_iov->iov_len ? datagram.bytes.size() : header.msg_iov->iov_len;
      std::memcpy(header.msg_iov->iov_base, datagram.bytes.data(), size);
      std::memcpy(header.msg_name, &datagram.from, sizeof(datagram.from));
      header.msg_namelen = sizeof(datagram.from);
      header.msg_controllen = 0;
      header.msg_flags = 0;
      messages[n].msg_len = static_cast<unsigned>(size);
      socket.queue.pop_front();
    }
  }
  leave();
  if (n > 0) return static_cast<int>(n);
  errno = EAGAIN;
  return -1;
}

int VirtualKernel::send(mmsghdr* messages, unsigned count) {
  collect(false);
  for (unsigned i = 0; i < count; ++i) {
    msghdr& header = messages[i].msg_hdr;
    uint16_t segment = 0;
    for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
      if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_SEGMENT) std::memcpy(&segment, CMSG_DATA(c), sizeof(segment));
    }
    sockaddr_in to;
    std::memcpy(&to, header.msg_name, sizeof(to));
    scenario_->sent(to, static_cast<const uint8_t*>(header.msg_iov->iov_base), header.msg_iov->iov_len, segment);
    messages[i].msg_len = static_cast<unsigned>(header.msg_iov->iov_len);
  }
  leave();
  return static_cast<int>(count);
}

}  // namespace parley::bench

// ---- in place of the C library's

using parley::bench::VirtualKernel;

extern "C" {

int clock_gettime(clockid_t, timespec* out) noexcept {
  const int64_t us = VirtualKernel::instance().now_us();
  out->tv_sec = us / 1'000'000;
  out->tv_nsec = us % 1'000'000 * 1'000;
  return 0;
}

int epoll_ctl(int, int operation, int fd, epoll_event* event) noexcept {
  VirtualKernel::instance().control(operation, fd, event);
  return 0;
}

// epoll_pwait2, which the loop calls by its number; anything else is not for us.
long syscall(long number, ...) noexcept {
  va_list list;
  va_start(list, number);
  long arguments[6];
  for (long& argument : arguments) argument = va_arg(list, long);
  va_end(list);
  if (number == 441) {
    const auto* timeout = reinterpret_cast<const timespec*>(arguments[3]);
    return VirtualKernel::instance().wait(reinterpret_cast<epoll_event*>(arguments[1]), static_cast<int>(arguments[2]),
                                          int64_t{timeout->tv_sec} * 1'000'000 + timeout->tv_nsec / 1'000);
  }
  long result;
  register long r10 __asm__("r10") = arguments[3];
  register long r8 __asm__("r8") = arguments[4];
  register long r9 __asm__("r9") = arguments[5];
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(arguments[0]), "S"(arguments[1]), "d"(arguments[2]), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  if (result >= 0) return result;
  errno = static_cast<int>(-result);
  return -1;
}

int recvmmsg(int fd, mmsghdr* messages, unsigned count, int, timespec*) { return VirtualKernel::instance().receive(fd, messages, count); }

int sendmmsg(int, mmsghdr* messages, unsigned count, int) { return VirtualKernel::instance().send(messages, count); }
}
