// Whether a camera sends its frames as bursts, told by the gaps between packets of one frame.
#pragma once

#include <cstdint>

namespace parley {

class BurstWatch {
 public:
  // libwebrtc sends a camera's frame within half a millisecond; a link that spreads packets has wider gaps.
  static constexpr int64_t kGapUs = 250;
  // Who waited less for a packet found it there already, or holds up its sender by working on the same core: a gap that is
  // our own work says nothing about the sender.
  static constexpr int64_t kNoWaitUs = 50;

  // For each packet in order: when it came, and for how long the receiving thread has waited for packets, all in all.
  // Frames are told apart by their RTP time.
  void on_packet(uint32_t timestamp, int64_t arrival_us, int64_t waited_us) {
    if (started_ && timestamp == timestamp_) {
      // By count, not by mean: one pause of the sender's scheduler says nothing about the link.
      const bool wide = arrival_us - arrival_us_ > kGapUs && waited_us - waited_us_ > kNoWaitUs;
      wide_gaps_q8_ += wide ? (256 - wide_gaps_q8_) / 16 : -wide_gaps_q8_ / 16;
    }
    started_ = true;
    timestamp_ = timestamp;
    arrival_us_ = arrival_us;
    waited_us_ = waited_us;
  }

  // Begins with "no": packets that come one by one must never wait for company.
  bool bursts() const { return wide_gaps_q8_ < 128; }

 private:
  bool started_ = false;
  uint32_t timestamp_ = 0;
  int64_t arrival_us_ = 0;
  int64_t waited_us_ = 0;
  // Share of the gaps within frames that are wide, in 1/256, smoothed.
  int32_t wide_gaps_q8_ = 256;
};

}  // namespace parley
