// The receiver's side of generic NACK (RFC 4585 6.2.1) for one SSRC: which packets are missing, and when to ask for them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace parley {

class NackTracker {
 public:
  // A packet that is out of order by less than this is not asked for.
  static constexpr int64_t kFirstAfterUs = 5'000;
  static constexpr int64_t kMinRetryUs = 20'000;
  // What has not come by then would be of no use to a player.
  static constexpr int64_t kGiveUpUs = 1'000'000;
  static constexpr uint8_t kMaxTries = 10;
  // More missing than this is an outage, not loss: a key frame is the cure.
  static constexpr size_t kMaxMissing = 256;
  static constexpr uint64_t kMaxDropout = 3000;

  // `sequence` is extended to 64 bits.
  void on_packet(uint64_t sequence, int64_t now_us);
  // Fills `out` with what to ask for now, ascending. `rtt_us` 0: unknown.
  void collect(int64_t now_us, int64_t rtt_us, std::vector<uint16_t>& out);
  bool idle() const { return missing_.empty(); }
  // Packets given up.
  uint64_t lost() const { return lost_; }
  // True once after a gap too large to repair.
  bool take_overflow() {
    const bool value = overflow_;
    overflow_ = false;
    return value;
  }

 private:
  struct Missing {
    uint64_t sequence;
    int64_t since_us;
    int64_t asked_us;
    uint8_t tries;
  };
  std::vector<Missing> missing_;
  uint64_t highest_ = 0;
  uint64_t lost_ = 0;
  bool started_ = false;
  bool overflow_ = false;
};

}  // namespace parley
