// What the engine knows of a received media packet, kept beside its bytes.
#pragma once

#include <cstdint>
#include <new>

#include "parley/media/slot_rewriter.h"
#include "parley/net/packet_buffer.h"
#include "parley/net/path_address.h"
#include "parley/wire/codecs.h"
#include "parley/wire/rtp.h"

namespace parley {

// Written by the publisher's worker before anybody else sees the packet, read-only afterwards.
struct MediaMeta {
  RtpHeader rtp;
  PayloadInfo info;
  SlotInput input;
  Codec codec = Codec::kNone;
  bool begins = false;     // a slot may start or switch here
  bool more_soon = false;  // the frame goes on, and by experience within a fraction of a millisecond
};
static_assert(sizeof(MediaMeta) <= kPacketMetaBytes, "kPacketMetaBytes");

// A raw datagram on its way to the worker that owns its peer.
struct RawMeta {
  PathAddress path;
};

inline MediaMeta& media_meta(PacketBuffer& buffer) { return *reinterpret_cast<MediaMeta*>(buffer.meta); }
inline const MediaMeta& media_meta(const PacketBuffer& buffer) {
  return *reinterpret_cast<const MediaMeta*>(buffer.meta);
}
inline RawMeta& raw_meta(PacketBuffer& buffer) { return *reinterpret_cast<RawMeta*>(buffer.meta); }

}  // namespace parley
