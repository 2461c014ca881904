// Whose packets come from where: open addressing with linear probing, no tombstones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "parley/engine/handle.h"
#include "parley/net/path_address.h"

namespace parley {

struct Peer;

struct PathEntry {
  PathAddress path;
  uint16_t owner = 0;     // worker of the peer
  Handle peer = 0;        // 0: free
  Peer* local = nullptr;  // when this worker owns the peer
};

class PathTable {
 public:
  explicit PathTable(uint64_t seed) : seed_(seed), entries_(64) {}

  PathEntry* find(const PathAddress& path) {
    const size_t mask = entries_.size() - 1;
    for (size_t i = hash_path(path, seed_) & mask;; i = (i + 1) & mask) {
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
