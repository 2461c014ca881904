// When RTCP is read. Little of it: at once. Much of it (each viewer sends feedback ten times a second and more): by the clock, so
// that a thousand datagrams a second do not wake the worker a thousand times.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace parley {

class RtcpPace {
 public:
  // A NACK waits for so long at most: little beside the round trip that its answer takes.
  static constexpr int64_t kMaxStepUs = 4'000;
  static constexpr int64_t kMinStepUs = 1'000;
  // Reads closer than this, so many in a row, are much.
  static constexpr int64_t kCloseUs = 4'000;
  static constexpr int kCloseReads = 8;
  // Nothing for so long is little.
  static constexpr int64_t kSilentUs = 20'000;
  // A read takes about as many: more is no cheaper each, and media waits for the end of it.
  static constexpr size_t kFewer = 16;
  static constexpr size_t kMore = 64;

  // By the clock; else whenever something comes.
  bool timed() const { return timed_; }
  // The next read; only while timed.
  int64_t due_us() const { return due_us_; }
  // Whether to read now that the worker is awake anyway: company saves it a wake-up soon.
  bool worth(int64_t now_us) const { return timed_ && now_us >= due_us_ - step_us_ / 2; }

  // After each read. True when timed() changed.
  bool on_read(int64_t now_us, size_t datagrams) {
    const bool before = timed_;
    if (!timed_) {
      close_ = now_us - last_us_ <= kCloseUs ? close_ + 1 : 0;
      last_us_ = now_us;
      timed_ = close_ >= kCloseReads;
    } else if (datagrams > 0) {
      last_us_ = now_us;
    } else if (now_us - last_us_ > kSilentUs) {
      timed_ = false;
      close_ = 0;
    }
    if (datagrams >= kMore) {
      step_us_ = std::max(step_us_ / 2, kMinStepUs);
    } else if (datagrams <= kFewer) {
      step_us_ = std::min(step_us_ * 2, kMaxStepUs);
    }
    due_us_ = now_us + step_us_;
    return timed_ != before;
  }

 private:
  bool timed_ = false;
  int close_ = 0;
  int64_t last_us_ = 0;
  int64_t due_us_ = 0;
  int64_t step_us_ = kMinStepUs;
};

}  // namespace parley
