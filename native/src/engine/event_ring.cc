#include <cstring>

#include "parley/engine/queues.h"

namespace parley {

void EventRing::copy_in(uint64_t at, const void* data, size_t size) {
  const size_t begin = at & mask_;
  const size_t first = size < mask_ + 1 - begin ? size : mask_ + 1 - begin;
  std::memcpy(bytes_.get() + begin, data, first);
  std::memcpy(bytes_.get(), static_cast<const uint8_t*>(data) + first, size - first);
}

bool EventRing::push(const Piece* pieces, size_t count) {
  uint32_t size = 0;
  for (size_t i = 0; i < count; ++i) size += static_cast<uint32_t>(pieces[i].size);
  uint64_t tail = tail_.load(std::memory_order_relaxed);
  if (tail + sizeof(size) + size - head_.load(std::memory_order_acquire) > mask_ + 1) return false;
  copy_in(tail, &size, sizeof(size));
  tail += sizeof(size);
  for (size_t i = 0; i < count; ++i) {
    if (pieces[i].size == 0) continue;
    copy_in(tail, pieces[i].data, pieces[i].size);
    tail += pieces[i].size;
  }
  tail_.store(tail, std::memory_order_release);
  return true;
}

void EventRing::drain(std::vector<uint8_t>& out) {
  const size_t before = out.size();
  // What comes meanwhile stays for the next time.
  const size_t size = tail_.load(std::memory_order_acquire) - head_.load(std::memory_order_relaxed);
  if (size == 0) return;
  out.resize(before + size);
  copy_out(out.data() + before, size);
}

size_t EventRing::drain(uint8_t* out) {
  const size_t size = tail_.load(std::memory_order_acquire) - head_.load(std::memory_order_relaxed);
  if (size > 0) copy_out(out, size);
  return size;
}

void EventRing::copy_out(uint8_t* out, size_t size) {
  const uint64_t head = head_.load(std::memory_order_relaxed);
  const size_t begin = head & mask_;
  const size_t first = size < mask_ + 1 - begin ? size : mask_ + 1 - begin;
  std::memcpy(out, bytes_.get() + begin, first);
  std::memcpy(out + first, bytes_.get(), size - first);
  head_.store(head + size, std::memory_order_release);
}

}  // namespace parley
