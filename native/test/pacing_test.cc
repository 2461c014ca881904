// Token bucket and pacing queue, with the time passed in.
#include "check.h"
#include "parley/media/pacing_queue.h"

#include <deque>
#include <memory>

using namespace parley;
using namespace parley::test;

namespace {

using Queue = PacingQueue<int, int>;

// A camera: frames of `frame_bytes` in packets of 1,200 every 33,333 us.
std::vector<size_t> packets_of(size_t frame_bytes) {
  std::vector<size_t> out(frame_bytes / 1200, 1200);
  if (frame_bytes % 1200 != 0) out.push_back(frame_bytes % 1200);
  return out;
}

}  // namespace

TEST("under the rate nothing waits, whatever the rate") {
  for (const int64_t bps : {100'000, 500'000, 2'000'000, 20'000'000, 300'000'000}) {
    Queue queue;
    int64_t now = 7'000'000;
    queue.bucket.set_rate(static_cast<uint64_t>(bps), now);
    // Frames as large as the rate allows in a frame's time, one in ten a little larger and the rest smaller.
    const auto mean = static_cast<size_t>(bps / 8 / 30);
    for (int frame = 0; frame < 3'000; ++frame, now += 33'334) {
      const size_t bytes = frame % 10 == 0 ? mean * 11 / 10 : mean * 95 / 100;
      CHECK(queue.pass(bytes, now));
    }
  }
}

TEST("without a rate a burst of megabytes passes") {
  Queue queue;
  CHECK(queue.pass(4'000'000, 1'000'000));
}

TEST("a key frame is spread out over the time its rate needs, and nothing is lost or turned round") {
  Queue queue;
  const int64_t begin = 5'000'000;
  queue.bucket.set_rate(2'000'000, begin);
  const std::vector<size_t> packets = packets_of(100'000);
  CHECK(!queue.pass(100'000, begin));
  int next = 0;
  size_t burst = 0;
  for (const size_t bytes : packets) {
    if (queue.idle() && queue.bucket.may_send(begin)) {
      queue.bucket.spend(bytes);
      burst += bytes;
      ++next;
    } else {
      queue.push(next++, 1, bytes, begin);
    }
  }
  CHECK(burst <= 10'000 + 1'200);
  size_t sent = burst;
  int expected = static_cast<int>(burst / 1200);
  int64_t now = begin;
  while (!queue.idle()) {
    now += 5'000;
    size_t slice = 0;
    while (queue.has_video() && queue.bucket.may_send(now)) {
      const auto entry = queue.pop();
      CHECK_EQ(entry.item, expected++);
      CHECK_EQ(entry.queued_us, begin);
      queue.bucket.spend(entry.bytes);
      slice += entry.bytes;
    }
    CHECK(slice <= 1'250 + 2 * 1'200);
    sent += slice;
    // Never ahead of the rate by more than the burst and the packet that overdraws.
    CHECK(static_cast<int64_t>(sent) <= 10'000 + 1'200 + (now - begin) / 4);
  }
  CHECK_EQ(sent, 100'000u);
  CHECK_EQ(queue.queued_bytes(), 0u);
  // 90 kB at 250 kB/s.
  CHECK(now - begin > 340'000);
  CHECK(now - begin < 380'000);
}

TEST("sound that overdraws the bucket makes video wait, for a second at most") {
  Queue queue;
  int64_t now = 1'000'000;
  queue.bucket.set_rate(80'000, now);
  for (int i = 0; i < 1'000; ++i) queue.bucket.spend(100);
  CHECK(!queue.bucket.may_send(now));
  now += 990'000;
  CHECK(!queue.bucket.may_send(now));
  now += 20'000;
  CHECK(queue.bucket.may_send(now));
}

TEST("repairs leave before video, in order, and are bounded") {
  Queue queue;
  queue.push(1, 1, 1'000, 0);
  for (int i = 0; i < static_cast<int>(Queue::kMaxRepairs); ++i) CHECK(queue.push_repair(i));
  CHECK(!queue.push_repair(0));
  std::vector<int> taken;
  int left = 10;
  queue.take_repairs([&left] { return left-- > 0; }, [&taken](int repair) { taken.push_back(repair); });
  CHECK_EQ(taken.size(), 10u);
  for (int i = 0; i < 10; ++i) CHECK_EQ(taken[static_cast<size_t>(i)], i);
  CHECK(queue.has_repairs());
  queue.drop_repairs([](int) { return true; });
  CHECK(!queue.has_repairs());
  CHECK(queue.has_video());
}

TEST("overflow by bytes and by age; the flow with the most is given up, the others keep their order") {
  Queue queue;
  CHECK(!queue.overflows(0));
  int number = 0;
  for (size_t bytes = 0; bytes <= Queue::kMaxBytes; bytes += 1'200) {
    queue.push(number, number % 4 == 0 ? 5 : 6, 1'200, 1'000);
    ++number;
  }
  CHECK(queue.overflows(1'000));
  CHECK_EQ(queue.largest_flow(), 6u);
  size_t seen = 0;
  const size_t dropped = queue.drop_flow(6, [&seen](const Queue::Entry& entry) {
    CHECK_EQ(entry.flow, 6u);
    ++seen;
  });
  CHECK_EQ(dropped, seen);
  CHECK(!queue.overflows(1'000));
  CHECK(queue.overflows(1'000 + Queue::kMaxDelayUs + 1));
  int before = -1;
  size_t bytes = 0;
  while (queue.has_video()) {
    CHECK_EQ(queue.queued_bytes() % 1'200, 0u);
    const auto entry = queue.pop();
    CHECK_EQ(entry.flow, 5u);
    CHECK(entry.item > before);
    before = entry.item;
    bytes += entry.bytes;
  }
  CHECK_EQ(bytes / 1'200 + dropped, static_cast<size_t>(number));
  CHECK_EQ(queue.queued_bytes(), 0u);
}

TEST("a thousand random lives agree with a plain list") {
  Random random(11);
  for (int life = 0; life < 300; ++life) {
    PacingQueue<std::unique_ptr<int>, int> queue;
    std::deque<std::pair<uint64_t, int>> model;
    int64_t now = 1'000'000;
    queue.bucket.set_rate(1 + random.below(5'000'000), now);
    for (int step = 0; step < 400; ++step) {
      now += random.between(0, 20'000);
      const uint64_t what = random.below(20);
      if (what < 12) {
        const uint64_t flow = 1 + random.below(3);
        queue.push(std::make_unique<int>(step), flow, 100 + random.below(1'200), now);
        model.emplace_back(flow, step);
      } else if (what < 18) {
        while (queue.has_video() && queue.bucket.may_send(now)) {
          const auto entry = queue.pop();
          CHECK(!model.empty());
          CHECK_EQ(entry.flow, model.front().first);
          CHECK_EQ(*entry.item, model.front().second);
          model.pop_front();
          queue.bucket.spend(entry.bytes);
        }
      } else if (queue.has_video()) {
        const uint64_t flow = what == 18 ? queue.largest_flow() : 1 + random.below(3);
        queue.drop_flow(flow, [](const auto&) {});
        std::erase_if(model, [flow](const auto& each) { return each.first == flow; });
      }
      CHECK_EQ(queue.has_video(), !model.empty());
    }
  }
}
