// Smoothed speech level of a track from RFC 6464 values.
#pragma once

#include <cstdint>

namespace parley {

class AudioLevel {
 public:
  // The extension's byte: V flag and the level in -dBov, 127 is silence.
  void on_packet(uint8_t value) {
    const int loudness = 127 - (value & 0x7f);
    // Up in a few packets, down in some 300 ms at 50 packets/s, so that pauses between words do not count as silence.
    level_q8_ += ((loudness << 8) - level_q8_) / ((loudness << 8) > level_q8_ ? 4 : 16);
  }
  void decay() { level_q8_ -= level_q8_ / 4; }
  // 0 silence to 127 loudest.
  uint8_t level() const { return static_cast<uint8_t>(level_q8_ >> 8); }

 private:
  int level_q8_ = 0;
};

}  // namespace parley
