// The queues between threads. None of them blocks: a worker with real-time priority must never wait for the main thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace parley {

// Many writers, one reader. The reader takes everything at once, in the order of the pushes.
template <typename T>
class MpscInbox {
 public:
  MpscInbox() = default;
  MpscInbox(const MpscInbox&) = delete;
  MpscInbox& operator=(const MpscInbox&) = delete;
  ~MpscInbox() {
    drain([](T&) {});
  }

  void push(T&& value) {
    auto* node = new Node{std::move(value), head_.load(std::memory_order_relaxed)};
    while (!head_.compare_exchange_weak(node->next, node, std::memory_order_seq_cst, std::memory_order_relaxed)) {
    }
  }
  bool empty() const { return head_.load(std::memory_order_seq_cst) == nullptr; }

  template <typename Each>
  void drain(Each each) {
    Node* taken = head_.exchange(nullptr, std::memory_order_acquire);
    Node* ordered = nullptr;
    while (taken != nullptr) {
      Node* next = taken->next;
      taken->next = ordered;
      ordered = taken;
      taken = next;
    }
    while (ordered != nullptr) {
      Node* next = ordered->next;
      each(ordered->value);
      delete ordered;
      ordered = next;
    }
  }

 private:
  struct Node {
    T value;
    Node* next;
  };
  std::atomic<Node*> head_{nullptr};
};

// One writer, one reader, fixed size; full means dropped by the writer. Its memory comes with the first push, because most
// pairs of workers never meet.
template <typename T, size_t kCapacity>
class SpscRing {
  static_assert((kCapacity & (kCapacity - 1)) == 0);

 public:
  SpscRing() = default;
  ~SpscRing() { delete[] items_.load(std::memory_order_relaxed); }
  SpscRing(const SpscRing&) = delete;
  SpscRing& operator=(const SpscRing&) = delete;

  bool push(const T& item) {
    T* items = items_.load(std::memory_order_relaxed);
    if (items == nullptr) {
      items = new T[kCapacity];
      items_.store(items, std::memory_order_release);
    }
    const uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_.load(std::memory_order_acquire) == kCapacity) return false;
    items[tail & (kCapacity - 1)] = item;
    tail_.store(tail + 1, std::memory_order_seq_cst);
    return true;
  }
  bool pop(T& item) {
    const uint64_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_.load(std::memory_order_acquire)) return false;
    item = items_.load(std::memory_order_acquire)[head & (kCapacity - 1)];
    head_.store(head + 1, std::memory_order_release);
    return true;
  }
  bool empty() const { return head_.load(std::memory_order_relaxed) == tail_.load(std::memory_order_seq_cst); }

 private:
  std::atomic<T*> items_{nullptr};
  alignas(64) std::atomic<uint64_t> head_{0};
  alignas(64) std::atomic<uint64_t> tail_{0};
};

// Records of bytes from one worker to the main thread. A record that does not fit is dropped; the writer counts it.
class EventRing {
 public:
  explicit EventRing(size_t bytes_power_of_two) : mask_(bytes_power_of_two - 1), bytes_(new uint8_t[mask_ + 1]) {}

  // `size` bytes in up to four pieces become one record.
  struct Piece {
    const void* data;
    size_t size;
  };
  bool push(const Piece* pieces, size_t count);
  // Appends all records, each as u32 length and its bytes.
  void drain(std::vector<uint8_t>& out);
  // The same to `out`, which has room for the whole ring; returns the bytes.
  size_t drain(uint8_t* out);
  bool empty() const { return head_.load(std::memory_order_relaxed) == tail_.load(std::memory_order_acquire); }

 private:
  void copy_in(uint64_t at, const void* data, size_t size);
  void copy_out(uint8_t* out, size_t size);
  const size_t mask_;
  std::unique_ptr<uint8_t[]> bytes_;
  alignas(64) std::atomic<uint64_t> head_{0};
  alignas(64) std::atomic<uint64_t> tail_{0};
};

}  // namespace parley
