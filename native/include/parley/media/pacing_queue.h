// What one receiver is sent, spread out over time: a token bucket, and the packets that wait for it.
//
// Sound is never held back; it only takes from the bucket. Repairs wait before video: they fill a hole that already stops the
// picture. Nothing waits while the rate is kept. Without IO and without a clock: the caller passes the time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace parley {

// Fills with the rate, holds a burst, and may be overdrawn by one packet: what is sent is paid for afterwards.
class TokenBucket {
 public:
  // What a gigabit port carries: nothing is ever held back.
  static constexpr uint64_t kUnlimitedBps = 1'000'000'000;
  // A camera's frame comes at once and is paid for over its 33 ms.
  static constexpr int64_t kBurstUs = 40'000;
  static constexpr int64_t kMinBurstBytes = 3'000;

  TokenBucket() { set_rate(0, 0); }
  // 0: unlimited. A change keeps what was saved, as far as the new burst holds it.
  void set_rate(uint64_t bitrate_bps, int64_t now_us) {
    refill(now_us);
    const uint64_t bps = bitrate_bps == 0 ? kUnlimitedBps : std::min(bitrate_bps, kUnlimitedBps);
    bytes_per_s_ = static_cast<int64_t>(std::max<uint64_t>(bps / 8, 1));
    depth_ = std::max(bytes_per_s_ * kBurstUs, kMinBurstBytes * kUnit);
    tokens_ = std::min(tokens_, depth_);
    if (last_us_ == 0) tokens_ = depth_;
  }
  int64_t bytes_per_s() const { return bytes_per_s_; }

  bool covers(size_t bytes, int64_t now_us) {
    refill(now_us);
    return tokens_ >= static_cast<int64_t>(bytes) * kUnit;
  }
  bool may_send(int64_t now_us) {
    refill(now_us);
    return tokens_ > 0;
  }
  void spend(size_t bytes) {
    // Sound alone may be more than the rate; a debt of more than a second would outlive its reason.
    tokens_ = std::max(tokens_ - static_cast<int64_t>(bytes) * kUnit, -bytes_per_s_ * 1'000'000);
  }

 private:
  // Tokens are millionths of a byte: a low rate gains something in each microsecond.
  static constexpr int64_t kUnit = 1'000'000;
  static constexpr int64_t kLongestUs = 10'000'000;

  void refill(int64_t now_us) {
    const int64_t elapsed_us = std::min(now_us - last_us_, kLongestUs);
    if (elapsed_us <= 0) return;
    last_us_ = now_us;
    tokens_ = std::min(tokens_ + elapsed_us * bytes_per_s_, depth_);
  }

  int64_t tokens_ = 0;
  int64_t depth_ = 0;
  int64_t bytes_per_s_ = 0;
  int64_t last_us_ = 0;
};

// `Video` is moved in and out, so a reference to a shared packet serves; `Repair` names what is to be repeated.
template <typename Video, typename Repair>
class PacingQueue {
 public:
  // What has waited so long shows the past. A key frame that cannot pass within it needs a lower layer, not more patience.
  static constexpr int64_t kMaxDelayUs = 2'000'000;
  static constexpr size_t kMaxBytes = 512 * 1024;
  // A receiver asks again for what did not come.
  static constexpr size_t kMaxRepairs = 256;

  struct Entry {
    Video item;
    uint64_t flow = 0;
    uint32_t bytes = 0;
    int64_t queued_us = 0;
  };

  TokenBucket bucket;

  // The usual case: nothing waits and the bucket covers it all. True: it is paid for and to be sent now.
  bool pass(size_t bytes, int64_t now_us) {
    if (!idle() || !bucket.covers(bytes, now_us)) return false;
    bucket.spend(bytes);
    return true;
  }

  bool idle() const { return head_ == video_.size() && repairs_.empty(); }
  bool has_video() const { return head_ < video_.size(); }
  bool has_repairs() const { return !repairs_.empty(); }
  size_t queued_bytes() const { return queued_bytes_; }
  // How long the oldest video packet has waited.
  int64_t oldest_us(int64_t now_us) const { return has_video() ? now_us - video_[head_].queued_us : 0; }

  void push(Video item, uint64_t flow, size_t bytes, int64_t now_us) {
    video_.push_back({std::move(item), flow, static_cast<uint32_t>(bytes), now_us});
    queued_bytes_ += bytes;
  }
  Entry pop() {
    Entry entry = std::move(video_[head_++]);
    queued_bytes_ -= entry.bytes;
    tidy();
    return entry;
  }

  // False when there are too many already.
  bool push_repair(const Repair& repair) {
    if (repairs_.size() >= kMaxRepairs) return false;
    repairs_.push_back(repair);
    return true;
  }
  // Takes `each(repair)` from the front while it returns true; what it has seen is gone.
  template <typename MaySend, typename Each>
  void take_repairs(MaySend may_send, Each each) {
    size_t taken = 0;
    while (taken < repairs_.size() && may_send()) each(repairs_[taken++]);
    repairs_.erase(repairs_.begin(), repairs_.begin() + static_cast<ptrdiff_t>(taken));
    if (repairs_.empty()) std::vector<Repair>().swap(repairs_);
  }

  bool overflows(int64_t now_us) const { return queued_bytes_ > kMaxBytes || oldest_us(now_us) > kMaxDelayUs; }
  // The flow (a slot) with the most bytes waiting: the one to give up.
  uint64_t largest_flow() const {
    uint64_t largest = 0;
    size_t most = 0;
    // A handful of flows: for each the sum anew costs less than a table.
    for (size_t i = head_; i < video_.size(); ++i) {
      if (i > head_ && video_[i].flow == video_[i - 1].flow) continue;
      size_t sum = 0;
      for (size_t k = head_; k < video_.size(); ++k) sum += video_[k].flow == video_[i].flow ? video_[k].bytes : 0;
      if (sum > most) {
        most = sum;
        largest = video_[i].flow;
      }
      if (most * 2 >= queued_bytes_) break;
    }
    return largest;
  }
  // Takes all that waits of a flow; each(entry) sees it. Returns the number of packets.
  template <typename Each>
  size_t drop_flow(uint64_t flow, Each each) {
    size_t to = head_;
    for (size_t i = head_; i < video_.size(); ++i) {
      if (video_[i].flow == flow) {
        queued_bytes_ -= video_[i].bytes;
        each(video_[i]);
      } else {
        if (to != i) video_[to] = std::move(video_[i]);
        ++to;
      }
    }
    const size_t dropped = video_.size() - to;
    video_.erase(video_.begin() + static_cast<ptrdiff_t>(to), video_.end());
    tidy();
    return dropped;
  }
  template <typename Matches>
  void drop_repairs(Matches matches) {
    std::erase_if(repairs_, matches);
  }

 private:
  void tidy() {
    if (head_ == video_.size()) {
      // Whoever waited once need not keep the room for it.
      std::vector<Entry>().swap(video_);
      head_ = 0;
    } else if (head_ >= 64 && head_ * 2 >= video_.size()) {
      video_.erase(video_.begin(), video_.begin() + static_cast<ptrdiff_t>(head_));
      head_ = 0;
    }
  }

  std::vector<Entry> video_;
  size_t head_ = 0;
  std::vector<Repair> repairs_;
  size_t queued_bytes_ = 0;
};

}  // namespace parley
