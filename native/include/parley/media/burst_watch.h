// Whether a camera sends its frames as bursts, told by the gaps between packets of one frame, and how long such a burst takes.
#pragma once

#include <algorithm>
#include <cstdint>

namespace parley {

class BurstWatch {
 public:
  // libwebrtc sends a camera's frame within half a millisecond; a link that spreads packets has wider gaps.
  static constexpr int64_t kGapUs = 250;
  // A receiver that has slept for so little may have held up its sender by working on the same core: such a gap is our own
  // work. One that has not slept at all found the packet there; its sender was free to send when it wanted.
  static constexpr int64_t kSleptUs = 5;
  static constexpr int64_t kBarelySleptUs = 50;

  // A frame that took longer was held up on its way.
  static constexpr int64_t kLongestUs = 1'000;

  // For each packet in order: when the kernel got it, and for how long the receiving thread has slept, all in all.
  // Frames are told apart by their RTP time.
  void on_packet(uint32_t timestamp, int64_t arrival_us, int64_t slept_us) {
    if (started_ && timestamp == timestamp_) {
      // By count, not by mean: one pause of the sender's scheduler says nothing about the link.
      const int64_t slept_for_us = slept_us - slept_us_;
      const bool held_up = slept_for_us > kSleptUs && slept_for_us < kBarelySleptUs;
      const bool gap = arrival_us - arrival_us_ > kGapUs;
      const bool wide = gap && !held_up;
      gap_in_frame_ |= gap;
      wide_gaps_q8_ += wide ? (256 - wide_gaps_q8_) / 16 : -wide_gaps_q8_ / 16;
    }
    if (!started_ || timestamp != timestamp_) {
      // Rises at once and falls slowly: frames differ by a packet or two, and the longer ones are to be whole when somebody looks.
      // With a gap in it, whoever made it, nobody can tell how long the next one takes: it is not waited for.
      const int64_t took_us = gap_in_frame_ ? 0 : arrival_us_ - first_us_;
      if (gap_in_frame_) took_us_ = 0;
      gap_in_frame_ = false;
      if (took_us > took_us_ && took_us <= kLongestUs) took_us_ = took_us;
      if (took_us < took_us_) took_us_ -= (took_us_ - took_us + 7) / 8;
      first_us_ = arrival_us;
    }
    started_ = true;
    timestamp_ = timestamp;
    arrival_us_ = arrival_us;
    slept_us_ = slept_us;
  }

  // When the last packet of the frame of the last packet is there, by the frames before.
  int64_t whole_at_us() const { return first_us_ + took_us_; }

  // Begins with "no": packets that come one by one must never wait for company.
  bool bursts() const { return wide_gaps_q8_ < 128; }

 private:
  bool started_ = false;
  uint32_t timestamp_ = 0;
  int64_t arrival_us_ = 0;
  int64_t first_us_ = 0;  // of the frame
  int64_t took_us_ = 0;
  bool gap_in_frame_ = false;
  int64_t slept_us_ = 0;
  // Share of the gaps within frames that are wide, in 1/256, smoothed.
  int32_t wide_gaps_q8_ = 256;
};

}  // namespace parley
