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
  // 8 is free: feedback has a ring of its own.
};

// What a subscriber's transport-wide feedback came to, in a ring of its own: the length of EventRing, this, and `groups` of TwccGroup. All
// of it in multiples of 8 bytes, so that adapters/media-native/src/transport-feedback.ts reads it in place, by typed arrays.
struct FeedbackRecord {
  uint32_t delay_us;
  uint32_t peer_index;  // of its handle, apart: by which its reader finds who wants it
  uint32_t peer_generation;
  double arrival_us;
  uint32_t packets;
  uint32_t bytes;
  uint32_t lost;
  uint32_t groups;
} __attribute__((packed));
static_assert(sizeof(FeedbackRecord) == 36, "with the length in front a multiple of 8");

}  // namespace parley
