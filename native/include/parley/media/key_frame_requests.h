// Requests of many subscribers become at most one per interval towards the publisher.
#pragma once

#include <cstdint>

namespace parley {

class KeyFrameRequests {
 public:
  explicit KeyFrameRequests(int64_t interval_us = 500'000) : interval_us_(interval_us) {}
  void set_interval_us(int64_t interval_us) { interval_us_ = interval_us; }
  void request() { wanted_ = true; }
  // A key frame that began answers every request made before it.
  void on_key_frame() { wanted_ = false; }
  bool wanted() const { return wanted_; }
  // True when a request must leave now; it counts as sent.
  bool due(int64_t now_us) {
    if (!wanted_ || (sent_us_ != 0 && now_us - sent_us_ < interval_us_)) return false;
    sent_us_ = now_us;
    // A request that was lost, or an encoder that took no notice: asked again after the interval until the key frame comes.
    return true;
  }

 private:
  int64_t interval_us_;
  int64_t sent_us_ = 0;
  bool wanted_ = false;
};

}  // namespace parley
