// From the sockets to datagrams, in batches: as they come, or by the clock.
#include <algorithm>

#include "parley/engine/worker.h"

namespace parley {
namespace {

// So many batches of 64 from one socket before the others have their turn.
constexpr int kBatchesPerTurn = 4;
// Datagrams from one step of asking for memory to the next: it takes about as long as some of them.
constexpr size_t kAhead = 2;

}  // namespace

void Worker::watch(const UdpSocket& socket, uint64_t tag, int operation, bool at_once) {
  if (socket.fd() < 0) return;
  epoll_event event{};
  event.events = at_once ? uint32_t{EPOLLIN} : 0;
  event.data.u64 = tag;
  epoll_ctl(epoll_fd_, operation, socket.fd(), &event);
}

void Worker::watch_media() {
  for (size_t i = 0; i < sockets_.size(); ++i) watch(sockets_[i], i, EPOLL_CTL_MOD, !media_pace_.timed());
}

void Worker::watch_rtcp(int operation) {
  for (const UdpSocket& socket : rtcp_sockets_) watch(socket, kRtcpTag, operation, !rtcp_pace_.timed());
}

// Whose datagram `i` of the batch is. Of hundreds of peers and more neither the table's lines nor their own are in any cache, so those of the
// datagrams behind it are asked for, a pointer being followed some datagrams after what it lies in was. Nothing in a batch changes the
// table, and nobody in it goes.
void Worker::look_ahead(size_t i, size_t count, bool rtcp) {
  if (i < count) {
    ahead_[i].hash = paths_.hash(receiver_->path(i));
    paths_.expect(ahead_[i].hash);
  }
  if (i >= kAhead && i - kAhead < count) {
    Ahead& named = ahead_[i - kAhead];
    named.entry = paths_.find(receiver_->path(i - kAhead), named.hash);
    named.peer = named.entry != nullptr && named.entry->owner == config_.index ? peers_.expect(named.entry->peer) : nullptr;
    if (named.peer != nullptr) named.peer->expect_datagram();
  }
  if (i >= 2 * kAhead && i - 2 * kAhead < count && ahead_[i - 2 * kAhead].peer != nullptr) {
    ahead_[i - 2 * kAhead].peer->expect_contexts(rtcp);
  }
  if (i >= 3 * kAhead && i - 3 * kAhead < count && ahead_[i - 3 * kAhead].peer != nullptr) {
    ahead_[i - 3 * kAhead].peer->expect_streams(rtcp);
  }
}

size_t Worker::receive_batch(const UdpSocket& socket, size_t index, bool rtcp) {
  const size_t count = receiver_->receive(socket, static_cast<uint16_t>(index));
  if (count == 0) return 0;
  const int64_t read_us = monotonic_us();
  // Nothing was left the last time: whatever the time stamps say (the wall clock may have been set), nothing waited for longer.
  int64_t& drained_us = drained_us_[index * 2 + (rtcp ? 1 : 0)];
  const int64_t longest_us = read_us - drained_us;
  if (count < UdpReceiver::kBatch) drained_us = read_us;
  rx_datagrams_ += count;
  const bool far = paths_.size() > kNearPeers;
  for (size_t i = 0; far && i < 4 * kAhead; ++i) look_ahead(i, count, rtcp);
  for (size_t i = 0; i < count; ++i) {
    if (far) look_ahead(i + 4 * kAhead, count, rtcp);
    PacketBuffer* buffer = receiver_->packet(i);
    rx_bytes_ += buffer->length;
    if (buffer->length == 0 || receiver_->truncated(i)) {
      ++malformed_;
      continue;
    }
    buffer->arrival_us = read_us - std::min(receiver_->waited_us(i), longest_us);
    // Reports are measured against when they came, not when somebody looked.
    now_us_ = rtcp ? buffer->arrival_us : read_us;
    PacketRef packet(receiver_->take(i));
    on_datagram(packet, receiver_->path(i), far ? ahead_[i].entry : paths_.find(receiver_->path(i)));
    // Nobody kept it: used again without a round through the pool. (A history or another worker may hold a copy.)
    if (packet && packet->references.load(std::memory_order_acquire) == 1) receiver_->put_back(i, packet.release());
  }
  now_us_ = read_us;
  return count;
}

// Any worker's socket may get them.
void Worker::await_checks() {
  const int64_t until_us = now_us_ + RtcpPace::kAwaitedUs;
  shared_.checks_awaited_until_us.store(until_us, std::memory_order_relaxed);
  rtcp_pace_.on_awaited(now_us_, until_us);
}

size_t Worker::receive_udp(size_t socket) {
  size_t datagrams = 0;
  for (int batch = 0; batch < kBatchesPerTurn; ++batch) {
    const size_t count = receive_batch(sockets_[socket], socket, false);
    datagrams += count;
    if (count < UdpReceiver::kBatch) break;
    fan_out();
  }
  return datagrams;
}

size_t Worker::read_media() {
  size_t datagrams = 0;
  for (size_t i = 0; i < sockets_.size(); ++i) datagrams += receive_udp(i);
  return datagrams;
}

void Worker::read_rtcp() {
  size_t datagrams = 0;
  const uint64_t checks_before = checks_;
  for (size_t i = 0; i < rtcp_sockets_.size(); ++i) {
    if (rtcp_sockets_[i].fd() < 0) continue;
    for (int batch = 0; batch < kBatchesPerTurn; ++batch) {
      const size_t count = receive_batch(rtcp_sockets_[i], i, true);
      datagrams += count;
      if (count < UdpReceiver::kBatch) break;
    }
  }
  const int64_t awaited_until_us = shared_.checks_awaited_until_us.load(std::memory_order_relaxed);
  if (awaited_until_us > now_us_) rtcp_pace_.on_awaited(now_us_, awaited_until_us);
  if (rtcp_pace_.on_read(now_us_, datagrams, datagrams - (checks_ - checks_before))) watch_rtcp(EPOLL_CTL_MOD);
}

}  // namespace parley
