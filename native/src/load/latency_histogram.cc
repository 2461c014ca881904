#include "parley/load/latency_histogram.h"

namespace parley {

int64_t LatencyHistogram::percentile_us(double part) const {
  if (count_ == 0) return 0;
  const auto wanted = static_cast<uint64_t>(static_cast<double>(count_) * part);
  uint64_t sum = 0;
  for (size_t i = 0; i < bins_.size(); ++i) {
    sum += bins_[i];
    if (sum > wanted) return static_cast<int64_t>(i + 1) * kStepUs;
  }
  return static_cast<int64_t>(bins_.size()) * kStepUs;
}

}  // namespace parley
