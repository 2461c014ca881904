// The floor that figures are ratios to: the pattern's datagrams sent to N addresses with no work but sending.
#pragma once

#include <netinet/in.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "parley/load/load_pattern.h"

namespace parley {

enum class FloorMode : uint8_t {
  kSegments,  // sendmmsg, runs of equal sizes as one UDP_SEGMENT message
  kSendto,    // one call per datagram
};

struct FloorResult {
  uint64_t datagrams = 0;  // sent
  uint64_t received = 0;   // by a relay
  uint64_t offered = 0;    // to a relay
  uint64_t messages = 0;
  uint64_t calls = 0;
  uint64_t errors = 0;
  int64_t cpu_us = 0;  // user + system of the sending thread, by the kernel
  int64_t elapsed_us = 0;
};

// An IPv4 UDP socket with large buffers on a free port; negative: none.
int open_floor_socket(const std::string& ip, uint16_t& port);
std::vector<sockaddr_in> floor_addresses(const std::string& ip, const std::vector<uint16_t>& ports);
// User and system time of the calling thread, by the kernel.
int64_t floor_thread_cpu_us();
// Until this monotonic time.
void floor_sleep_until(int64_t us);

// One run at a time, on its own thread.
class FloorSender {
 public:
  FloorSender() = default;
  ~FloorSender();
  FloorSender(const FloorSender&) = delete;
  FloorSender& operator=(const FloorSender&) = delete;

  // Binds the sending socket on `ip`; its port, or 0.
  uint16_t open(const std::string& ip);
  // `overhead` is added to each payload: header, extensions, tag.
  bool start(std::vector<uint16_t> ports, LoadProfile profile, double pace, FloorMode mode, uint16_t overhead,
             int64_t duration_us);
  bool running() const { return running_.load(std::memory_order_acquire); }
  // Of the last run; joins its thread.
  FloorResult finish();

 private:
  void run(std::vector<uint16_t> ports, LoadPattern pattern, FloorMode mode, uint16_t overhead, int64_t duration_us);

  std::thread thread_;
  std::atomic<bool> running_{false};
  FloorResult result_;
  std::string ip_;
  int fd_ = -1;
};

}  // namespace parley
