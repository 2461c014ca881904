// A token bucket in sixteen bytes, full when it is first looked at.
#pragma once

#include <algorithm>
#include <cstdint>

namespace parley {

class RateBudget {
 public:
  // Takes one; false when there is none. `per_second` is the steady rate, `burst` what may come at once.
  bool take(int64_t now_us, int32_t per_second, int32_t burst) {
    const int64_t more = filled_at_us_ == 0 ? burst : (now_us - filled_at_us_) * per_second / 1'000'000;
    if (more > 0) {
      left_ = static_cast<int32_t>(std::min<int64_t>(left_ + more, burst));
      filled_at_us_ = now_us;
    }
    if (left_ <= 0) return false;
    --left_;
    return true;
  }

 private:
  int64_t filled_at_us_ = 0;
  int32_t left_ = 0;
};

}  // namespace parley
