// What a browser's camera at 1.5 Mb/s and its microphone put on the wire, as a schedule that repeats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace parley {

enum class LoadProfile : uint8_t {
  kBurst,   // the packets of a frame within half a millisecond, as Chromium sends them
  kSpread,  // each packet by itself, half a millisecond apart, as they come over a real uplink
};

struct LoadPacket {
  int64_t at_us = 0;  // from the start of the pattern
  int64_t frame_us = 0;  // when its frame began: what it is stamped with
  uint16_t payload_size = 0;
  bool audio = false;
  bool first_of_frame = false;
  bool last_of_frame = false;
  uint8_t frame_packets = 1;
};

struct LoadPattern {
  std::vector<LoadPacket> packets;  // by time
  int64_t length_us = 0;
  LoadProfile profile = LoadProfile::kBurst;
};

// Four seconds at pace 1: video of 30 frames/s in 5 to 6 packets of sizes N..N and then N+1 (as recorded from Chromium, whose packetiser spreads
// a frame's bytes evenly: it is the last that is longer), Opus every 20 ms. At pace 2 frames and sounds come twice as often; what a frame
// is, and how its packets follow each other, stays (unless the frames would overlap).
LoadPattern make_load_pattern(LoadProfile profile, double pace = 1);

}  // namespace parley
