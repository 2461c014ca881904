// From a camera's send call to the last of the sends to its viewers, per packet; and from the first to the last send of a frame.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "parley/load/latency_histogram.h"
#include "parley/load/load_stamp.h"

namespace parley {

class FanOutWatch {
 public:
  // How many viewers each packet goes to; 0: does not watch. Counting begins anew.
  void begin(uint32_t viewers);
  bool on() const { return viewers_ != 0; }
  // A packet came to one of the viewers at `received_us` (CLOCK_REALTIME).
  void on_packet(const LoadStamp& stamp, int64_t received_us);

  // Of packets that all viewers got: microseconds from the camera's send call to the kernel's receive time at the last viewer.
  const LatencyHistogram& last() const { return last_; }
  // Of frames that all viewers got: from the first receive time to the last.
  const LatencyHistogram& frame() const { return frame_; }
  // Packets that some viewers did not get first hand.
  uint64_t incomplete() const { return incomplete_; }

 private:
  static constexpr size_t kPackets = 4096;
  static constexpr size_t kFrames = 512;
  struct Packet {
    uint32_t number = 0;
    uint32_t seen = 0;
    int64_t last_us = 0;
  };
  struct Frame {
    uint32_t number = 0;
    uint32_t seen = 0;
    int64_t first_us = 0;
    int64_t last_us = 0;
  };
  struct Source {
    std::vector<Packet> packets = std::vector<Packet>(kPackets);
    std::vector<Frame> frames = std::vector<Frame>(kFrames);
  };

  uint32_t viewers_ = 0;
  std::unordered_map<uint32_t, Source> sources_;
  LatencyHistogram last_;
  LatencyHistogram frame_;
  uint64_t incomplete_ = 0;
};

}  // namespace parley
