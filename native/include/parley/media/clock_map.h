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
    report_us_ = ntp_to_us(ntp);
    report_timestamp_ = timestamp;
    reported_ = ntp != 0;
  }
  bool by_report(const PublisherClock& clock) const { return reported_ && clock.known(); }

  int64_t capture_us(uint32_t timestamp, const PublisherClock& clock) const {
    const int64_t arrived = by_anchor(timestamp);
    if (!by_report(clock)) return arrived;
    const int64_t captured = clock.to_node_us(report_us_ + ticks_to_us(static_cast<int32_t>(timestamp - report_timestamp_)));
    // Reports whose RTP time has nothing to do with the packets have been seen in the wild; then arrival is the better guide.
    const int64_t apart = captured - arrived;
    return apart > kCredibleUs || apart < -kCredibleUs ? arrived : captured;
  }

 private:
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
};

}  // namespace parley
