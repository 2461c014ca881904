#include "parley/media/nack_tracker.h"

#include <algorithm>

namespace parley {

void NackTracker::on_packet(uint64_t sequence, int64_t now_us) {
  if (!started_) {
    started_ = true;
    highest_ = sequence;
    return;
  }
  if (sequence <= highest_) {
    const auto it = std::lower_bound(missing_.begin(), missing_.end(), sequence,
                                     [](const Missing& m, uint64_t s) { return m.sequence < s; });
    if (it != missing_.end() && it->sequence == sequence) missing_.erase(it);
    return;
  }
  const uint64_t gap = sequence - highest_ - 1;
  if (gap > kMaxMissing) {
    // RFC 3550 A.1: beyond MAX_DROPOUT the numbers began anew, and nothing is known of how much was lost.
    lost_ += (gap > kMaxDropout ? 0 : gap) + missing_.size();
    missing_.clear();
    overflow_ = true;
  } else {
    for (uint64_t s = highest_ + 1; s < sequence; ++s) missing_.push_back({s, now_us, 0, 0});
    if (missing_.size() > kMaxMissing) {
      const size_t excess = missing_.size() - kMaxMissing;
      lost_ += excess;
      missing_.erase(missing_.begin(), missing_.begin() + static_cast<ptrdiff_t>(excess));
      overflow_ = true;
    }
  }
  highest_ = sequence;
}

void NackTracker::collect(int64_t now_us, int64_t rtt_us, std::vector<uint16_t>& out) {
  if (missing_.empty()) return;
  const int64_t known_us = std::max(kMinRetryUs, rtt_us + rtt_us / 8 + 5'000);
  size_t kept = 0;
  for (size_t i = 0; i < missing_.size(); ++i) {
    Missing& m = missing_[i];
    const int64_t age = now_us - m.since_us;
    // A round trip that is not known may be long: each time twice as patient, or a far publisher is asked seven times.
    const int64_t retry_us = rtt_us > 0 ? known_us : kMinRetryUs << std::min(std::max(m.tries - 1, 0), 3);
    if (age > kGiveUpUs || (m.tries >= kMaxTries && now_us - m.asked_us > retry_us)) {
      ++lost_;
      continue;
    }
    const bool due = m.tries == 0 ? age >= kFirstAfterUs : m.tries < kMaxTries && now_us - m.asked_us >= retry_us;
    if (due) {
      m.asked_us = now_us;
      ++m.tries;
      out.push_back(static_cast<uint16_t>(m.sequence));
    }
    missing_[kept++] = m;
  }
  missing_.resize(kept);
}

}  // namespace parley
