// A viewer of one or more cameras with their microphones, as a browser receives: authenticates each packet, loses some video on purpose,
// asks for it again, and reports (receiver reports, transport-wide feedback).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "parley/load/fan_out_watch.h"
#include "parley/load/latency_histogram.h"
#include "parley/load/load_peer.h"
#include "parley/media/nack_tracker.h"
#include "parley/media/receive_stats.h"
#include "parley/media/sequence.h"
#include "parley/media/twcc_recorder.h"

namespace parley {

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

// A section that receives, with the SSRCs the answer gave it.
struct LoadSlot {
  uint32_t ssrc = 0;
  uint32_t rtx_ssrc = 0;  // 0: audio
};

class LoadSubscriber final : public LoadPeer {
 public:
  LoadSubscriber(std::shared_ptr<const DtlsCertificate> certificate, LoadPeerOptions options, uint64_t seed, LoadTotals& totals,
                 FanOutWatch& fan_out);

  // What the answer promised; to be called before media flows.
  void set_slots(std::span<const LoadSlot> slots);

  // Loses this share of the video from now on.
  void set_drop_ratio(double ratio) { drop_below_ = static_cast<uint64_t>(ratio * 0x1p32); }
  // Counting begins anew; what is missing by now does not count.
  void begin_window();
  // Missing after repair, since the window began.
  // Since the last media packet, by the kernel's time stamps; 0 before the first of the window.
  int64_t open_gap_us(int64_t realtime_us) const { return last_received_us_ == 0 ? 0 : realtime_us - last_received_us_; }
  uint64_t missing() const;
  // All slots are filled.
  bool has_media() const;

 private:
  struct Stream {
    static constexpr uint64_t kWindow = 4096;
    uint32_t ssrc = 0;
    bool audio = false;
    SequenceUnwrapper sequences;
    ReceiveStats stats;
    std::array<uint64_t, kWindow / 64> seen{};
    uint64_t newest = 0;
    uint64_t first_counted = 0;
    uint64_t distinct = 0;
    NackTracker nacks;

    // False when it was seen before or is older than the window.
    bool note(uint64_t sequence);
    uint64_t missing() const {
      const uint64_t sent = newest < first_counted ? 0 : newest - first_counted + 1;
      return sent < distinct ? 0 : sent - distinct;
    }
  };

  void on_rtp(std::span<uint8_t> packet, const RtpHeader& header, int64_t now_us, int64_t received_us, size_t wire_size) override;
  void on_rtcp(const RtcpPacket& packet, int64_t now_us) override;
  void on_media_tick(int64_t now_us) override;
  int64_t media_due_us() const override;
  void on_rtx(std::span<const uint8_t> payload, uint32_t ssrc, int64_t now_us);
  Stream& stream_of(uint32_t ssrc, bool audio);
  void send_reports(int64_t now_us);
  void send_transport_feedback(int64_t now_us);
  void send_nacks(Stream& stream, int64_t now_us);
  void send_key_frame_requests();

  LoadTotals& totals_;
  FanOutWatch& fan_out_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::unordered_map<uint32_t, Stream*> by_ssrc_;
  std::unordered_map<uint32_t, Stream*> by_rtx_ssrc_;
  // Packets come in runs of one SSRC.
  Stream* last_ = nullptr;
  TwccRecorder transport_;
  TransportCcReport report_;
  std::vector<uint16_t> wanted_;
  uint64_t drop_below_ = 0;
  uint32_t own_ssrc_ = 1;
  int64_t last_received_us_ = 0;
  int64_t next_report_us_ = 0;
  int64_t next_transport_us_ = 0;
  int64_t next_nack_us_ = 0;
  // Something is missing in one of the streams.
  bool nacks_wait_ = false;
  int64_t next_key_request_us_ = 0;
};

}  // namespace parley
