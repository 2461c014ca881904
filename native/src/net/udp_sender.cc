#include "parley/net/udp_sender.h"

#include <errno.h>
#include <netinet/udp.h>

#include <cstring>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

namespace parley {
namespace {

constexpr size_t kControlBytes = CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(uint16_t));

size_t segments_of(size_t size, size_t segment) { return segment == 0 ? 1 : (size + segment - 1) / segment; }

}  // namespace

struct UdpSender::Control {
  mmsghdr messages[kMessages];
  iovec vectors[kMessages];
  sockaddr_in6 names[kMessages];
  alignas(cmsghdr) uint8_t space[kMessages][kControlBytes];
};

UdpSender::UdpSender(const UdpSocket& socket, SendCounters& counters, bool segmentation)
    : socket_(socket),
      counters_(counters),
      segmentation_(segmentation),
      control_(std::make_unique<Control>()),
      slab_(new uint8_t[kSlabBytes]) {
  std::memset(control_.get(), 0, sizeof(Control));
}

UdpSender::~UdpSender() = default;

uint8_t* UdpSender::reserve(size_t bytes) {
  if (pending_ == kMessages || used_ + bytes > kSlabBytes) flush();
  return slab_.get() + used_;
}

void UdpSender::commit(const PathAddress& path, size_t bytes, size_t segment) {
  if (segment != 0 && (segment >= bytes)) segment = 0;
  paths_[pending_] = path;
  messages_[pending_] = {&paths_[pending_], static_cast<uint32_t>(used_), static_cast<uint32_t>(bytes),
                         static_cast<uint32_t>(segment)};
  ++pending_;
  // Cache lines of their own: the next message is encrypted while the kernel may still look at this one.
  used_ = (used_ + bytes + 63) & ~size_t{63};
}

void UdpSender::send(const PathAddress& path, const uint8_t* data, size_t size) {
  if (size > kMaxMessageBytes) return;
  std::memcpy(reserve(size), data, size);
  commit(path, size, 0);
}

void UdpSender::prepare(size_t index) {
  const Message& message = messages_[index];
  const PathAddress& path = *message.path;
  msghdr& header = control_->messages[index].msg_hdr;
  control_->vectors[index] = {slab_.get() + message.offset, message.size};
  header.msg_iov = &control_->vectors[index];
  header.msg_iovlen = 1;
  header.msg_name = &control_->names[index];
  header.msg_namelen = remote_sockaddr(path, &control_->names[index]);
  uint8_t* space = control_->space[index];
  size_t length = 0;
  if (socket_.wildcard()) {
    auto* c = reinterpret_cast<cmsghdr*>(space);
    if (path.family == 4) {
      c->cmsg_level = IPPROTO_IP;
      c->cmsg_type = IP_PKTINFO;
      c->cmsg_len = CMSG_LEN(sizeof(in_pktinfo));
      in_pktinfo info{};
      std::memcpy(&info.ipi_spec_dst, path.local_ip, 4);
      std::memcpy(CMSG_DATA(c), &info, sizeof(info));
      length += CMSG_SPACE(sizeof(in_pktinfo));
    } else {
      c->cmsg_level = IPPROTO_IPV6;
      c->cmsg_type = IPV6_PKTINFO;
      c->cmsg_len = CMSG_LEN(sizeof(in6_pktinfo));
      in6_pktinfo info{};
      std::memcpy(&info.ipi6_addr, path.local_ip, 16);
      // A link-local answer must name the interface it leaves by.
      info.ipi6_ifindex = path.scope_id;
      std::memcpy(CMSG_DATA(c), &info, sizeof(info));
      length += CMSG_SPACE(sizeof(in6_pktinfo));
    }
  }
  if (message.segment != 0) {
    auto* c = reinterpret_cast<cmsghdr*>(space + length);
    c->cmsg_level = IPPROTO_UDP;
    c->cmsg_type = UDP_SEGMENT;
    c->cmsg_len = CMSG_LEN(sizeof(uint16_t));
    const uint16_t segment = static_cast<uint16_t>(message.segment);
    std::memcpy(CMSG_DATA(c), &segment, sizeof(segment));
    length += CMSG_SPACE(sizeof(uint16_t));
  }
  header.msg_control = length > 0 ? space : nullptr;
  header.msg_controllen = length;
}

