// What a worker tells the main thread. Records are decoded in adapters/media-native/src/events.ts: one byte of type, then the
// fields without gaps, little endian; handles as u64.
#pragma once

#include <cstdint>

namespace parley {

enum class EventType : uint8_t {
  kStun = 1,        // path, datagram
  kNominated = 2,   // peer, path
  kDtls = 3,        // peer, path, datagram
  kSsrc = 4,        // track, u32 ssrc, rid
  kSlotStarted = 5, // slot, track
  kPathClosed = 6,  // peer, path
  kTrackEnded = 7,  // track
  // peer, u64 time of arrival in us, u32 feedback delay in us, u32 packets, u32 bytes, u32 lost; then for each group: i32 send delta in us,
  // i32 arrival delta in us, u32 bytes, u16 packets, u16 lost.
  kTransportFeedback = 8,
};

}  // namespace parley
