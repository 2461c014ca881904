// What a receiver report says about one SSRC (RFC 3550 6.4.1, A.3, A.8).
#pragma once

#include <cstdint>

#include "parley/wire/rtcp.h"

namespace parley {

class ReceiveStats {
 public:
  // `sequence` extended; `arrival_us` monotonic; retransmissions are not fed in here.
  void on_packet(uint64_t sequence, uint32_t timestamp, uint32_t clock_rate_hz, int64_t arrival_us) {
    if (received_ == 0) base_ = sequence;
    if (sequence > highest_) highest_ = sequence;
    ++received_;
    const auto arrival_ticks = static_cast<uint32_t>(arrival_us * clock_rate_hz / 1'000'000);
    const auto transit = static_cast<int32_t>(arrival_ticks - timestamp);
    if (received_ > 1) {
      int64_t d = static_cast<int32_t>(static_cast<uint32_t>(transit) - static_cast<uint32_t>(transit_));
      if (d < 0) d = -d;
      // A jump of a second is a new clock, not jitter.
      if (d < clock_rate_hz) jitter_q4_ += d - ((jitter_q4_ + 8) >> 4);
    }
    transit_ = transit;
  }
  void on_sender_report(uint64_t ntp, int64_t now_us) {
    last_sr_ = static_cast<uint32_t>(ntp >> 16);
    last_sr_us_ = now_us;
  }
  bool started() const { return received_ > 0; }
  uint32_t jitter() const { return static_cast<uint32_t>(jitter_q4_ >> 4); }

  ReportBlock make_block(uint32_t ssrc, int64_t now_us) {
    ReportBlock block;
    block.ssrc = ssrc;
    const auto expected = static_cast<int64_t>(highest_ - base_ + 1);
    const int64_t lost = expected - static_cast<int64_t>(received_);
    const int64_t expected_interval = expected - expected_prior_;
    const int64_t lost_interval = expected_interval - (static_cast<int64_t>(received_) - received_prior_);
    expected_prior_ = expected;
    received_prior_ = static_cast<int64_t>(received_);
    if (expected_interval > 0 && lost_interval > 0) {
      const int64_t fraction = lost_interval * 256 / expected_interval;
      block.fraction_lost = static_cast<uint8_t>(fraction > 255 ? 255 : fraction);
    }
    block.cumulative_lost = static_cast<int32_t>(lost > 0x7fffff ? 0x7fffff : lost < -0x800000 ? -0x800000 : lost);
    // Our extension begins at 65,536; the report's cycles count from zero.
    block.highest_sequence = static_cast<uint32_t>(highest_ - 65536);
    block.jitter = jitter();
    if (last_sr_us_ != 0) {
      block.last_sr = last_sr_;
      block.delay_since_last_sr = static_cast<uint32_t>((now_us - last_sr_us_) * 65536 / 1'000'000);
    }
    return block;
  }

 private:
  uint64_t base_ = 0;
  uint64_t highest_ = 0;
  uint64_t received_ = 0;
  int64_t expected_prior_ = 0;
  int64_t received_prior_ = 0;
  int64_t jitter_q4_ = 0;
  int32_t transit_ = 0;
  uint32_t last_sr_ = 0;
  int64_t last_sr_us_ = 0;
};

}  // namespace parley
