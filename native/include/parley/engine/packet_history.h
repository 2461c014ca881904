// The last second of packets of one source, for retransmission: references to the buffers they came in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "parley/net/packet_buffer.h"

namespace parley {

class PacketHistory {
 public:
  // A NACK later than this asks for what no player can use any more.
  static constexpr int64_t kKeepUs = 1'200'000;
  static constexpr size_t kFirstCapacity = 64;
  // 1,024 packets a second are 10 Mb/s.
  static constexpr size_t kMaxCapacity = 1024;

  bool contains(uint64_t sequence) const { return get(sequence) != nullptr; }

  // Null when it was never there or is gone.
  PacketBuffer* get(uint64_t sequence) const {
    if (ring_.empty()) return nullptr;
    const Entry& entry = ring_[sequence & (ring_.size() - 1)];
    return entry.sequence == sequence ? entry.packet.get() : nullptr;
  }

  void insert(uint64_t sequence, PacketRef packet, int64_t now_us) {
    if (ring_.empty()) {
      ring_.resize(kFirstCapacity);
      oldest_ = sequence;
      newest_ = sequence;
    }
    if (sequence > newest_) newest_ = sequence;
    // A jump: nothing of before is within reach.
    if (newest_ - oldest_ > 4 * kMaxCapacity) {
      clear_entries();
      oldest_ = sequence;
    }
    while (oldest_ < newest_) {
      Entry& entry = ring_[oldest_ & (ring_.size() - 1)];
      if (entry.sequence == oldest_ && entry.packet) {
        const bool overwritten = newest_ - oldest_ >= ring_.size();
        const bool old = now_us - entry.packet->arrival_us > kKeepUs;
        if (overwritten && !old && ring_.size() < kMaxCapacity) {
          grow();
          continue;
        }
        if (!overwritten && !old) break;
        entry.packet.reset();
        entry.sequence = 0;
      }
      ++oldest_;
    }
    if (sequence < oldest_) return;
    Entry& entry = ring_[sequence & (ring_.size() - 1)];
    entry.sequence = sequence;
    entry.packet = std::move(packet);
  }
  void clear() {
    ring_.clear();
    ring_.shrink_to_fit();
    oldest_ = newest_ = 0;
  }

 private:
  struct Entry {
    uint64_t sequence = 0;
    PacketRef packet;
  };
  void clear_entries() {
    for (Entry& entry : ring_) entry = Entry{};
  }
  void grow() {
    std::vector<Entry> old(ring_.size() * 2);
    old.swap(ring_);
    for (Entry& entry : old) {
      if (entry.packet) ring_[entry.sequence & (ring_.size() - 1)] = std::move(entry);
    }
  }
  std::vector<Entry> ring_;
  uint64_t oldest_ = 0;
  uint64_t newest_ = 0;
};

}  // namespace parley
