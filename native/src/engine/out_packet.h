// A packet on its way to one subscriber, and its payload with that subscriber's numbers in it.
#pragma once

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include "parley/engine/worker.h"
#include "parley/wire/bytes.h"

namespace parley {

// Padding a packet by so much costs less than a message of its own (about a microsecond); Chromium's bursts differ by 1.
constexpr size_t kMaxPadding = 20;
// Room in front of the payload: fixed header, one CSRC, extension block.
constexpr size_t kHeaderRoom = kRtpFixedSize + 4 + ExtensionWriter::kMaxBlock;
constexpr size_t kMaxOut = kHeaderRoom + kPacketCapacity + kMaxPadding + kSrtpMaxOverhead;
// Bytes in which a payload descriptor's running numbers lie.
constexpr size_t kPatchRoom = 64;

// -1: the slot does not have it.
inline int map_payload_type(const std::vector<PayloadTypeMap>& map, uint8_t from) {
  for (const PayloadTypeMap& entry : map) {
    if (entry.from == from) return entry.to;
  }
  return -1;
}

// The numbers of a payload descriptor (VP8: RFC 7741 4.2, VP9: RFC 9628 4.2) as the slot counts them. `to` has the first `size` bytes of it.
inline void patch_descriptor(uint8_t* to, size_t size, const PayloadInfo& info, const OutPacket& out) {
  if (info.picture_id_offset != 0 && info.picture_id_offset + (info.picture_id_long ? 2u : 1u) <= size) {
    const auto id = static_cast<uint16_t>(info.picture_id + out.picture_id_delta);
    if (info.picture_id_long) {
      store16(to + info.picture_id_offset, static_cast<uint16_t>(0x8000 | (id & 0x7fff)));
    } else {
      to[info.picture_id_offset] = static_cast<uint8_t>(id & 0x7f);
    }
  }
  if (info.tl0_offset != 0 && info.tl0_offset < size) {
    to[info.tl0_offset] = static_cast<uint8_t>(info.tl0 + out.tl0_delta);
  }
}

// Puts the payload into `pieces`, one or two: what differs from the publisher's is written to `patched`. Returns how many.
inline size_t payload_pieces(const OutPacket& out, uint8_t (&patched)[kPatchRoom], std::span<const uint8_t>* pieces) {
  const MediaMeta& meta = media_meta(*out.in->packet);
  const std::span<const uint8_t> payload{out.in->packet->data() + meta.rtp.header_size, meta.rtp.payload_size};
  if (out.picture_id_delta != 0 || out.tl0_delta != 0) {
    const PayloadInfo& info = meta.info;
    const size_t size = std::min<size_t>(std::max<size_t>(info.picture_id_offset + 2u, info.tl0_offset + 1u), payload.size());
    if (size <= kPatchRoom) {
      std::memcpy(patched, payload.data(), size);
      patch_descriptor(patched, size, info, out);
      pieces[0] = {patched, size};
      pieces[1] = payload.subspan(size);
      return 2;
    }
  }
  pieces[0] = payload;
  return 1;
}

}  // namespace parley
