// Making one packet for one subscriber: header, extensions and payload as its slot has them, encrypted in place.
#include <cstring>

#include "engine/out_packet.h"

namespace parley {
namespace {

// RFC 3550 5.1: the last byte counts the padding.
struct PaddingTable {
  uint8_t bytes[kMaxPadding + 1][kMaxPadding] = {};
  constexpr PaddingTable() {
    for (size_t n = 1; n <= kMaxPadding; ++n) bytes[n][n - 1] = static_cast<uint8_t>(n);
  }
};
constexpr PaddingTable kPadding;

constexpr Extension kForwarded[] = {
    Extension::kAudioLevel,       Extension::kVideoOrientation,     Extension::kPlayoutDelay, Extension::kAbsCaptureTime,
    Extension::kVideoContentType, Extension::kDependencyDescriptor, Extension::kVideoTiming,
};

}  // namespace

void Worker::build_block(Peer& peer, Slot& slot, BatchPacket& in) {
  const MediaMeta& meta = media_meta(*in.packet);
  bool two_byte = peer.two_byte_extensions;
  for (const Extension extension : kForwarded) {
    const ExtensionValue& value = meta.rtp.extension(extension);
    if (value.offset != 0 && value.size > 16 && peer.extensions.id(extension) != 0) two_byte = true;
  }
  ExtensionWriter writer(in.block, two_byte);
  in.mid_offset = in.twcc_offset = in.time_offset = in.descriptor_offset = 0;
  const auto offset_of = [&in](const uint8_t* value) { return static_cast<uint8_t>(value - in.block); };
  if (const uint8_t id = peer.extensions.id(Extension::kTransportCc); id != 0) {
    if (uint8_t* value = writer.add(id, 2)) in.twcc_offset = offset_of(value);
  }
  if (const uint8_t id = peer.extensions.id(Extension::kAbsSendTime); id != 0) {
    if (uint8_t* value = writer.add(id, 3)) in.time_offset = offset_of(value);
  }
  if (const uint8_t id = peer.extensions.id(Extension::kMid); id != 0 && !slot.mid.empty()) {
    if (uint8_t* value = writer.add(id, slot.mid.size())) in.mid_offset = offset_of(value);
  }
  for (const Extension extension : kForwarded) {
    const ExtensionValue& value = meta.rtp.extension(extension);
    const uint8_t id = peer.extensions.id(extension);
    if (value.offset == 0 || value.size == 0 || id == 0) continue;
    uint8_t* to = writer.add(id, value.size);
    if (to == nullptr) continue;
    std::memcpy(to, in.packet->data() + value.offset, value.size);
    if (extension == Extension::kDependencyDescriptor && value.size >= kDependencyMandatorySize) {
      in.descriptor_offset = offset_of(to);
    }
  }
  in.block_size = static_cast<uint16_t>(writer.finish());
  in.block_signature = slot.signature;
}

size_t Worker::write_header(Peer& peer, const OutPacket& out, uint8_t* to, size_t padding) {
  const BatchPacket& in = *out.in;
  const MediaMeta& meta = media_meta(*in.packet);
  const Slot& slot = *out.slot;
  // One CSRC: the stream's id, by which receivers know whom they hear or see.
  to[0] = static_cast<uint8_t>(0x81 | (in.block_size > 0 ? 0x10 : 0) | (padding > 0 ? 0x20 : 0));
  to[1] = static_cast<uint8_t>((meta.rtp.marker ? 0x80 : 0) | out.payload_type);
  store16(to + 2, static_cast<uint16_t>(out.index));
  store32(to + 4, out.timestamp);
  store32(to + 8, slot.ssrc);
  store32(to + 12, in.stream_id);
  uint8_t* block = to + 16;
  std::memcpy(block, in.block, in.block_size);
  if (in.twcc_offset != 0) store16(block + in.twcc_offset, peer.transport_sequence++);
  if (in.time_offset != 0) store24(block + in.time_offset, abs_send_time_);
  if (in.mid_offset != 0) std::memcpy(block + in.mid_offset, slot.mid.data(), slot.mid.size());
  if (in.descriptor_offset != 0 && out.frame_number_delta != 0) {
    store16(block + in.descriptor_offset + kDependencyFrameNumberOffset,
            static_cast<uint16_t>(meta.input.frame_number + out.frame_number_delta));
  }
  return 16 + in.block_size;
}

size_t Worker::protect_out(Peer& peer, const OutPacket& out, uint8_t* to, size_t capacity, size_t padding,
                           SrtpTagBatch* batch) {
  const BatchPacket& in = *out.in;
  const size_t header = write_header(peer, out, to, padding);
  uint8_t patched[kPatchRoom];
  std::span<const uint8_t> pieces[3];
  size_t count = payload_pieces(out, patched, pieces);
  if (padding > 0) pieces[count++] = {kPadding.bytes[padding], padding};
  if (out.slot->sent != nullptr) {
    SentExtras& sent = (*out.slot->sent)[out.index & 0xff];
    sent.sequence = static_cast<uint16_t>(out.index);
    sent.transport_sequence = static_cast<uint16_t>(peer.transport_sequence - 1);
    sent.time_and_padding = abs_send_time_ << 8 | static_cast<uint32_t>(padding);
    sent.signature = static_cast<uint32_t>(out.slot->signature);
    sent.payload_type = out.payload_type;
    sent.valid = true;
  }
  if (out.index >= out.slot->sent_end) out.slot->sent_end = out.index + 1;
  const SrtpResult result = peer.send->protect_rtp(to, header, capacity, {pieces, count}, out.index, batch);
  if (in.twcc_offset != 0 && peer.twcc_sent != nullptr) {
    peer.twcc_sent->on_sent(static_cast<uint16_t>(peer.transport_sequence - 1), result.size, send_us_);
  }
  return result.ok() ? result.size : 0;
}

}  // namespace parley
