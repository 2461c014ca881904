// RTCP (RFC 3550 6, RFC 4585, RFC 5104, transport-wide feedback), read and written. Compound and reduced-size packets (RFC 5506).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "parley/wire/bytes.h"

namespace parley {

enum class RtcpType : uint8_t { kSr = 200, kRr = 201, kSdes = 202, kBye = 203, kRtpfb = 205, kPsfb = 206, kXr = 207 };
// FMT of RTPFB and PSFB.
inline constexpr uint8_t kFmtNack = 1;
inline constexpr uint8_t kFmtTransportCc = 15;
inline constexpr uint8_t kFmtPli = 1;
inline constexpr uint8_t kFmtFir = 4;
inline constexpr uint8_t kFmtAfb = 15;

// One packet of a compound; `body` is what follows the 4 byte header, without padding.
struct RtcpPacket {
  RtcpType type{};
  uint8_t count = 0;  // RC, SC or FMT
  std::span<const uint8_t> body;
};

// Walks a compound packet. next() is false at the end and at the first malformed packet (then `malformed` is set).
class RtcpIterator {
 public:
  explicit RtcpIterator(std::span<const uint8_t> compound) : rest_(compound) {}
  bool next(RtcpPacket& packet);
  bool malformed() const { return malformed_; }

 private:
  std::span<const uint8_t> rest_;
  bool malformed_ = false;
};

struct SenderInfo {
  uint32_t ssrc = 0;
  uint64_t ntp = 0;  // 32.32 seconds since 1900
  uint32_t rtp_timestamp = 0;
  uint32_t packets = 0;
  uint32_t bytes = 0;
};

struct ReportBlock {
  uint32_t ssrc = 0;
  uint8_t fraction_lost = 0;  // in 1/256
  int32_t cumulative_lost = 0;
  uint32_t highest_sequence = 0;
  uint32_t jitter = 0;
  uint32_t last_sr = 0;
  uint32_t delay_since_last_sr = 0;  // in 1/65536 s
};

bool read_sender_info(const RtcpPacket& packet, SenderInfo& info);
// Report block `index` (below packet.count) of an SR or RR.
bool read_report_block(const RtcpPacket& packet, size_t index, ReportBlock& block);
inline size_t report_offset(RtcpType type) { return type == RtcpType::kSr ? 24 : 4; }

// PSFB and RTPFB: the SSRC the feedback is about.
struct FeedbackHeader {
  uint32_t sender_ssrc = 0;
  uint32_t media_ssrc = 0;
};
bool read_feedback(const RtcpPacket& packet, FeedbackHeader& header);

// Calls `each(sequence)` for every sequence number a generic NACK asks for.
template <typename Each>
void read_nacks(const RtcpPacket& packet, Each each) {
  for (size_t i = 8; i + 4 <= packet.body.size(); i += 4) {
    const uint16_t pid = load16(packet.body.data() + i);
    uint16_t blp = load16(packet.body.data() + i + 2);
    each(pid);
    for (uint16_t k = 1; blp != 0; ++k, blp >>= 1) {
      if ((blp & 1) != 0) each(static_cast<uint16_t>(pid + k));
    }
  }
}

// FIR entries (RFC 5104 4.3.1): each(ssrc, sequence number).
template <typename Each>
void read_firs(const RtcpPacket& packet, Each each) {
  for (size_t i = 8; i + 8 <= packet.body.size(); i += 8) {
    each(load32(packet.body.data() + i), packet.body[i + 4]);
  }
}

// BYE: each(ssrc).
template <typename Each>
void read_byes(const RtcpPacket& packet, Each each) {
  for (size_t i = 0; i < packet.count && i * 4 + 4 <= packet.body.size(); ++i) each(load32(packet.body.data() + i * 4));
}

// One packet of a transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01).
struct TransportCcReport {
  uint16_t base_sequence = 0;
  uint8_t feedback_count = 0;
  int32_t reference_time = 0;  // in 64 ms
  struct Entry {
    bool received = false;
    int32_t delta = 0;  // in 250 us, against the previous received packet (the first: the reference time)
  };
  std::vector<Entry> entries;
};
// Refuses reports over more than 4,096 packets: more than ten seconds of the fastest sender.
bool read_transport_cc(const RtcpPacket& packet, TransportCcReport& report);

// Appends RTCP packets to a buffer; what does not fit is left out and reported by false.
class RtcpWriter {
 public:
  explicit RtcpWriter(std::span<uint8_t> out) : out_(out) {}
  size_t size() const { return size_; }

  bool sender_report(const SenderInfo& info, std::span<const ReportBlock> blocks);
  bool receiver_report(uint32_t sender_ssrc, std::span<const ReportBlock> blocks);
  bool sdes_cname(uint32_t ssrc, std::string_view cname);
  bool bye(std::span<const uint32_t> ssrcs);
  bool pli(uint32_t sender_ssrc, uint32_t media_ssrc);
  bool fir(uint32_t sender_ssrc, uint32_t media_ssrc, uint8_t sequence);
  // Sequence numbers in ascending order (wrap included).
  bool nack(uint32_t sender_ssrc, uint32_t media_ssrc, std::span<const uint16_t> sequences);
  // The report's entries must fit: at most 400 keeps it under an MTU.
  bool transport_cc(uint32_t sender_ssrc, uint32_t media_ssrc, const TransportCcReport& report);

 private:
  uint8_t* begin(RtcpType type, uint8_t count, size_t body_size);
  std::span<uint8_t> out_;
  size_t size_ = 0;
};

}  // namespace parley
