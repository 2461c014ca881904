// What keeps connectivity checks from being used against others: a budget for each ufrag, and a memory of transactions.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "parley/engine/rate_budget.h"

namespace parley {

// Checks that go up to JavaScript, by ufrag: everybody knows a genuine one (their own), so a flood with it must not use up what
// others need to join. Ufrags share 8,192 buckets by their keyed hash, so nobody can choose whom to share one with.
class CheckBudgets {
 public:
  CheckBudgets() : buckets_(kBuckets) {}
  bool take(uint64_t ufrag_hash, int64_t now_us) { return buckets_[ufrag_hash % kBuckets].take(now_us, kPerSecond, kBurst); }

 private:
  static constexpr size_t kBuckets = 8'192;
  // Eight paths that are checked every 50 ms, until the first check of each has been answered.
  static constexpr int32_t kPerSecond = 10;
  static constexpr int32_t kBurst = 40;
  std::vector<RateBudget> buckets_;
};

// Transactions of late with where they came from. A check carries no protection against replay (RFC 8445 19.1), so whoever overhears a
// valid one could repeat it from an address of their own and draw the media there. A client makes a new transaction for
// every check and sends it from one address only: the same one from elsewhere is a replay. Any thread; the oldest are overwritten.
class SeenChecks {
 public:
  SeenChecks() : cells_(new std::atomic<uint64_t>[kCells]()) {}
  // Keyed hashes of the transaction and of the remote address. True: it came from another address before.
  bool replayed(uint64_t transaction, uint64_t address) const {
    const uint64_t cell = cells_[transaction % kCells].load(std::memory_order_relaxed);
    return cell != 0 && tag(cell) == tag(transaction) && cell != join(transaction, address);
  }
  void note(uint64_t transaction, uint64_t address) {
    cells_[transaction % kCells].store(join(transaction, address), std::memory_order_relaxed);
  }

 private:
  // At 1,000 checks a second (2,000 clients) a quarter of a minute; at 20 clients half an hour.
  static constexpr size_t kCells = 16'384;
  static constexpr uint64_t kAddressBits = 24;
  static uint64_t tag(uint64_t hash) { return hash >> kAddressBits; }
  static uint64_t join(uint64_t transaction, uint64_t address) {
    return tag(transaction) << kAddressBits | (address & ((uint64_t{1} << kAddressBits) - 1));
  }
  std::unique_ptr<std::atomic<uint64_t>[]> cells_;
};

}  // namespace parley
