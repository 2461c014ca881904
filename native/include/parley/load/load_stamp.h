// What the synthetic camera writes into each payload behind the codec's descriptor, so that viewers can tell when it was sent and what
// belongs together.
#pragma once

#include <cstddef>
#include <cstdint>

#include "parley/wire/bytes.h"

namespace parley {

// VP8: X and S, I, 15 bits of picture id, then the frame's first byte. Opus: its first byte.
inline constexpr size_t kLoadVp8Header = 5;
inline constexpr size_t kLoadOpusHeader = 1;

struct LoadStamp {
  static constexpr size_t kSize = 21;
  uint64_t sent_us = 0;  // CLOCK_REALTIME, before the send call
  uint32_t source = 0;   // which camera
  uint32_t packet = 0;   // counts its packets, video and audio
  uint32_t frame = 0;    // counts its frames
  uint8_t frame_packets = 0;  // packets of this frame; 0: audio

  void write(uint8_t* out) const {
    store64(out, sent_us);
    store32(out + 8, source);
    store32(out + 12, packet);
    store32(out + 16, frame);
    out[20] = frame_packets;
  }
  static LoadStamp read(const uint8_t* in) { return {load64(in), load32(in + 8), load32(in + 12), load32(in + 16), in[20]}; }
};

}  // namespace parley
