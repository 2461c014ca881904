// Counters in memory that JavaScript reads without a call: doubles, one writer each.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

namespace parley {

// Field numbers are shared with adapters/media-native/src/counters.ts. Field 0 holds the handle while it is open.
namespace peer_field {
// What each pass counts is in the first line of memory, what feedback does in the second.
enum : size_t {
  kHandle, kRxBytes, kTxBytes, kRxPackets, kTxPackets, kLastConsentMs, kAuthFailures, kReplays, kRttUs, kTwccSent,
  kTwccReceived, kFeedbackPackets, kFeedbackBytes, kFeedbackLost, kFeedbackDelayUs, kPacedBytes, kPacingDelayUs, kPacedPackets,
  kPacingDrops, kStride = 24
};
}
namespace track_field {
enum : size_t {
  kHandle, kPackets, kBytes, kLost, kNacksSent, kRtxReceived, kKeyFrames, kKeyFrameRequests, kJitter, kPayloadType,
  kLastPacketMs, kAudioLevel, kStride = 12
};
}
namespace slot_field {
enum : size_t {
  kHandle, kPackets, kBytes, kNacksReceived, kRtxSent, kKeyFrameRequests, kLossRatio, kStreamId, kStride = 8
};
}
// One block per worker, and one for the main thread; JavaScript adds them up.
namespace plane_field {
enum : size_t {
  kRxDatagrams, kRxBytes, kTxDatagrams, kTxBytes, kSendCalls, kSendMessages, kSendErrors, kStrangers, kForgedUfrags,
  kMalformed, kEventsDropped, kStaleCommands, kForwardedElsewhere, kQueueDrops, kFeedbackDropped,
  kReplayed, kUnauthenticated, kStride = 20
};
}

inline void counter_set(double& counter, double value) {
  std::atomic_ref<double>(counter).store(value, std::memory_order_relaxed);
}
inline void counter_add(double& counter, double value) {
  std::atomic_ref<double> cell(counter);
  cell.store(cell.load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
}

// Grows by chunks that never move. Only the main thread grows it; workers get pointers with their commands.
class CounterTable {
 public:
  static constexpr size_t kChunkEntries = 256;
  using Chunk = std::shared_ptr<double[]>;

  explicit CounterTable(size_t stride) : stride_(stride) {}
  double* at(uint32_t index) {
    while (index / kChunkEntries >= chunks_.size()) {
      chunks_.push_back(Chunk(static_cast<double*>(::operator new[](chunk_bytes(), kAlignment)), Free()));
      std::fill_n(chunks_.back().get(), kChunkEntries * stride_, 0.0);
    }
    return chunks_[index / kChunkEntries].get() + (index % kChunkEntries) * stride_;
  }
  size_t chunk_count() const { return chunks_.size(); }
  const Chunk& chunk(size_t i) const { return chunks_[i]; }
  size_t chunk_bytes() const { return kChunkEntries * stride_ * sizeof(double); }

 private:
  // Strides are multiples of half a cache line, so that what is counted together lies together.
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(double* chunk) const { ::operator delete[](chunk, kAlignment); }
  };
  const size_t stride_;
  std::vector<Chunk> chunks_;
};

}  // namespace parley
