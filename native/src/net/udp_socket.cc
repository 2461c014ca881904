#include "parley/net/udp_socket.h"

#include <errno.h>
#include <netinet/udp.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

namespace parley {
namespace {

// 4 MB hold some 40 ms of a full gigabit both ways; the kernel gives what its limits allow.
constexpr int kSocketBufferBytes = 4 * 1024 * 1024;
// The wall clock may be set while a datagram waits: beyond this its time stamp is not believed.
constexpr int64_t kMaxWaitedUs = 1'000'000;

bool is_wildcard(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    return reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr == INADDR_ANY;
  }
  return IN6_IS_ADDR_UNSPECIFIED(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
}

int64_t to_us(const timespec& time) { return int64_t{time.tv_sec} * 1'000'000 + time.tv_nsec / 1'000; }

void grow_buffer(int fd, int forced, int plain) {
  int bytes = kSocketBufferBytes;
  // The forced variant passes the limit when we may; the plain one is cut to it.
  if (setsockopt(fd, SOL_SOCKET, forced, &bytes, sizeof(bytes)) != 0) {
    setsockopt(fd, SOL_SOCKET, plain, &bytes, sizeof(bytes));
  }
}

}  // namespace

int UdpSocket::open(const UdpSocketOptions& options, const char** what) {
  close();
  sockaddr_storage address;
  socklen_t length = 0;
  *what = "address";
  if (!parse_sockaddr(options.ip, options.port, &address, &length)) return EINVAL;
  const bool v6 = address.ss_family == AF_INET6;
  *what = "socket";
  fd_ = socket(address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return errno;
  const int on = 1;
  if (options.reuse_port) setsockopt(fd_, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
  if (v6) setsockopt(fd_, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  grow_buffer(fd_, SO_RCVBUFFORCE, SO_RCVBUF);
  grow_buffer(fd_, SO_SNDBUFFORCE, SO_SNDBUF);
  // PROBE: no look at the path MTU cache, which saves 7 to 9 % of a send; packets are far below any MTU.
  if (v6) {
    const int probe = IPV6_PMTUDISC_PROBE;
    setsockopt(fd_, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &probe, sizeof(probe));
  } else {
    const int probe = IP_PMTUDISC_PROBE;
    setsockopt(fd_, IPPROTO_IP, IP_MTU_DISCOVER, &probe, sizeof(probe));
  }
  wildcard_ = is_wildcard(address);
  if (wildcard_) {
    if (v6) {
      setsockopt(fd_, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
    } else {
      setsockopt(fd_, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
    }
  }
  time_stamps_ = options.time_stamps && setsockopt(fd_, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) == 0;
  *what = "bind";
  if (bind(fd_, reinterpret_cast<sockaddr*>(&address), length) != 0) {
    const int error = errno;
    close();
    return error;
  }
  sockaddr_storage bound;
  socklen_t bound_length = sizeof(bound);
  getsockname(fd_, reinterpret_cast<sockaddr*>(&bound), &bound_length);
  local_ = PathAddress{};
  local_.family = v6 ? 6 : 4;
  set_local(local_, reinterpret_cast<sockaddr*>(&bound));
  return 0;
}

void UdpSocket::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

bool udp_segment_supported() {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const int size = 1200;
  const bool supported = setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)) == 0;
  ::close(fd);
  return supported;
}

struct UdpReceiver::Control {
  mmsghdr messages[kBatch];
  iovec vectors[kBatch];
  sockaddr_in6 names[kBatch];
  alignas(cmsghdr) uint8_t space[kBatch][CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(timespec))];
};

UdpReceiver::UdpReceiver(PacketPool& pool, uint16_t worker)
    : pool_(pool), worker_(worker), control_(std::make_unique<Control>()) {
  std::memset(control_.get(), 0, sizeof(Control));
  for (size_t i = 0; i < kBatch; ++i) {
    msghdr& header = control_->messages[i].msg_hdr;
    header.msg_iov = &control_->vectors[i];
    header.msg_iovlen = 1;
    header.msg_name = &control_->names[i];
  }
}

UdpReceiver::~UdpReceiver() {
  for (PacketBuffer* buffer : buffers_) {
    if (buffer != nullptr) pool_.give_back(buffer);
  }
}

bool UdpReceiver::truncated(size_t i) const { return (control_->messages[i].msg_hdr.msg_flags & MSG_TRUNC) != 0; }

bool UdpReceiver::prepare(size_t i) {
  if (buffers_[i] == nullptr) buffers_[i] = pool_.acquire();
  PacketBuffer* buffer = buffers_[i];
  if (buffer == nullptr) return false;
  buffer->offset = 0;
  control_->vectors[i] = {buffer->storage, kPacketCapacity};
  msghdr& header = control_->messages[i].msg_hdr;
  header.msg_namelen = sizeof(sockaddr_in6);
  header.msg_control = control_->space[i];
  header.msg_controllen = sizeof(control_->space[i]);
  return true;
}

size_t UdpReceiver::receive(const UdpSocket& socket, uint16_t socket_index) {
  const bool ancillary = socket.wildcard() || socket.time_stamps();
  // Only what the last batch used needs to be made ready again: most of the table stays as it was.
  size_t ready = 0;
  while (ready < used_ && prepare(ready)) ++ready;
  if (ready == used_) {
    ready = kBatch;
    used_ = 0;
  }
  if (ready == 0) {
    ++starved_;
    return 0;
  }
  const int received = recvmmsg(socket.fd(), control_->messages, static_cast<unsigned>(ready), MSG_DONTWAIT, nullptr);
  if (received <= 0) return 0;
  used_ = std::max(used_, static_cast<size_t>(received));
  int64_t now_us = 0;
  if (socket.time_stamps()) {
    timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    now_us = to_us(now);
  }
  for (int i = 0; i < received; ++i) {
    buffers_[i]->length = static_cast<uint16_t>(control_->messages[i].msg_len);
    PathAddress& path = paths_[i];
    path = socket.local();
    path.worker = worker_;
    path.socket = socket_index;
    set_remote(path, reinterpret_cast<sockaddr*>(&control_->names[i]));
    waited_us_[i] = 0;
    if (!ancillary) continue;
    msghdr& header = control_->messages[i].msg_hdr;
    for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
      if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
        in_pktinfo info;
        std::memcpy(&info, CMSG_DATA(c), sizeof(info));
        std::memcpy(path.local_ip, &info.ipi_addr, 4);
      } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
        in6_pktinfo info;
        std::memcpy(&info, CMSG_DATA(c), sizeof(info));
        std::memcpy(path.local_ip, &info.ipi6_addr, 16);
      } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
        timespec stamp;
        std::memcpy(&stamp, CMSG_DATA(c), sizeof(stamp));
        const int64_t waited_us = now_us - to_us(stamp);
        waited_us_[i] = waited_us <= kMaxWaitedUs ? std::max<int64_t>(waited_us, 0) : 0;
      }
    }
  }
  return static_cast<size_t>(received);
}

}  // namespace parley