bool UdpSender::send_segments(const Message& message) {
  bool all_sent = true;
  size_t offset = 0;
  while (offset < message.size) {
    size_t count = 0;
    // The control table is free here: flush() has just come back from the kernel with it, and prepares the rest again.
    while (offset < message.size && count < kMessages) {
      const size_t rest = message.size - offset;
      const size_t size = rest < message.segment ? rest : message.segment;
      const Message kept = messages_[count];
      messages_[count] = {message.path, static_cast<uint32_t>(message.offset + offset), static_cast<uint32_t>(size), 0};
      prepare(count);
      messages_[count] = kept;
      offset += size;
      ++count;
    }
    size_t done = 0;
    while (done < count) {
      const int sent = sendmmsg(socket_.fd(), control_->messages + done, static_cast<unsigned>(count - done), MSG_DONTWAIT);
      ++counters_.calls;
      const size_t ok = sent > 0 ? static_cast<size_t>(sent) : 0;
      for (size_t i = done; i < done + ok; ++i) {
        ++counters_.messages;
        ++counters_.datagrams;
        counters_.bytes += control_->vectors[i].iov_len;
      }
      done += ok;
      if (sent <= 0) {
        if (sent < 0 && errno == EINTR) continue;
        all_sent = false;
        ++counters_.errors;
        ++done;
      }
    }
  }
  return all_sent;
}

void UdpSender::flush() {
  if (pending_ == 0) return;
  if (tags_ != nullptr) tags_->finish();
  const size_t total = pending_;
  size_t done = 0;
  bool prepared = false;
  while (done < total) {
    if (!segmentation_ && messages_[done].segment != 0) {
      const Message message = messages_[done];
      send_segments(message);
      ++done;
      prepared = false;
      continue;
    }
    size_t end = done;
    while (end < total && (segmentation_ || messages_[end].segment == 0)) {
      if (!prepared) prepare(end);
      ++end;
    }
    prepared = true;
    const int sent = sendmmsg(socket_.fd(), control_->messages + done, static_cast<unsigned>(end - done), MSG_DONTWAIT);
    ++counters_.calls;
    if (sent > 0) {
      for (size_t i = done; i < done + static_cast<size_t>(sent); ++i) {
        ++counters_.messages;
        counters_.datagrams += segments_of(messages_[i].size, messages_[i].segment);
        counters_.bytes += messages_[i].size;
      }
      done += static_cast<size_t>(sent);
      continue;
    }
    const int error = errno;
    if (error == EINTR) continue;
    if (messages_[done].segment != 0 && (error == EIO || error == EINVAL || error == EOPNOTSUPP || error == EMSGSIZE)) {
      // A device without checksum offload says EIO, an old kernel EINVAL: then each piece goes through by itself, and this socket
      // does without from now on. A segment over the device's MTU is EINVAL too, but its pieces fail as well: nobody can switch
      // the gain off for others by sending large packets.
      const Message message = messages_[done];
      if (send_segments(message)) segmentation_ = false;
      ++done;
      prepared = false;
      continue;
    }
    if (error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS) {
      // The send buffer (4 MB) is full: waiting would hold up everybody, so what is left is dropped, and NACK repairs it.
      for (size_t i = done; i < total; ++i) {
        const size_t lost = segments_of(messages_[i].size, messages_[i].segment);
        counters_.would_block += lost;
        counters_.errors += lost;
      }
      break;
    }
    // One unreachable receiver must not stop the rest: go on behind it.
    counters_.errors += segments_of(messages_[done].size, messages_[done].segment);
    ++done;
  }
  pending_ = 0;
  used_ = 0;
}

}  // namespace parley
