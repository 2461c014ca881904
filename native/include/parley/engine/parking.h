// How a worker's thread goes to sleep and who has to wake it: without a lock, and without a system call where it is awake or soon will be.
#pragma once

#include <atomic>
#include <cstdint>

namespace parley {

// A sleep that ends by itself so soon is a nap: what can wait is left in the queues for it. Waking a thread costs its waker some
// 10 us, because the woken one, which has the better priority, takes over its core or has to be sent for on another.
inline constexpr int64_t kNapUs = 1'000;

// Nothing is ever lost, because all of these are sequentially consistent, and so have one order that everybody agrees on:
//
//   who has something:  (P) push to a queue   then (L) look here
//   the worker:         (S) fall_asleep()     then (C) look at the queues, and sleep only if they are empty
//
// Before that it may doze, which is no sleep: whoever leaves a dozing worker alone has L before the S that follows.
//
// Either S comes before L: then who looks sees that the worker sleeps (or naps, and wakes in time), and wakes it. Or L comes before S, so
// P < L < S < C: then the worker sees what was pushed. That woke_up() is relaxed changes neither: who still sees the sleep
// of before wakes a worker that is awake, for nothing; and who still sees the nap of before has L before the next S, which is the second case.
class Parking {
 public:
  // The worker: from now on it sleeps, unless its queues have something. `nap`: for kNapUs at most.
  void fall_asleep(bool nap) { state_.store(nap ? State::kNap : State::kSleep, std::memory_order_seq_cst); }
  // The worker: while it holds the beginning of a burst it sleeps through more of it, some hundred microseconds, and then says what it does next.
  void doze() { state_.store(State::kDoze, std::memory_order_seq_cst); }
  void woke_up() { state_.store(State::kAwake, std::memory_order_relaxed); }

  // Anybody, after a push. True: the sleep is the caller's to end, and nobody else's.
  bool rouse() { return state_.exchange(State::kAwake, std::memory_order_seq_cst) != State::kAwake; }
  // The same for another worker's packets: they are what a doze is slept through for, and wait for its end.
  bool rouse_for_packets() {
    State state = state_.load(std::memory_order_seq_cst);
    while (state == State::kNap || state == State::kSleep) {
      if (state_.compare_exchange_weak(state, State::kAwake, std::memory_order_seq_cst)) return true;
    }
    return false;
  }
  // The same for what can wait for the end of a nap.
  bool rouse_sleeper() {
    State expected = State::kSleep;
    return state_.compare_exchange_strong(expected, State::kAwake, std::memory_order_seq_cst);
  }

 private:
  enum class State : uint8_t { kAwake, kDoze, kNap, kSleep };
  std::atomic<State> state_{State::kAwake};
};

// Whether the worker naps instead of sleeping: while commands that can wait come one upon the other.
class CommandPace {
 public:
  // A pass has found some.
  void on_commands(int64_t now_us) {
    until_us_ = now_us - last_us_ <= 2 * kNapUs ? now_us + kNapUs : 0;
    last_us_ = now_us;
  }
  // When the nap ends; in the past: there is no reason for one.
  int64_t nap_until_us() const { return until_us_; }

 private:
  int64_t last_us_ = -2 * kNapUs;
  int64_t until_us_ = 0;
};

}  // namespace parley
