// What the payload of a video packet says to a forwarder: where key frames begin and which numbers have to go on smoothly
// when a slot switches to another publisher.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace parley {

// Numbers equal Codec in protocol/proto/parley/bus/v1/session.proto.
enum class Codec : uint8_t { kNone = 0, kOpus = 1, kVp8 = 2, kVp9 = 3, kH264 = 4, kH265 = 5, kAv1 = 6, kRed = 7 };

struct PayloadInfo {
  // A decoder can begin with this packet.
  bool key_frame = false;
  // H264 and H265: an IDR without its parameter sets. A beginning only where they never come in band.
  bool bare_key_frame = false;
  // VP8 (RFC 7741 4.2) and VP9 (RFC 9628 4.2): offsets in the payload, 0 when absent. No descriptor begins with these fields.
  uint8_t picture_id_offset = 0;
  bool picture_id_long = false;  // 15 bits, else 7
  uint16_t picture_id = 0;
  uint8_t tl0_offset = 0;
  uint8_t tl0 = 0;
};

// Reads no more than the first bytes; a payload that is too short has nothing to say.
PayloadInfo inspect_payload(Codec codec, std::span<const uint8_t> payload);

// Frame number of a dependency descriptor (AV1 RTP payload specification A.8.2): 16 bits behind the first byte.
inline constexpr size_t kDependencyFrameNumberOffset = 1;
inline constexpr size_t kDependencyMandatorySize = 3;

}  // namespace parley
