// From a publisher's RTP timestamps to this node's clock.
#pragma once

#include <cstdint>

namespace parley {

// NTP's 32.32 seconds in microseconds, and back.
inline int64_t ntp_to_us(uint64_t ntp) {
  return static_cast<int64_t>(ntp >> 32) * 1'000'000 + static_cast<int64_t>(((ntp & 0xffffffff) * 1'000'000) >> 32);
}
inline uint64_t us_to_ntp(int64_t us) {
  const auto seconds = static_cast<uint64_t>(us / 1'000'000);
  const auto rest = static_cast<uint64_t>(us % 1'000'000);
  return seconds << 32 | ((rest << 32) / 1'000'000);
}

// Offset from a publisher's NTP clock to ours, shared by all tracks of a peer, so that its audio and video stay together.
// A sender report is never early: the smallest offset seen of late is the truest. Two windows of ten seconds let a
// drifting clock be followed (200 ppm move it by 2 ms in that time).
// What the tracks see moves by 1 % of the time at most: as much as an audio slot can follow, else a better estimate would
// part lips and sound until the audio had caught up.
class PublisherClock {
 public:
  static constexpr int64_t kWindowUs = 10'000'000;
  // The first reports of a publisher may correct the offset at once: slots that follow it are as young as it is.
  static constexpr int64_t kSettleUs = 2'000'000;
  static constexpr int64_t kJumpUs = 5'000'000;

  void on_sender_report(int64_t sender_us, int64_t arrival_us) {
    const int64_t offset = arrival_us - sender_us;
    // A publisher whose clock was set anew begins again.
    const bool jumped = known_ && (offset - offset_us_ > kJumpUs || offset_us_ - offset > kJumpUs);
    if (!known_ || jumped) {
      known_ = true;
      offset_us_ = previous_us_ = current_us_ = offset;
      window_start_us_ = first_us_ = last_us_ = arrival_us;
      return;
    }
    if (arrival_us - window_start_us_ > kWindowUs) {
      previous_us_ = current_us_;
      current_us_ = offset;
      window_start_us_ = arrival_us;
    } else if (offset < current_us_) {
      current_us_ = offset;
    }
    const int64_t target = previous_us_ < current_us_ ? previous_us_ : current_us_;
    int64_t step = target - offset_us_;
    if (arrival_us - first_us_ > kSettleUs) {
      const int64_t limit = (arrival_us - last_us_) / 100;
      step = step > limit ? limit : step < -limit ? -limit : step;
    }
    offset_us_ += step;
    last_us_ = arrival_us;
  }
  bool known() const { return known_; }
  int64_t to_node_us(int64_t sender_us) const { return sender_us + offset_us_; }

 private:
  int64_t offset_us_ = 0;
  int64_t previous_us_ = 0;
  int64_t current_us_ = 0;
  int64_t window_start_us_ = 0;
  int64_t first_us_ = 0;
  int64_t last_us_ = 0;
  bool known_ = false;
};

// RTP time of one track to capture time in the node's clock, microseconds. By arrival until the first sender report.
class TrackClock {
 public:
  static constexpr int64_t kCredibleUs = 5'000'000;
  // A lone report is believed when it is not far from what arrival says; a second one that agrees with the first in pace
  // confirms both. Real lateness (encoder, queue) is mostly below this.
  static constexpr int64_t kUnconfirmedUs = 400'000;
  // Two reports agree when the media time between them is the sender's time between them, but for jitter and drift.
  static constexpr int64_t kPaceToleranceUs = 50'000;
  static constexpr int64_t kPaceFromUs = 100'000;

  void set_rate(uint32_t clock_rate_hz) { rate_ = clock_rate_hz; }

  // Every packet in order of arrival; keeps the smallest delay seen as the anchor.
  void on_packet(uint32_t timestamp, int64_t arrival_us) {
    if (!started_) {
      started_ = true;
      anchor_timestamp_ = timestamp;
      anchor_us_ = arrival_us;
      return;
    }
    const int64_t predicted = by_anchor(timestamp);
    // Earlier than predicted: the anchor had more delay. A jump of seconds: the publisher's timestamps began anew.
    if (arrival_us < predicted || arrival_us - predicted > 5'000'000) {
      anchor_us_ = arrival_us;
    } else {
      // A little later each time, so that a publisher whose clock runs slow is followed.
      anchor_us_ = predicted + (arrival_us - predicted) / 1024;
    }
    anchor_timestamp_ = timestamp;
  }
  void on_sender_report(uint64_t ntp, uint32_t timestamp) {
    const int64_t sender_us = ntp_to_us(ntp);
    if (ntp == 0) {
      reported_ = false;
      pace_ = Pace::kUnknown;
      return;
    }
    const int64_t elapsed_us = sender_us - report_us_;
    if (reported_ && elapsed_us >= 0 && elapsed_us < kPaceFromUs) return;  // tells nothing new
    if (reported_) {
      // GStreamer's webrtcbin (1.22) reports RTP times that run at twice the pace of its packets.
      const int64_t apart = ticks_to_us(static_cast<int32_t>(timestamp - report_timestamp_)) - elapsed_us;
      const int64_t allowed = kPaceToleranceUs + elapsed_us / 20;
      pace_ = elapsed_us > 0 && apart < allowed && apart > -allowed ? Pace::kConfirmed : Pace::kContradicted;
    }
    report_us_ = sender_us;
    report_timestamp_ = timestamp;
    reported_ = true;
  }
  // Whether the time of this packet comes from a report.
  bool by_report(uint32_t timestamp, const PublisherClock& clock) const {
    if (!reported_ || !clock.known() || pace_ == Pace::kContradicted) return false;
    // Reports whose RTP time has nothing to do with the packets have been seen in the wild; then arrival is the better guide.
    const int64_t apart = by_reports(timestamp, clock) - by_anchor(timestamp);
    const int64_t limit = pace_ == Pace::kConfirmed ? kCredibleUs : kUnconfirmedUs;
    return apart <= limit && apart >= -limit;
  }

  int64_t capture_us(uint32_t timestamp, const PublisherClock& clock) const {
    return by_report(timestamp, clock) ? by_reports(timestamp, clock) : by_anchor(timestamp);
  }

 private:
  enum class Pace : uint8_t { kUnknown, kConfirmed, kContradicted };

  int64_t by_reports(uint32_t timestamp, const PublisherClock& clock) const {
    return clock.to_node_us(report_us_ + ticks_to_us(static_cast<int32_t>(timestamp - report_timestamp_)));
  }
  int64_t ticks_to_us(int32_t ticks) const { return int64_t{ticks} * 1'000'000 / rate_; }
  int64_t by_anchor(uint32_t timestamp) const {
    return anchor_us_ + ticks_to_us(static_cast<int32_t>(timestamp - anchor_timestamp_));
  }

  uint32_t rate_ = 90'000;
  uint32_t anchor_timestamp_ = 0;
  int64_t anchor_us_ = 0;
  int64_t report_us_ = 0;
  uint32_t report_timestamp_ = 0;
  bool started_ = false;
  bool reported_ = false;
  Pace pace_ = Pace::kUnknown;
};

}  // namespace parley
