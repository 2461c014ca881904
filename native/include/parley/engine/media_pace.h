// When datagrams that are no RTCP are read. As they come, while somebody waits for them. By the clock, while there are many and nobody
// is sent any of it: cameras that nobody watches need not wake the worker 60,000 times a second.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace parley {

class MediaPace {
 public:
  // Checks, handshakes and the first packet somebody waits for after a pause come later by so much at most.
  static constexpr int64_t kMaxStepUs = 1'000;
  static constexpr int64_t kMinStepUs = 250;
  // Whatever somebody waits for comes oftener than this: a camera's frames, sound, a picture of a slide in between.
  static constexpr int64_t kCalmUs = 250'000;
  // Looked at for so long, more reads than this are many: by the clock it is a third of them.
  static constexpr int64_t kWindowUs = 20'000;
  static constexpr size_t kManyReads = 60;
  // By the clock fewer than this in the same time are few: one for each read.
  static constexpr size_t kFewDatagrams = 20;
  // A read takes between the two: the socket's buffer must hold what comes within a step (of 1,200 bytes, some 180 where the
  // kernel grants no more than its default).
  static constexpr size_t kFewer = 32;
  static constexpr size_t kMore = 96;

  bool timed() const { return timed_; }
  // The next read; only while timed.
  int64_t due_us() const { return due_us_; }
  // Whether to read now that the worker is awake anyway.
  bool worth(int64_t now_us) const { return timed_ && now_us >= due_us_ - step_us_ / 2; }

  // Somebody is to get a packet that came.
  void on_wanted(int64_t now_us) { wanted_us_ = now_us; }

  // After each read. True when timed() changed.
  bool on_read(int64_t now_us, size_t datagrams) {
    const bool before = timed_;
    if (now_us - wanted_us_ < kCalmUs) {
      timed_ = false;
      begin_window(now_us);
      return before;
    }
    ++reads_;
    datagrams_ += datagrams;
    if (now_us - window_us_ >= kWindowUs) {
      // A window that took much longer says how few they are.
      const bool long_past = now_us - window_us_ >= 2 * kWindowUs;
      timed_ = !long_past && (timed_ ? datagrams_ >= kFewDatagrams : reads_ >= kManyReads);
      begin_window(now_us);
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
  void begin_window(int64_t now_us) {
    window_us_ = now_us;
    reads_ = 0;
    datagrams_ = 0;
  }

  bool timed_ = false;
  int64_t wanted_us_ = 0;
  int64_t window_us_ = 0;
  size_t reads_ = 0;
  size_t datagrams_ = 0;
  int64_t due_us_ = 0;
  int64_t step_us_ = kMinStepUs;
};

}  // namespace parley
