// Going to sleep and being woken: that no push is ever overlooked, and that nobody wakes a thread that wakes by itself.
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "check.h"
#include "parley/engine/commands.h"
#include "parley/engine/parking.h"
#include "parley/engine/queues.h"

using namespace parley;
using namespace parley::test;

namespace {

// A worker's loop with nothing in it: as Worker::fall_asleep and Worker::post, but that a sleep has no end of its own.
class Sleeper {
 public:
  Sleeper() : fd_(eventfd(0, EFD_NONBLOCK)) {}
  ~Sleeper() { close(fd_); }

  // What is urgent, what waits for the end of a nap, and what waits for the end of a doze.
  void post(uint64_t value, uint64_t kind) {
    inbox_.push(std::move(value));
    if (kind == 0 ? parking_.rouse() : kind == 1 ? parking_.rouse_sleeper() : parking_.rouse_for_packets()) {
      const uint64_t one = 1;
      (void)!write(fd_, &one, sizeof(one));
    }
  }

  // Takes `count` values one by one; false: a sleep of `deadline_s` ended without one.
  bool take(uint64_t count, time_t deadline_s) {
    Random random(7);
    while (taken.load() < count) {
      const bool nap = random.chance(0.2);
      if (random.chance(0.3)) {
        parking_.doze();
        for (uint64_t spin = random.below(200); spin > 0; --spin) std::atomic_signal_fence(std::memory_order_seq_cst);
      }
      parking_.fall_asleep(nap);
      const bool sleeps = inbox_.empty();
      pollfd woken{fd_, POLLIN, 0};
      const timespec time = nap ? timespec{0, kNapUs * 1'000} : timespec{deadline_s, 0};
      const int ready = sleeps ? ppoll(&woken, 1, &time, nullptr) : 0;
      parking_.woke_up();
      uint64_t ignored;
      if (ready > 0) (void)!read(fd_, &ignored, sizeof(ignored));
      inbox_.drain([this](uint64_t&) { taken.fetch_add(1); });
      if (sleeps && !nap && ready == 0) return false;
    }
    return true;
  }

  std::atomic<uint64_t> taken{0};

 private:
  int fd_;
  Parking parking_;
  MpscInbox<uint64_t> inbox_;
};

}  // namespace

// One comes when the one before was taken, so that each meets a worker that goes to sleep: a bit earlier or a bit later. A second writer
// would make good what the first one lost.
TEST("who is pushed to wakes up, whatever it does at that moment") {
  constexpr uint64_t kPushes = 20'000;
  Sleeper sleeper;
  std::atomic<bool> lost{false};
  std::thread writer([&sleeper, &lost] {
    Random random(1);
    for (uint64_t pushed = 0; pushed < kPushes && !lost; ++pushed) {
      for (uint64_t turn = 0; sleeper.taken.load() < pushed && !lost; ++turn) {
        if (turn > 10'000) std::this_thread::yield();
      }
      for (uint64_t spin = random.below(200); spin > 0; --spin) std::atomic_signal_fence(std::memory_order_seq_cst);
      sleeper.post(pushed, random.below(3));
    }
  });
  lost = !sleeper.take(kPushes, 10);
  writer.join();
  CHECK(!lost);
}

TEST("each sleep is ended by one, and a nap by what is urgent only, and a doze by no packets") {
  Parking parking;
  CHECK(!parking.rouse());
  CHECK(!parking.rouse_sleeper());
  parking.fall_asleep(false);
  CHECK(parking.rouse_sleeper());
  CHECK(!parking.rouse_sleeper());
  CHECK(!parking.rouse());
  parking.fall_asleep(true);
  CHECK(!parking.rouse_sleeper());
  CHECK(parking.rouse());
  CHECK(!parking.rouse());
  parking.doze();
  CHECK(!parking.rouse_sleeper());
  CHECK(!parking.rouse_for_packets());
  CHECK(parking.rouse());
  for (const bool nap : {false, true}) {
    parking.fall_asleep(nap);
    CHECK(parking.rouse_for_packets());
    CHECK(!parking.rouse_for_packets());
  }
  parking.fall_asleep(true);
  parking.woke_up();
  CHECK(!parking.rouse());
}

TEST("a worker naps while commands come one upon the other, and no longer") {
  CommandPace pace;
  CHECK(pace.nap_until_us() <= 0);
  int64_t now_us = 5'000'000;
  pace.on_commands(now_us);
  CHECK(pace.nap_until_us() <= now_us);
  pace.on_commands(now_us += 100);
  CHECK_EQ(pace.nap_until_us(), now_us + kNapUs);
  pace.on_commands(now_us += kNapUs);
  CHECK_EQ(pace.nap_until_us(), now_us + kNapUs);
  pace.on_commands(now_us += 10 * kNapUs);
  CHECK(pace.nap_until_us() <= now_us);
}

TEST("what a client waits for is urgent") {
  for (const CommandType type : {CommandType::kSendTo, CommandType::kOpenPeer, CommandType::kAddPath,
                                 CommandType::kSelectPath, CommandType::kSetSrtpKeys, CommandType::kSubscribe}) {
    CHECK(!can_wait(type));
  }
  CHECK(can_wait(CommandType::kBindSlot));
}
