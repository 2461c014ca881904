#include "parley/load/load_pattern.h"

#include <algorithm>

namespace parley {
namespace {

constexpr int64_t kLengthUs = 4'000'000;
constexpr int64_t kFrames = 120;
constexpr int64_t kOpusPackets = 200;
// Five gaps of 80 us are within the half millisecond that was recorded.
constexpr int64_t kBurstGapUs = 80;
constexpr int64_t kSpreadGapUs = 500;
// libwebrtc's largest video payload.
constexpr uint32_t kMaxPayload = 1'200;
// Frames of 5,200 to 6,400 bytes: 1.4 Mb/s of payload, 1.5 with headers.
constexpr uint32_t kFrameMin = 5'200;
constexpr uint32_t kFrameSpan = 1'200;
// Opus at 40 kb/s.
constexpr uint16_t kOpusPayload = 100;

}  // namespace

LoadPattern make_load_pattern(LoadProfile profile, double pace) {
  LoadPattern pattern;
  const auto length_us = static_cast<int64_t>(static_cast<double>(kLengthUs) / pace);
  pattern.length_us = length_us;
  pattern.profile = profile;
  constexpr int64_t kMostPackets = (kFrameMin + kFrameSpan + kMaxPayload - 1) / kMaxPayload;
  const int64_t gap_us = std::min(profile == LoadProfile::kBurst ? kBurstGapUs : kSpreadGapUs, length_us / kFrames / kMostPackets);
  uint32_t noise = 12345;
  for (int64_t frame = 0; frame < kFrames; ++frame) {
    noise = noise * 1664525 + 1013904223;
    const uint32_t bytes = kFrameMin + (noise >> 8) % kFrameSpan;
    const uint32_t packets = (bytes + kMaxPayload - 1) / kMaxPayload;
    const int64_t frame_us = frame * length_us / kFrames;
    for (uint32_t i = 0; i < packets; ++i) {
      const uint32_t longer = i == packets - 1 ? 1 : 0;
      pattern.packets.push_back({frame_us + i * gap_us, frame_us, static_cast<uint16_t>(bytes / packets + longer), false, i == 0,
                                 i == packets - 1, static_cast<uint8_t>(packets)});
    }
  }
  for (int64_t i = 0; i < kOpusPackets; ++i) {
    const int64_t at_us = (i * length_us + length_us * 45 / 100) / kOpusPackets;
    pattern.packets.push_back({at_us, at_us, kOpusPayload, true, true, true, 1});
  }
  std::stable_sort(pattern.packets.begin(), pattern.packets.end(),
                   [](const LoadPacket& a, const LoadPacket& b) { return a.at_us < b.at_us; });
  return pattern;
}

}  // namespace parley
