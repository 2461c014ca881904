// Times in steps of 10 us up to 200 ms; the last step holds what is beyond. The largest is kept as it is.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace parley {

class LatencyHistogram {
 public:
  static constexpr size_t kBins = 20'000;
  static constexpr int64_t kStepUs = 10;
  LatencyHistogram() : bins_(kBins + 1, 0) {}
  void add(int64_t us) {
    const int64_t bin = us < 0 ? 0 : us / kStepUs;
    ++bins_[bin > static_cast<int64_t>(kBins) ? kBins : static_cast<size_t>(bin)];
    ++count_;
    max_us_ = std::max(max_us_, us);
  }
  void clear() {
    std::fill(bins_.begin(), bins_.end(), 0);
    count_ = 0;
    max_us_ = 0;
  }
  // Upper edge of the bin that holds the share `part` (0 to 1); 0 when empty.
  int64_t percentile_us(double part) const;
  uint64_t count() const { return count_; }
  int64_t max_us() const { return max_us_; }

 private:
  std::vector<uint32_t> bins_;
  uint64_t count_ = 0;
  int64_t max_us_ = 0;
};

}  // namespace parley
