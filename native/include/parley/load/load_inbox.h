// Datagrams that were taken off the kernel and not looked at yet. A viewer in the field takes its packets off the machine that sent
// them at once; here they would lie in the kernel's memory until one thread has decrypted what came before for all the others, and
// the server would pay for memory that is in no cache.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace parley {

class LoadPeer;

class LoadInbox {
 public:
  // Longer ones than any path takes are cut, and fail to authenticate.
  static constexpr size_t kDatagramBytes = 2'048;
  static constexpr size_t kBatch = 32;

  explicit LoadInbox(size_t capacity);
  ~LoadInbox();
  LoadInbox(const LoadInbox&) = delete;
  LoadInbox& operator=(const LoadInbox&) = delete;

  // Takes what the peer's socket has, as far as there is room; how many datagrams that were.
  size_t take(LoadPeer& peer, int64_t now_us);
  // Hands over the oldest and those behind it that are of the same peer, at most kBatch. Who that is; null: empty.
  LoadPeer* deliver();
  // What is there of a peer that goes is dropped.
  void forget(const LoadPeer& peer);
  bool empty() const { return first_ == end_; }
  size_t room() const { return capacity_ - end_; }

 private:
  struct Datagram {
    LoadPeer* peer = nullptr;
    uint32_t size = 0;
    int64_t taken_us = 0;     // monotonic
    int64_t received_us = 0;  // by the kernel's clock, realtime; 0 unknown
  };
  struct Batch;
  uint8_t* bytes_of(size_t i) { return bytes_.get() + i * kDatagramBytes; }

  // Filled from the beginning whenever all of it was delivered: a few viewers use a few lines of memory.
  const size_t capacity_;
  std::unique_ptr<uint8_t[]> bytes_;
  std::vector<Datagram> datagrams_;
  std::unique_ptr<Batch> batch_;
  size_t first_ = 0;
  size_t end_ = 0;
};

}  // namespace parley
