// Sliding replay window over packet indices (RFC 3711 3.3.2), as a ring of bit words.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace parley {

enum class ReplayVerdict : uint8_t {
  kFresh,     // never accepted, inside or ahead of the window
  kReplayed,  // accepted before
  kTooOld,    // behind the window, so nobody can know
};

// Remembers the last (kWords - 1) * 64 indices at least. The ring never shifts: moving ahead clears the words
// that are entered anew, so the cost does not depend on the size. check() and accept() are apart because an index
// may be marked only after the packet was authenticated.
template <size_t kWords>
class ReplayWindow {
  static_assert(kWords >= 3, "RFC 3711 3.3.2 asks for 64 indices at least; we keep 128 at least");

 public:
  static constexpr uint64_t kGuaranteedDepth = (kWords - 1) * 64;

  // True before the first accept().
  bool empty() const { return !started_; }

  // The highest accepted index; 0 while empty().
  uint64_t highest() const { return highest_; }

  ReplayVerdict check(uint64_t index) const {
    if (!started_ || index > highest_) return ReplayVerdict::kFresh;
    if ((highest_ >> 6) - (index >> 6) >= kWords) return ReplayVerdict::kTooOld;
    const bool seen = (words_[(index >> 6) % kWords] >> (index & 63)) & 1;
    return seen ? ReplayVerdict::kReplayed : ReplayVerdict::kFresh;
  }

  // Marks an index that check() called fresh.
  void accept(uint64_t index) {
    if (!started_) {
      started_ = true;
      highest_ = index;
    } else if (index > highest_) {
      const uint64_t newest = index >> 6;
      uint64_t word = highest_ >> 6;
      if (newest - word >= kWords) {
        words_.fill(0);
      } else {
        while (word < newest) words_[++word % kWords] = 0;
      }
      highest_ = index;
    }
    words_[(index >> 6) % kWords] |= uint64_t{1} << (index & 63);
  }

 private:
  uint64_t highest_ = 0;
  std::array<uint64_t, kWords> words_{};
  bool started_ = false;
};

}  // namespace parley
