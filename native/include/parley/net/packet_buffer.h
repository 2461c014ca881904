// Reference-counted packet buffers from a pool per worker. A buffer may be released on any thread; it goes home over a lock-free stack.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace parley {

class PacketPool;

// Room for one datagram of an Ethernet MTU with some to spare; larger ones are malformed for us.
inline constexpr size_t kPacketCapacity = 1792;
// What the engine keeps beside the bytes (parsed header, extension offsets).
inline constexpr size_t kPacketMetaBytes = 192;

struct PacketBuffer {
  std::atomic<uint32_t> references{0};
  uint16_t offset = 0;
  uint16_t length = 0;
  PacketPool* pool = nullptr;
  PacketBuffer* next = nullptr;
  int64_t arrival_us = 0;
  alignas(8) uint8_t meta[kPacketMetaBytes];
  alignas(16) uint8_t storage[kPacketCapacity];

  uint8_t* data() { return storage + offset; }
  const uint8_t* data() const { return storage + offset; }
};

// A counted reference. Copies count, moves do not.
class PacketRef {
 public:
  PacketRef() = default;
  // Takes over one reference.
  explicit PacketRef(PacketBuffer* adopted) : buffer_(adopted) {}
  PacketRef(const PacketRef& other) : buffer_(other.buffer_) {
    if (buffer_ != nullptr) buffer_->references.fetch_add(1, std::memory_order_relaxed);
  }
  PacketRef(PacketRef&& other) noexcept : buffer_(other.buffer_) { other.buffer_ = nullptr; }
  PacketRef& operator=(PacketRef other) noexcept {
    PacketBuffer* mine = buffer_;
    buffer_ = other.buffer_;
    other.buffer_ = mine;
    return *this;
  }
  ~PacketRef() { reset(); }

  void reset();
  PacketBuffer* get() const { return buffer_; }
  PacketBuffer* operator->() const { return buffer_; }
  PacketBuffer& operator*() const { return *buffer_; }
  explicit operator bool() const { return buffer_ != nullptr; }
  // Gives the reference away without counting.
  PacketBuffer* release() {
    PacketBuffer* mine = buffer_;
    buffer_ = nullptr;
    return mine;
  }

 private:
  PacketBuffer* buffer_ = nullptr;
};

// acquire() only on the owning thread; give_back() anywhere. The pool must outlive its buffers.
class PacketPool {
 public:
  explicit PacketPool(size_t max_buffers) : max_buffers_(max_buffers) {}
  PacketPool(const PacketPool&) = delete;
  PacketPool& operator=(const PacketPool&) = delete;

  // A buffer with one reference, or null when the limit is reached.
  PacketBuffer* acquire();
  void give_back(PacketBuffer* buffer);
  size_t allocated() const { return allocated_; }

 private:
  // Not a multiple of 4096 apart: equal low bits of the address would put all headers into the same few cache sets.
  static constexpr size_t kStride = 2048 + 64;
  static constexpr size_t kSlabBuffers = 64;

  bool grow();

  PacketBuffer* free_ = nullptr;
  std::atomic<PacketBuffer*> returned_{nullptr};
  size_t allocated_ = 0;
  const size_t max_buffers_;
  std::vector<std::unique_ptr<uint8_t[]>> slabs_;
};

inline void PacketRef::reset() {
  if (buffer_ == nullptr) return;
  PacketBuffer* mine = buffer_;
  buffer_ = nullptr;
  // A sole holder needs no atomic subtraction.
  if (mine->references.load(std::memory_order_acquire) == 1 ||
      mine->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    mine->pool->give_back(mine);
  }
}

}  // namespace parley
