// Names of peers, tracks and slots: never used again, so that a late command hits nobody else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace parley {

// Index in the low 22 bits, generation above; stays below 2^53, so that JavaScript holds it exactly. 0 is nobody.
using Handle = uint64_t;

inline constexpr unsigned kHandleIndexBits = 22;
inline constexpr uint64_t kMaxGeneration = (uint64_t{1} << 31) - 1;
inline uint32_t handle_index(Handle handle) { return static_cast<uint32_t>(handle & ((1u << kHandleIndexBits) - 1)); }
inline uint64_t handle_generation(Handle handle) { return handle >> kHandleIndexBits; }
inline Handle make_handle(uint32_t index, uint64_t generation) { return generation << kHandleIndexBits | index; }

// Objects by handle. T has a member `handle`. Does not own them.
template <typename T>
class HandleTable {
 public:
  T* find(Handle handle) const {
    const uint32_t index = handle_index(handle);
    if (index >= slots_.size() || slots_[index] == nullptr || slots_[index]->handle != handle) return nullptr;
    return slots_[index];
  }
  // The object if the handle is still good, not knowing whether: for asking for its memory.
  T* expect(Handle handle) const {
    const uint32_t index = handle_index(handle);
    return index < slots_.size() ? slots_[index] : nullptr;
  }
  void insert(T* object) {
    const uint32_t index = handle_index(object->handle);
    if (index >= slots_.size()) slots_.resize(index + 1 + index / 2, nullptr);
    slots_[index] = object;
  }
  void erase(T* object) {
    const uint32_t index = handle_index(object->handle);
    if (index < slots_.size() && slots_[index] == object) slots_[index] = nullptr;
  }
  template <typename Each>
  void each(Each call) const {
    for (T* object : slots_) {
      if (object != nullptr) call(object);
    }
  }

 private:
  std::vector<T*> slots_;
};

}  // namespace parley
