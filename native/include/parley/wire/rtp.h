// RTP packets (RFC 3550) with header extensions (RFC 8285): parsed once when they arrive, offsets only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace parley {

// Numbers equal HeaderExtension in protocol/proto/parley/bus/v1/session.proto.
enum class Extension : uint8_t {
  kNone = 0,
  kMid = 1,
  kRid = 2,
  kRepairedRid = 3,
  kTransportCc = 4,
  kAbsSendTime = 5,
  kAudioLevel = 6,
  kVideoOrientation = 7,
  kPlayoutDelay = 8,
  kAbsCaptureTime = 9,
  kDependencyDescriptor = 10,
  kVideoContentType = 11,
  kVideoTiming = 12,
};
inline constexpr size_t kExtensionCount = 13;

// Both directions of the table id <-> extension of one PeerConnection. Ids 1 to 255; 0 stands for "not negotiated".
class ExtensionMap {
 public:
  void set(uint8_t id, Extension extension) {
    if (id == 0 || static_cast<size_t>(extension) >= kExtensionCount) return;
    if (id < by_id_.size()) by_id_[id] = extension;
    ids_[static_cast<size_t>(extension)] = id;
  }
  void clear() { *this = ExtensionMap(); }
  Extension of(uint8_t id) const { return id < by_id_.size() ? by_id_[id] : Extension::kNone; }
  uint8_t id(Extension extension) const { return ids_[static_cast<size_t>(extension)]; }

 private:
  // Ids above 31 are not handed out by any client seen; they are ignored.
  std::array<Extension, 32> by_id_{};
  std::array<uint8_t, kExtensionCount> ids_{};
};

struct ExtensionValue {
  uint16_t offset = 0;  // of the value from the start of the packet; 0: not there
  uint8_t size = 0;
};

struct RtpHeader {
  uint16_t header_size = 0;   // fixed header, CSRCs, extension block
  uint16_t payload_size = 0;  // without padding
  uint16_t sequence = 0;
  uint8_t payload_type = 0;
  bool marker = false;
  uint8_t padding = 0;
  uint32_t timestamp = 0;
  uint32_t ssrc = 0;
  std::array<ExtensionValue, kExtensionCount> extensions{};

  const ExtensionValue& extension(Extension e) const { return extensions[static_cast<size_t>(e)]; }
};

inline constexpr size_t kRtpFixedSize = 12;

// The fixed header, the extension elements by `map` and the padding of a plain packet. False for anything malformed: version,
// lengths that overrun, padding longer than the payload. A damaged extension element ends the search, as RFC 8285 4.1.2 has it.
bool parse_rtp(std::span<const uint8_t> packet, const ExtensionMap& map, RtpHeader& header);

// RTCP by its packet type, where RTP and RTCP share a port (RFC 5761 4).
inline bool is_rtcp(std::span<const uint8_t> packet) {
  return packet.size() >= 2 && packet[1] >= 192 && packet[1] <= 223;
}

// Writes an extension block (RFC 8285) behind the CSRCs of a header. One-byte form until an id above 14 or a value above 16
// bytes or an empty one asks for the two-byte form.
class ExtensionWriter {
 public:
  // `at` is where the block begins; it has at least kMaxBlock bytes.
  static constexpr size_t kMaxBlock = 256;
  explicit ExtensionWriter(uint8_t* at, bool two_byte) : at_(at), two_byte_(two_byte) {}

  // Space for a value of `size` (1 to 16 in one-byte form) bytes; null when it does not fit.
  uint8_t* add(uint8_t id, size_t size) {
    const size_t head = two_byte_ ? 2 : 1;
    if (used_ + head + size > kMaxBlock - 4 || id == 0 || size == 0 || size > 255 || (!two_byte_ && (size > 16 || id > 14))) {
      return nullptr;
    }
    uint8_t* p = at_ + 4 + used_;
    if (two_byte_) {
      p[0] = id;
      p[1] = static_cast<uint8_t>(size);
    } else {
      p[0] = static_cast<uint8_t>(id << 4 | (size - 1));
    }
    used_ += head + size;
    return p + head;
  }

  // Bytes of the whole block, 0 when it has no element.
  size_t finish();

 private:
  uint8_t* at_;
  size_t used_ = 0;
  bool two_byte_;
};

}  // namespace parley
