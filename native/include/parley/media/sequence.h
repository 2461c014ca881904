// Sequence numbers that wrap at 16 bits.
#pragma once

#include <cstdint>

namespace parley {

// Unwraps 16-bit numbers to 64 bits around the highest one seen. The first number n becomes 65,536 + n, so that packets
// from before it do not run below zero.
class SequenceUnwrapper {
 public:
  // The extended number, without taking note of it.
  uint64_t peek(uint16_t sequence) const {
    if (!started_) return uint64_t{65536} + sequence;
    const auto distance = static_cast<int16_t>(static_cast<uint16_t>(sequence - static_cast<uint16_t>(highest_)));
    return highest_ + static_cast<int64_t>(distance);
  }
  uint64_t unwrap(uint16_t sequence) {
    const uint64_t extended = peek(sequence);
    if (!started_ || extended > highest_) highest_ = extended;
    started_ = true;
    return extended;
  }
  uint64_t highest() const { return highest_; }
  bool started() const { return started_; }

 private:
  uint64_t highest_ = 0;
  bool started_ = false;
};

}  // namespace parley
