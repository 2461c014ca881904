// A camera and a microphone: sends the pattern in real time over ICE, DTLS and SRTP, answers NACK and PLI, reports.
#pragma once

#include <cstdint>
#include <vector>

#include "parley/load/latency_histogram.h"
#include "parley/load/load_pattern.h"
#include "parley/load/load_peer.h"

namespace parley {

struct LoadPublisherOptions {
  uint32_t video_ssrc = 0;
  uint32_t rtx_ssrc = 0;
  uint32_t audio_ssrc = 0;
  LoadProfile profile = LoadProfile::kBurst;
  double pace = 1;
};

struct LoadPublisherCounters {
  uint64_t packets = 0;  // of the pattern, without retransmissions
  uint64_t nacked = 0;
  uint64_t retransmitted = 0;
  uint64_t key_frame_requests = 0;
  uint64_t key_frames = 0;
  uint64_t transport_reports = 0;
  uint64_t receiver_reports = 0;
};

class LoadPublisher final : public LoadPeer {
 public:
  LoadPublisher(std::shared_ptr<const DtlsCertificate> certificate, LoadPeerOptions options, LoadPublisherOptions streams, uint64_t seed);

  // Sends what the pattern has until now; returns when the next packet is due. How late each packet was goes into `lateness`.
  int64_t send_due(int64_t now_us, LatencyHistogram& lateness);
  void set_sending(bool sending) { sending_ = sending; }
  const LoadPublisherCounters& counters() const { return counters_; }

 private:
  static constexpr size_t kHistory = 1024;
  static constexpr size_t kCapacity = 1500;
  struct Kept {
    uint64_t index = 0;
    uint32_t timestamp = 0;
    uint16_t payload_size = 0;
    bool marker = false;
    uint8_t payload[1300];
  };

  void on_rtp(std::span<uint8_t>, const RtpHeader&, int64_t, int64_t, size_t) override {}
  void on_rtcp(const RtcpPacket& packet, int64_t now_us) override;
  void on_media_tick(int64_t now_us) override;
  int64_t media_due_us() const override { return 0; }
  void send_packet(const LoadPacket& packet);
  void retransmit(uint16_t sequence);
  size_t write_header(uint8_t* out, uint8_t payload_type, bool marker, uint16_t sequence, uint32_t timestamp, uint32_t ssrc, bool audio);
  void send_reports(int64_t now_us);
  uint32_t timestamp_at(bool audio, int64_t us) const;

  LoadPublisherOptions streams_;
  LoadPattern pattern_;
  LoadPublisherCounters counters_;
  std::vector<Kept> history_;
  bool sending_ = true;
  bool key_wanted_ = true;
  bool key_now_ = false;
  int64_t begun_us_ = 0;
  int64_t phase_us_;
  uint32_t packet_count_ = 0;
  uint32_t frame_count_ = 0;
  size_t next_ = 0;
  int64_t next_report_us_ = 0;
  uint64_t video_index_;
  uint64_t audio_index_;
  uint64_t rtx_index_;
  uint16_t transport_sequence_ = 0;
  uint16_t picture_id_ = 0;
  uint32_t video_packets_ = 0;
  uint32_t audio_packets_ = 0;
  uint32_t video_bytes_ = 0;
  uint32_t audio_bytes_ = 0;
};

}  // namespace parley
