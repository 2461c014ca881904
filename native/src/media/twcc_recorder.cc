#include "parley/media/twcc_recorder.h"

#include <algorithm>

namespace parley {
namespace {

constexpr int64_t kReferenceUs = 64'000;
constexpr int64_t kTickUs = 250;

}  // namespace

void TwccRecorder::on_packet(uint16_t sequence, int64_t arrival_us) {
  if (arrivals_.empty()) arrivals_.assign(kWindow, 0);
  const bool first = !unwrapper_.started();
  const uint64_t s = unwrapper_.unwrap(sequence);
  if (first) {
    next_ = end_ = s;
    begun_us_ = arrival_us;
  }
  if (s + kWindow <= end_) return;
  if (s >= end_) {
    if (s - end_ >= kWindow) {
      std::fill(arrivals_.begin(), arrivals_.end(), 0);
    } else {
      for (uint64_t i = end_; i < s; ++i) arrivals_[i % kWindow] = 0;
    }
    end_ = s + 1;
    if (end_ - next_ > kWindow) next_ = end_ - kWindow;
  } else if (arrivals_[s % kWindow] != 0) {
    return;
  }
  arrivals_[s % kWindow] = std::max<int64_t>(arrival_us, 1);
  // A late one is reported after all, with what lies behind it.
  next_ = std::min(next_, s);
  dirty_ = true;
}

bool TwccRecorder::take_report(int64_t now_us, TransportCcReport& report) {
  while (next_ < end_ && arrivals_[next_ % kWindow] == 0) {
    // Leading holes are told as lost only with something received behind them; the loop below does that.
    bool any = false;
    for (uint64_t i = next_; i < end_ && !any; ++i) any = arrivals_[i % kWindow] != 0;
    if (any) break;
    next_ = end_;
  }
  if (!dirty_ || next_ >= end_) {
    dirty_ = false;
    return false;
  }
  uint64_t first = next_;
  while (arrivals_[first % kWindow] == 0) ++first;
  if (first - next_ >= kMaxPerReport) next_ = first;
  report.base_sequence = static_cast<uint16_t>(next_);
  report.feedback_count = count_++;
  const int64_t reference = arrivals_[first % kWindow] / kReferenceUs;
  // 24 bits, signed: the wire's field wraps.
  report.reference_time = static_cast<int32_t>(static_cast<uint32_t>(reference) << 8) >> 8;
  report.entries.clear();
  int64_t previous_ticks = reference * (kReferenceUs / kTickUs);
  while (next_ < end_ && report.entries.size() < kMaxPerReport) {
    const int64_t arrival = arrivals_[next_ % kWindow];
    if (arrival == 0) {
      report.entries.push_back({});
    } else {
      const int64_t ticks = arrival / kTickUs;
      const int64_t delta = ticks - previous_ticks;
      // A silence longer than the field holds (8 s) begins a new report.
      if (delta > 32767 || delta < -32768) break;
      previous_ticks = ticks;
      report.entries.push_back({true, static_cast<int32_t>(delta)});
    }
    ++next_;
  }
  // Holes at the end may still be filled: the next report tells of them.
  while (!report.entries.empty() && !report.entries.back().received) {
    report.entries.pop_back();
    --next_;
  }
  reported_us_ = now_us;
  dirty_ = next_ < end_;
  return !report.entries.empty();
}

}  // namespace parley
