#include "parley/load/load_inbox.h"

#include <time.h>

#include <algorithm>
#include <cstring>

#include "parley/load/load_peer.h"

namespace parley {

struct LoadInbox::Batch {
  mmsghdr messages[kBatch];
  iovec vectors[kBatch];
  alignas(cmsghdr) uint8_t control[kBatch][64];
};

LoadInbox::LoadInbox(size_t capacity)
    : capacity_(capacity), bytes_(new uint8_t[capacity * kDatagramBytes]), datagrams_(capacity), batch_(std::make_unique<Batch>()) {
  std::memset(batch_.get(), 0, sizeof(Batch));
  for (size_t i = 0; i < kBatch; ++i) {
    batch_->messages[i].msg_hdr.msg_iov = &batch_->vectors[i];
    batch_->messages[i].msg_hdr.msg_iovlen = 1;
  }
}

LoadInbox::~LoadInbox() = default;

size_t LoadInbox::take(LoadPeer& peer, int64_t now_us) {
  size_t taken = 0;
  for (;;) {
    const size_t wanted = std::min(kBatch, room());
    if (wanted == 0 || peer.fd() < 0) return taken;
    for (size_t i = 0; i < wanted; ++i) {
      batch_->vectors[i] = {bytes_of(end_ + i), kDatagramBytes};
      batch_->messages[i].msg_hdr.msg_control = batch_->control[i];
      batch_->messages[i].msg_hdr.msg_controllen = sizeof(batch_->control[i]);
    }
    const int n = recvmmsg(peer.fd(), batch_->messages, static_cast<unsigned>(wanted), MSG_DONTWAIT, nullptr);
    if (n <= 0) return taken;
    for (int i = 0; i < n; ++i) {
      msghdr& message = batch_->messages[i].msg_hdr;
      Datagram& datagram = datagrams_[end_++];
      datagram = {&peer, batch_->messages[i].msg_len, now_us, 0};
      for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS) continue;
        timespec t;
        std::memcpy(&t, CMSG_DATA(c), sizeof(t));
        datagram.received_us = int64_t{t.tv_sec} * 1'000'000 + t.tv_nsec / 1'000;
      }
    }
    taken += static_cast<size_t>(n);
    if (static_cast<size_t>(n) < wanted) return taken;
  }
}

LoadPeer* LoadInbox::deliver() {
  while (first_ < end_ && datagrams_[first_].peer == nullptr) ++first_;
  LoadPeer* const peer = first_ < end_ ? datagrams_[first_].peer : nullptr;
  for (size_t i = 0; i < kBatch && first_ < end_ && datagrams_[first_].peer == peer; ++i, ++first_) {
    const Datagram& datagram = datagrams_[first_];
    if (peer != nullptr) peer->on_datagram(bytes_of(first_), datagram.size, datagram.taken_us, datagram.received_us);
  }
  if (first_ == end_) first_ = end_ = 0;
  return peer;
}

void LoadInbox::forget(const LoadPeer& peer) {
  for (size_t i = first_; i < end_; ++i) {
    if (datagrams_[i].peer == &peer) datagrams_[i].peer = nullptr;
  }
}

}  // namespace parley
