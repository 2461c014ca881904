// Asking for memory some steps before it is needed: with thousands of subscribers each one's state is in no cache when its turn comes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace parley {

inline constexpr size_t kCacheLine = 64;

// The lines that `bytes` from `at` on lie in. Harmless for addresses that are nobody's, null too.
inline void prefetch(const void* at, size_t bytes = 1) {
  const auto first = reinterpret_cast<uintptr_t>(at) & ~(kCacheLine - 1);
  for (uintptr_t line = first; line < reinterpret_cast<uintptr_t>(at) + bytes; line += kCacheLine) {
    __builtin_prefetch(reinterpret_cast<const void*>(line));
    // Compilers take a function that does nothing but ask for memory for one without effect, and leave out the calls of it.
    asm volatile("" : : "r"(line));
  }
}

}  // namespace parley
