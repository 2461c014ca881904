#include "check.h"
#include "parley/load/load_pattern.h"
#include "parley/load/load_subscriber.h"

using namespace parley;
using namespace parley::test;

TEST("the camera's pattern: 1.5 Mb/s, 5 to 6 packets of one size and the last longer, within half a millisecond") {
  const LoadPattern pattern = make_load_pattern(LoadProfile::kBurst);
  uint64_t bytes = 0, video = 0, audio = 0;
  int64_t last = 0, frame_begun = 0;
  uint16_t size = 0;
  uint64_t in_frame = 0;
  for (const auto& p : pattern.packets) {
    CHECK(p.at_us >= last && p.at_us < pattern.length_us);
    last = p.at_us;
    bytes += p.payload_size + 40u;
    audio += p.audio;
    if (p.audio) continue;
    ++video;
    in_frame = p.first_of_frame ? 1 : in_frame + 1;
    if (p.first_of_frame) {
      frame_begun = p.at_us;
      size = p.payload_size;
    }
    CHECK(p.at_us - frame_begun <= 500);
    CHECK_EQ(p.payload_size, size + (p.last_of_frame ? 1 : 0));
    if (p.last_of_frame) CHECK(in_frame == 5 || in_frame == 6);
  }
  const double seconds = static_cast<double>(pattern.length_us) / 1e6;
  CHECK_EQ(audio, 200u);
  const double rate = static_cast<double>(video + audio) / seconds;
  CHECK(rate > 195 && rate < 225);
  const double bitrate = static_cast<double>(bytes) * 8 / seconds;
  CHECK(bitrate > 1.4e6 && bitrate < 1.65e6);
}

TEST("the spread pattern has its video packets half a millisecond apart, and the same sizes") {
  const LoadPattern burst = make_load_pattern(LoadProfile::kBurst);
  const LoadPattern spread = make_load_pattern(LoadProfile::kSpread);
  CHECK_EQ(burst.packets.size(), spread.packets.size());
  int64_t last = -1'000'000;
  std::vector<uint16_t> a, b;
  for (const auto& p : burst.packets) {
    if (!p.audio) a.push_back(p.payload_size);
  }
  for (const auto& p : spread.packets) {
    if (p.audio) continue;
    b.push_back(p.payload_size);
    CHECK(p.at_us - last >= 500);
    last = p.at_us;
  }
  CHECK(a == b);
}

TEST("percentiles of the latency histogram") {
  LatencyHistogram histogram;
  CHECK_EQ(histogram.percentile_us(0.5), 0);
  for (int i = 1; i <= 1000; ++i) histogram.add(i * 10 - 1);
  CHECK_EQ(histogram.percentile_us(0.5), 5'010);
  CHECK_EQ(histogram.percentile_us(0.99), 9'910);
  histogram.add(10'000'000);
  histogram.add(-5);
  CHECK_EQ(histogram.count(), 1002u);
  histogram.clear();
  CHECK_EQ(histogram.percentile_us(0.99), 0);
}
