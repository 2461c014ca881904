#include "parley/media/twcc_sender.h"

#include <algorithm>
#include <limits>

namespace parley {
namespace {

constexpr int64_t kArrivalModulusUs = (int64_t{1} << 24) * kTwccReferenceUs;

int32_t narrow(int64_t us) {
  return static_cast<int32_t>(std::clamp<int64_t>(us, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()));
}

}  // namespace

// False when the group has nothing to tell: none arrived, and losses are carried to the next one.
bool TwccSender::close_open(TwccGroup& out) {
  if (!open_.any || !open_.arrived) return false;
  out = open_.sums;
  out.send_delta_us = before_known_ ? narrow(open_.last_sent_us - before_sent_us_) : 0;
  out.receive_delta_us = before_known_ ? narrow(open_.last_arrival_us - before_arrival_us_) : 0;
  const bool told = before_known_;
  before_sent_us_ = open_.last_sent_us;
  before_arrival_us_ = open_.last_arrival_us;
  before_known_ = true;
  open_ = {};
  return told;
}

size_t TwccSender::on_feedback(const TwccView& feedback, int64_t now_us, std::array<TwccGroup, kMaxGroups>& groups,
                               TwccSummary& summary) {
  summary = {};
  size_t count = 0;
  for_each_twcc(feedback, [&](uint16_t sequence, bool received, int64_t raw_us) {
    Entry& entry = entries_[sequence % kHistory];
    next_ = static_cast<uint16_t>(sequence + 1);
    const bool repeated = !received && (entry.bytes_and_state & kToldLost) != 0;
    if (entry.sequence != sequence || (entry.bytes_and_state & kSent) == 0 || repeated) {
      ++summary.unknown;
      return;
    }
    const uint32_t bytes = entry.bytes_and_state & kMaxBytes;
    // The low 32 bits are enough for an hour.
    const int64_t sent_us = now_us - static_cast<int64_t>(static_cast<uint32_t>(now_us) - entry.sent_us);
    if (received) {
      entry.bytes_and_state = 0;
      if (arrival_known_) {
        int64_t step = (raw_us - last_raw_us_) % kArrivalModulusUs;
        if (step > kArrivalModulusUs / 2) step -= kArrivalModulusUs;
        if (step < -kArrivalModulusUs / 2) step += kArrivalModulusUs;
        arrival_base_us_ += step;
      }
      arrival_known_ = true;
      last_raw_us_ = raw_us;
      summary.feedback_delay_us = now_us - sent_us;
    }
    if (open_.any && sent_us - open_.first_sent_us > kBurstUs) {
      TwccGroup closed;
      if (open_.arrived) {
        if (close_open(closed)) {
          if (count < kMaxGroups) {
            groups[count++] = closed;
          } else {
            TwccGroup& last = groups[kMaxGroups - 1];
            last.send_delta_us = narrow(int64_t{last.send_delta_us} + closed.send_delta_us);
            last.receive_delta_us = narrow(int64_t{last.receive_delta_us} + closed.receive_delta_us);
            last.bytes += closed.bytes;
            last.packets = static_cast<uint16_t>(last.packets + closed.packets);
            last.lost = static_cast<uint16_t>(last.lost + closed.lost);
          }
        }
      } else {
        // All of it is lost: its losses count with the next group that arrives.
        open_.any = false;
      }
    }
    if (!open_.any) {
      open_.any = true;
      open_.first_sent_us = sent_us;
    }
    if (received) {
      open_.arrived = true;
      open_.last_sent_us = std::max(open_.last_sent_us, sent_us);
      open_.last_arrival_us = arrival_base_us_;
      open_.sums.bytes += bytes;
      ++open_.sums.packets;
      ++summary.packets;
      summary.bytes += bytes;
    } else {
      entry.bytes_and_state |= kToldLost;
      ++open_.sums.lost;
      ++summary.lost;
    }
  });
  return count;
}

}  // namespace parley
