// Messages of one sendmmsg, as the floor sends them.
#pragma once

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "parley/load/floor.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

namespace parley {

class FloorBatch {
 public:
  FloorBatch(int fd, FloorResult& result) : fd_(fd), result_(result) {
    std::memset(messages_, 0, sizeof(messages_));
    std::memset(control_, 0, sizeof(control_));
  }
  // `count` datagrams of `size` bytes that lie one behind the other; the bytes are read when the batch leaves.
  void add(sockaddr_in& to, uint8_t* bytes, size_t size, size_t count) {
    vectors_[used_] = {bytes, size * count};
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
  static constexpr size_t kBatch = 32;
  int fd_;
  FloorResult& result_;
  size_t used_ = 0;
  mmsghdr messages_[kBatch];
  iovec vectors_[kBatch];
  size_t counts_[kBatch];
  alignas(cmsghdr) uint8_t control_[kBatch][CMSG_SPACE(sizeof(uint16_t))];
};

}  // namespace parley
