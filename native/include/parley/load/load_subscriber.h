// A viewer of one camera with its microphone, as a browser receives: authenticates each packet, loses some video on purpose, asks for
// it again, and reports (receiver reports, transport-wide feedback).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "parley/load/load_peer.h"
#include "parley/media/nack_tracker.h"
#include "parley/media/receive_stats.h"
#include "parley/media/sequence.h"
#include "parley/media/twcc_recorder.h"

namespace parley {

// Steps of 10 us up to 200 ms; the last one holds what is beyond.
class LatencyHistogram {
 public:
  static constexpr size_t kBins = 20'000;
  static constexpr int64_t kStepUs = 10;
  LatencyHistogram() : bins_(kBins + 1, 0) {}
  void add(int64_t us) {
    const int64_t bin = us < 0 ? 0 : us / kStepUs;
    ++bins_[bin > static_cast<int64_t>(kBins) ? kBins : static_cast<size_t>(bin)];
    ++count_;
  }
  void clear() {
    std::fill(bins_.begin(), bins_.end(), 0);
    count_ = 0;
  }
  // Upper edge of the bin that holds the share `part` (0 to 1); 0 when empty.
  int64_t percentile_us(double part) const;
  uint64_t count() const { return count_; }

 private:
  std::vector<uint32_t> bins_;
  uint64_t count_ = 0;
};

// Sums over all subscribers since the window began.
struct LoadTotals {
  uint64_t distinct = 0;    // media packets, repaired ones included, each once
  uint64_t duplicates = 0;
  uint64_t dropped = 0;     // on purpose
  uint64_t rtx_received = 0;
  uint64_t repaired = 0;
  uint64_t nack_messages = 0;
  uint64_t nacked_packets = 0;
  uint64_t receiver_reports = 0;
  uint64_t transport_reports = 0;
  uint64_t key_frame_requests = 0;
  uint64_t sender_reports = 0;
  uint64_t wire_bytes = 0;     // of media packets that came first hand, with header and tag
  uint64_t payload_bytes = 0;  // of the same
  int64_t longest_gap_us = 0;  // between two media packets of one subscriber, by the kernel's time stamps
  LatencyHistogram latency;
};

class LoadSubscriber final : public LoadPeer {
 public:
  LoadSubscriber(std::shared_ptr<const DtlsCertificate> certificate, LoadPeerOptions options, uint64_t seed, LoadTotals& totals);

  // Loses this share of the video from now on.
  void set_drop_ratio(double ratio) { drop_below_ = static_cast<uint64_t>(ratio * 0x1p32); }
  // Counting begins anew; what is missing by now does not count.
  void begin_window();
  // Missing after repair, since the window began.
  uint64_t missing() const { return video_.missing() + audio_.missing(); }
  uint64_t distinct() const { return video_.distinct + audio_.distinct; }
  // Since the last media packet, by the kernel's time stamps; 0 before the first of the window.
  int64_t open_gap_us(int64_t realtime_us) const { return last_received_us_ == 0 ? 0 : realtime_us - last_received_us_; }
  bool has_media() const { return video_.sequences.started() && audio_.sequences.started(); }

 private:
  struct Stream {
    static constexpr uint64_t kWindow = 4096;
    uint32_t ssrc = 0;
    SequenceUnwrapper sequences;
    ReceiveStats stats;
    std::array<uint64_t, kWindow / 64> seen{};
    uint64_t newest = 0;
    uint64_t first_counted = 0;
    uint64_t distinct = 0;

    // False when it was seen before or is older than the window.
    bool note(uint64_t sequence);
    uint64_t missing() const {
      return newest < first_counted ? 0 : newest - first_counted + 1 - (distinct < newest - first_counted + 1 ? distinct : newest - first_counted + 1);
    }
  };

  void on_rtp(std::span<uint8_t> packet, const RtpHeader& header, int64_t now_us, int64_t received_us, size_t wire_size) override;
  void on_rtcp(const RtcpPacket& packet, int64_t now_us) override;
  void on_media_tick(int64_t now_us) override;
  void on_rtx(std::span<const uint8_t> payload, int64_t now_us);
  void send_reports(int64_t now_us);
  void send_transport_feedback(int64_t now_us);
  void send_nacks(int64_t now_us);
  void send_key_frame_request();

  LoadTotals& totals_;
  Stream video_;
  Stream audio_;
  NackTracker nacks_;
  TwccRecorder transport_;
  TransportCcReport report_;
  std::vector<uint16_t> wanted_;
  uint64_t drop_below_ = 0;
  uint32_t own_ssrc_ = 1;
  int64_t last_received_us_ = 0;
  int64_t next_report_us_ = 0;
  int64_t next_transport_us_ = 0;
  int64_t next_nack_us_ = 0;
  int64_t next_key_request_us_ = 0;
};

}  // namespace parley
