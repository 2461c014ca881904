#include "parley/net/packet_buffer.h"

#include <new>

namespace parley {

static_assert(sizeof(PacketBuffer) <= 2048 + 64, "kStride");

bool PacketPool::grow() {
  if (allocated_ + kSlabBuffers > max_buffers_) return false;
  std::unique_ptr<uint8_t[]> slab(new (std::nothrow) uint8_t[kStride * kSlabBuffers + 64]);
  if (slab == nullptr) return false;
  auto base = (reinterpret_cast<uintptr_t>(slab.get()) + 63) & ~uintptr_t{63};
  for (size_t i = 0; i < kSlabBuffers; ++i) {
    auto* buffer = new (reinterpret_cast<void*>(base + i * kStride)) PacketBuffer;
    buffer->pool = this;
    buffer->next = free_;
    free_ = buffer;
  }
  allocated_ += kSlabBuffers;
  slabs_.push_back(std::move(slab));
  return true;
}

PacketBuffer* PacketPool::acquire() {
  if (free_ == nullptr) {
    free_ = returned_.exchange(nullptr, std::memory_order_acquire);
    if (free_ == nullptr && !grow()) return nullptr;
  }
  PacketBuffer* buffer = free_;
  free_ = buffer->next;
  buffer->next = nullptr;
  buffer->offset = 0;
  buffer->length = 0;
  buffer->references.store(1, std::memory_order_relaxed);
  return buffer;
}

void PacketPool::give_back(PacketBuffer* buffer) {
  PacketBuffer* head = returned_.load(std::memory_order_relaxed);
  do {
    buffer->next = head;
  } while (!returned_.compare_exchange_weak(head, buffer, std::memory_order_release, std::memory_order_relaxed));
}

}  // namespace parley
