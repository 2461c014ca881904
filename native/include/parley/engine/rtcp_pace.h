// When reports are read (transport-wide feedback, sender and receiver reports), and connectivity checks with them. Few reports: at once. Many
// (each viewer sends feedback ten times a second and more): by the clock, so that a thousand datagrams a second do not wake the worker a
// thousand times. Their arrival is told by the kernel's time stamps, so nothing is measured worse for it. While checks are awaited (somebody
// joins) reads are close together; those that only keep consent alive wait for company. Requests (NACK, PLI) do not come this way
// (net/udp_steering.h).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace parley {

class RtcpPace {
 public:
  // A report waits for so long at most, and so does a request in a compound packet behind one. About what lies between the frames and the
  // sounds of a camera, so that most reads come with media and need no wake-up of their own.
  static constexpr int64_t kMaxStepUs = 16'000;
  static constexpr int64_t kMinStepUs = 1'000;
  // A check somebody waits for waits for so long at most.
  static constexpr int64_t kAwaitedStepUs = 2'000;
  // What a client that opened a session, or restarts ICE, takes for its checks, most likely.
  static constexpr int64_t kAwaitedUs = 2'000'000;
  // Reads closer than this, so many in a row, are much.
  static constexpr int64_t kCloseUs = 16'000;
  static constexpr int kCloseReads = 8;
  // Nothing for so long is little.
  static constexpr int64_t kSilentUs = 80'000;
  // A read takes about as many, at a microsecond each: a wake-up costs as much as fifteen of them, and media waits for the end.
  static constexpr size_t kFewer = 64;
  static constexpr size_t kMore = 256;

  // By the clock; else whenever something comes.
  bool timed() const { return timed_; }
  // The next read; only while timed.
  int64_t due_us() const { return due_us_; }
  // Whether to read now that the worker is awake anyway: company saves it a wake-up soon.
  bool worth(int64_t now_us) const { return timed_ && now_us >= due_us_ - step_at(now_us) / 2; }

  // Checks are on their way until then.
  void on_awaited(int64_t now_us, int64_t until_us) {
    awaited_until_us_ = std::max(awaited_until_us_, until_us);
    due_us_ = std::min(due_us_, now_us + kAwaitedStepUs);
  }

  // After each read: how many datagrams, and of them reports. True when timed() changed.
  bool on_read(int64_t now_us, size_t datagrams, size_t reports) {
    const bool before = timed_;
    if (!timed_) {
      // Whoever joins sends checks in quick succession.
      if (datagrams > 0 && reports == 0) return false;
      close_ = now_us - last_us_ <= kCloseUs ? close_ + 1 : 0;
      last_us_ = now_us;
      timed_ = close_ >= kCloseReads;
    } else if (reports > 0) {
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
    due_us_ = now_us + step_at(now_us);
    return timed_ != before;
  }

 private:
  int64_t step_at(int64_t now_us) const { return now_us < awaited_until_us_ ? std::min(step_us_, kAwaitedStepUs) : step_us_; }

  bool timed_ = false;
  int close_ = 0;
  int64_t last_us_ = 0;
  int64_t due_us_ = 0;
  int64_t awaited_until_us_ = 0;
  int64_t step_us_ = kMinStepUs;
};

}  // namespace parley
