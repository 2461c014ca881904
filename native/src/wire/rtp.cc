#include "parley/wire/rtp.h"

#include "parley/wire/bytes.h"

namespace parley {
namespace {

// RFC 8285 4.2 and 4.3.
constexpr uint16_t kOneByteProfile = 0xbede;
constexpr uint16_t kTwoByteProfile = 0x1000;

void note(RtpHeader& header, const ExtensionMap& map, uint8_t id, size_t offset, size_t size) {
  const Extension extension = map.of(id);
  if (extension == Extension::kNone || size == 0) return;
  header.extensions[static_cast<size_t>(extension)] = {static_cast<uint16_t>(offset), static_cast<uint8_t>(size)};
}

void read_one_byte(const uint8_t* data, size_t offset, size_t end, const ExtensionMap& map, RtpHeader& header) {
  while (offset < end) {
    const uint8_t head = data[offset];
    if (head == 0) {
      ++offset;
      continue;
    }
    const uint8_t id = head >> 4;
    const size_t size = (head & 15) + 1u;
    // 15 is reserved and ends the block.
    if (id == 15 || offset + 1 + size > end) return;
    if (id != 0) note(header, map, id, offset + 1, size);
    offset += 1 + size;
  }
}

void read_two_byte(const uint8_t* data, size_t offset, size_t end, const ExtensionMap& map, RtpHeader& header) {
  while (offset < end) {
    const uint8_t id = data[offset];
    if (id == 0) {
      ++offset;
      continue;
    }
    if (offset + 2 > end) return;
    const size_t size = data[offset + 1];
    if (offset + 2 + size > end) return;
    note(header, map, id, offset + 2, size);
    offset += 2 + size;
  }
}

}  // namespace

bool parse_rtp(std::span<const uint8_t> packet, const ExtensionMap& map, RtpHeader& header) {
  if (packet.size() < kRtpFixedSize || packet.size() > 0xffff) return false;
  const uint8_t* data = packet.data();
  if (data[0] >> 6 != 2) return false;
  size_t offset = kRtpFixedSize + (data[0] & 15) * 4u;
  if (offset > packet.size()) return false;
  header.marker = (data[1] & 0x80) != 0;
  header.payload_type = data[1] & 0x7f;
  header.sequence = load16(data + 2);
  header.timestamp = load32(data + 4);
  header.ssrc = load32(data + 8);
  header.extensions = {};
  if ((data[0] & 0x10) != 0) {
    if (offset + 4 > packet.size()) return false;
    const uint16_t profile = load16(data + offset);
    const size_t end = offset + 4 + load16(data + offset + 2) * 4u;
    if (end > packet.size()) return false;
    if (profile == kOneByteProfile) {
      read_one_byte(data, offset + 4, end, map, header);
    } else if ((profile & 0xfff0) == kTwoByteProfile) {
      read_two_byte(data, offset + 4, end, map, header);
    }
    offset = end;
  }
  header.header_size = static_cast<uint16_t>(offset);
  header.padding = 0;
  if ((data[0] & 0x20) != 0) {
    const uint8_t padding = packet[packet.size() - 1];
    if (padding == 0 || offset + padding > packet.size()) return false;
    header.padding = padding;
  }
  header.payload_size = static_cast<uint16_t>(packet.size() - offset - header.padding);
  return true;
}

size_t ExtensionWriter::finish() {
  if (used_ == 0) return 0;
  const size_t padded = (used_ + 3) & ~size_t{3};
  store16(at_, two_byte_ ? kTwoByteProfile : kOneByteProfile);
  store16(at_ + 2, static_cast<uint16_t>(padded / 4));
  for (size_t i = used_; i < padded; ++i) at_[4 + i] = 0;
  return 4 + padded;
}

}  // namespace parley
