#include "parley/load/core_distance.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <thread>

namespace parley {
namespace {

constexpr int kRounds = 40;
constexpr int kExchanges = 100;
constexpr int64_t kDeadlineNs = 50'000'000;
constexpr int kLooksPerClock = 1'000;

int64_t now_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

// On its core alone, and before ordinary threads where that is allowed.
void take_core(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
  sched_param param{};
  param.sched_priority = 1;
  pthread_setschedparam(pthread_self(), SCHED_FIFO, &param);
}

struct alignas(128) Ball {
  std::atomic<uint32_t> at{0};
  alignas(128) std::atomic<bool> dropped{false};

  // False: it did not come in time.
  bool wait_for(uint32_t value, int64_t until_ns) {
    for (int looks = 1; at.load(std::memory_order_acquire) != value; ++looks) {
      if (looks % kLooksPerClock != 0) continue;
      if (dropped.load(std::memory_order_relaxed) || now_ns() > until_ns) {
        dropped.store(true, std::memory_order_relaxed);
        return false;
      }
    }
    return true;
  }
};

}  // namespace

double core_distance_ns() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return 0;
  int cores[2];
  int found = 0;
  for (int core = 0; core < CPU_SETSIZE && found < 2; ++core) {
    if (CPU_ISSET(core, &allowed)) cores[found++] = core;
  }
  if (found < 2) return 0;
  Ball ball;
  const int64_t until_ns = now_ns() + kDeadlineNs;
  constexpr uint32_t kLast = 2 * kRounds * kExchanges;
  std::thread far([&] {
    take_core(cores[1]);
    for (uint32_t turn = 1; turn < kLast; turn += 2) {
      if (!ball.wait_for(turn, until_ns)) return;
      ball.at.store(turn + 1, std::memory_order_release);
    }
  });
  int64_t least_ns = kDeadlineNs;
  bool played = true;
  std::thread near([&] {
    take_core(cores[0]);
    uint32_t turn = 0;
    for (int round = 0; round < kRounds && played; ++round) {
      const int64_t begun_ns = now_ns();
      for (int i = 0; i < kExchanges && played; ++i, turn += 2) {
        ball.at.store(turn + 1, std::memory_order_release);
        played = ball.wait_for(turn + 2, until_ns);
      }
      if (played) least_ns = std::min(least_ns, now_ns() - begun_ns);
    }
  });
  near.join();
  far.join();
  return least_ns == kDeadlineNs ? 0 : static_cast<double>(least_ns) / (2.0 * kExchanges);
}

}  // namespace parley
