// The floor of meetings and of many publishers: one thread that receives every camera's datagrams by recvmmsg and sends each of them to the
// others of its meeting by sendmmsg, with runs of equal sizes as one UDP_SEGMENT message, and does nothing else.
#pragma once

#include <netinet/in.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "parley/load/floor.h"
#include "parley/load/load_pattern.h"

namespace parley {

enum class FloorWait : uint8_t {
  kSchedule,  // wakes when a frame's last packet is due: no forwarder without delay can wake less often
  kArrival,   // blocks in recvmmsg until something is there
};

struct FloorRelayOptions {
  LoadProfile profile = LoadProfile::kBurst;
  double pace = 1;
  uint16_t overhead = 0;  // added to each payload: header, extensions, tag
  int64_t duration_us = 0;
  FloorWait wait = FloorWait::kSchedule;
};

// One run at a time; the cameras are a thread of their own.
class FloorRelay {
 public:
  FloorRelay() = default;
  ~FloorRelay();
  FloorRelay(const FloorRelay&) = delete;
  FloorRelay& operator=(const FloorRelay&) = delete;

  // `people` cameras in each of `meetings`. The relay's port, or 0 when sockets ran out.
  uint16_t open(const std::string& ip, size_t people, size_t meetings);
  // `sinks`: the ports of the people, meeting by meeting; empty: receives only.
  bool start(std::vector<uint16_t> sinks, const FloorRelayOptions& options);
  bool running() const { return running_.load(std::memory_order_acquire); }
  // Of the last run; joins its threads.
  FloorResult finish();
  void close();

 private:
  // A datagram that is due, of which camera.
  struct Due {
    int64_t at_us = 0;
    uint32_t camera = 0;
    const LoadPacket* packet = nullptr;
  };
  // What has come of a camera's frame.
  struct Frame {
    std::vector<uint8_t> bytes;
    std::vector<uint16_t> sizes;
    bool sent = false;
  };

  std::vector<Due> schedule(const LoadPattern& pattern) const;
  void run_cameras(const std::vector<Due>& due, int64_t length_us, const FloorRelayOptions& options, int64_t begun_us);
  void run_relay(std::vector<uint16_t> sinks, const std::vector<Due>& due, int64_t length_us, const FloorRelayOptions& options,
                 int64_t begun_us);

  std::string ip_;
  size_t people_ = 0;
  int fd_ = -1;
  std::vector<int> cameras_;
  LoadPattern pattern_;
  std::thread relay_thread_;
  std::thread camera_thread_;
  std::atomic<bool> running_{false};
  std::atomic<bool> cameras_done_{false};
  FloorResult result_;
  uint64_t offered_ = 0;
};

}  // namespace parley
