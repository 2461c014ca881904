// Whose packets come from where: open addressing with linear probing, no tombstones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "parley/engine/handle.h"
#include "parley/wire/prefetch.h"
#include "parley/net/path_address.h"

namespace parley {

struct alignas(kCacheLine) PathEntry {
  PathAddress path;
  uint16_t owner = 0;  // worker of the peer
  Handle peer = 0;     // 0: free
};
static_assert(sizeof(PathEntry) == kCacheLine, "a look-up is one line of memory");

class PathTable {
 public:
  explicit PathTable(uint64_t seed) : seed_(seed), entries_(64) {}

  size_t hash(const PathAddress& path) const { return hash_path(path, seed_); }
  // For many look-ups at once: first this for each of them, then find().
  void expect(size_t hash) const { prefetch(&entries_[hash & (entries_.size() - 1)]); }

  PathEntry* find(const PathAddress& path) { return find(path, hash(path)); }
  PathEntry* find(const PathAddress& path, size_t hash) {
    const size_t mask = entries_.size() - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
      PathEntry& entry = entries_[i];
      if (entry.peer == 0) return nullptr;
      if (entry.path == path) return &entry;
    }
  }
  // The entry of `path`, new or as it was. Pointers of before are void.
  PathEntry& insert(const PathAddress& path) {
    // Half full at most: an unknown source costs little more than one probe.
    if ((size_ + 1) * 2 > entries_.size()) grow();
    const size_t mask = entries_.size() - 1;
    for (size_t i = hash_path(path, seed_) & mask;; i = (i + 1) & mask) {
      PathEntry& entry = entries_[i];
      if (entry.peer == 0) {
        entry.path = path;
        ++size_;
        return entry;
      }
      if (entry.path == path) return entry;
    }
  }
  void erase(const PathAddress& path) {
    PathEntry* entry = find(path);
    if (entry == nullptr) return;
    const size_t mask = entries_.size() - 1;
    auto hole = static_cast<size_t>(entry - entries_.data());
    for (size_t i = (hole + 1) & mask; entries_[i].peer != 0; i = (i + 1) & mask) {
      const size_t home = hash_path(entries_[i].path, seed_) & mask;
      // Moves back whoever would not be found any more across the hole.
      if (((i - home) & mask) >= ((i - hole) & mask)) {
        entries_[hole] = entries_[i];
        hole = i;
      }
    }
    entries_[hole] = PathEntry{};
    --size_;
  }
  size_t size() const { return size_; }

 private:
  void grow() {
    std::vector<PathEntry> old(entries_.size() * 2);
    old.swap(entries_);
    size_ = 0;
    for (const PathEntry& entry : old) {
      if (entry.peer != 0) insert(entry.path) = entry;
    }
  }
  const uint64_t seed_;
  size_t size_ = 0;
  std::vector<PathEntry> entries_;
};

}  // namespace parley
