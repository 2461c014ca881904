// Arrival times by transport-wide sequence number, and the feedback made of them
// (draft-holmer-rmcat-transport-wide-cc-extensions-01), for one peer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "parley/media/sequence.h"
#include "parley/wire/rtcp.h"

namespace parley {

class TwccRecorder {
 public:
  // libwebrtc's own is 50 to 250 ms, 100 ms by default. While a sender finds out what its link carries it goes forward by what it
  // hears, so then it hears twice as often. A report costs some 100 bytes on the wire: of a slow sender (audio alone) that would
  // be as much as the media.
  static constexpr int64_t kIntervalUs = 100'000;
  static constexpr int64_t kSettlingIntervalUs = 50'000;
  static constexpr int64_t kMinIntervalUs = 20'000;
  static constexpr int64_t kSettlingUs = 10'000'000;
  // One report stays under an MTU whatever the pattern of losses.
  static constexpr size_t kMaxPerReport = 400;

  void on_packet(uint16_t sequence, int64_t arrival_us);
  bool pending() const { return dirty_; }
  bool due(int64_t now_us) const { return dirty_ && now_us >= due_us(now_us); }
  // Only while something is pending. What comes until then may make it earlier.
  int64_t due_us(int64_t now_us) const { return reported_us_ + interval_us(now_us); }
  // By the packets that wait: many of them pay for an early report, few for a late one.
  int64_t interval_us(int64_t now_us) const {
    const uint64_t waiting = end_ - next_;
    if (waiting >= 64) return kMinIntervalUs;
    return waiting >= 6 && now_us - begun_us_ < kSettlingUs ? kSettlingIntervalUs : kIntervalUs;
  }
  // Makes the next report; false when there is nothing (more) to say. Call until false.
  bool take_report(int64_t now_us, TransportCcReport& report);

 private:
  // Two seconds of 500 packets/s; a burst larger than that between two reports is reported in part.
  static constexpr size_t kWindow = 1024;

  SequenceUnwrapper unwrapper_;
  std::vector<int64_t> arrivals_;  // ring by sequence, 0: not received
  uint64_t next_ = 0;              // first not reported
  uint64_t end_ = 0;               // one behind the highest
  int64_t begun_us_ = 0;
  int64_t reported_us_ = 0;
  uint8_t count_ = 0;
  bool dirty_ = false;
};

}  // namespace parley
