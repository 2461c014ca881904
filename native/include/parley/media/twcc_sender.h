// What a subscriber's transport-wide feedback says, reduced where it arrives: the bandwidth estimator (TypeScript) gets a line per
// burst of packets, not per packet.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "parley/wire/prefetch.h"
#include "parley/wire/twcc.h"

namespace parley {

// Packets that were sent together (within kBurstUs of the first). Deltas are against the group before, between the last packets
// that arrived of each, as Google's congestion control takes them (draft-ietf-rmcat-gcc-02 5.2).
struct TwccGroup {
  int32_t send_delta_us = 0;
  int32_t receive_delta_us = 0;
  uint32_t bytes = 0;  // that arrived
  uint16_t packets = 0;
  uint16_t lost = 0;
};

// The sums of one report.
struct TwccSummary {
  uint32_t packets = 0;
  uint32_t bytes = 0;
  uint32_t lost = 0;     // one that comes after all counts as a packet later
  uint32_t unknown = 0;  // reported before, or sent too long ago
  // From the sending of the newest packet it tells of to its arrival here: the round trip and how long the report waited. 0 unknown.
  int64_t feedback_delay_us = 0;
};

class alignas(kCacheLine) TwccSender {
 public:
  // 512 packets are 250 ms of 20 Mb/s, two seconds of a camera. 8 bytes each: 4 kB a subscriber.
  static constexpr size_t kHistory = 512;
  // libwebrtc's pacer sends every 5 ms: packets of one turn queue behind each other and say nothing of the path.
  static constexpr int64_t kBurstUs = 5'000;
  // The groups of one report; what is more is merged into the last.
  static constexpr size_t kMaxGroups = 64;

  // Each packet as it is sent, in order of sequence.
  void on_sent(uint16_t sequence, size_t bytes, int64_t now_us) {
    Entry& entry = entries_[sequence % kHistory];
    entry.sent_us = static_cast<uint32_t>(now_us);
    entry.sequence = sequence;
    entry.bytes_and_state = static_cast<uint16_t>((bytes > kMaxBytes ? kMaxBytes : bytes) | kSent);
  }

  // The packet goes out once more under its number: when it arrives says nothing any more.
  void forget(uint16_t sequence) {
    Entry& entry = entries_[sequence % kHistory];
    if (entry.sequence == sequence) entry.bytes_and_state = 0;
  }

  // Ahead of on_feedback: first all but the ring, some steps later the place in it that the next report most likely begins with.
  void expect() const { prefetch(this, offsetof(TwccSender, entries_)); }
  void expect_report() const { prefetch(&entries_[next_ % kHistory], kCacheLine); }
  // Ahead of on_sent.
  void expect_sent(uint16_t sequence) const { prefetch(&entries_[sequence % kHistory]); }

  // Fills `groups` with those that are complete: the last one of a report is kept until a packet of a later one is reported.
  // Returns their number.
  size_t on_feedback(const TwccView& feedback, int64_t now_us, std::array<TwccGroup, kMaxGroups>& groups, TwccSummary& summary);

 private:
  static constexpr uint16_t kSent = 0x8000;
  // Told as lost; a later report may still tell that it came after all (out of order).
  static constexpr uint16_t kToldLost = 0x4000;
  static constexpr uint16_t kMaxBytes = 0x3fff;
  struct Entry {
    uint32_t sent_us = 0;  // low bits of the monotonic time
    uint16_t sequence = 0;
    uint16_t bytes_and_state = 0;  // 0: never sent, or reported already
  };
  struct Open {
    TwccGroup sums;
    int64_t first_sent_us = 0;
    int64_t last_sent_us = 0;
    int64_t last_arrival_us = 0;
    bool any = false;
    bool arrived = false;
  };

  bool close_open(TwccGroup& out);

  Open open_;
  // The last closed group that had an arrival.
  int64_t before_sent_us_ = 0;
  int64_t before_arrival_us_ = 0;
  bool before_known_ = false;
  // The receiver's clock, unwrapped.
  int64_t arrival_base_us_ = 0;
  int64_t last_raw_us_ = 0;
  bool arrival_known_ = false;
  uint16_t next_ = 0;  // behind the last one that was reported
  std::array<Entry, kHistory> entries_{};
};

}  // namespace parley
