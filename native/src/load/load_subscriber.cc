#include "parley/load/load_subscriber.h"

#include <algorithm>

#include "parley/wire/bytes.h"

namespace parley {
namespace {

constexpr int64_t kReportUs = 1'000'000;
constexpr int64_t kTransportUs = 100'000;
constexpr int64_t kNackUs = 5'000;
constexpr size_t kRtcpCapacity = 1'400;
// The synthetic publisher writes its send time (CLOCK_REALTIME, microseconds) behind the descriptor: see load_publisher.cc.
constexpr size_t kVideoTimeOffset = 5;
constexpr size_t kAudioTimeOffset = 1;

}  // namespace

int64_t LatencyHistogram::percentile_us(double part) const {
  if (count_ == 0) return 0;
  const auto wanted = static_cast<uint64_t>(static_cast<double>(count_) * part);
  uint64_t sum = 0;
  for (size_t i = 0; i < bins_.size(); ++i) {
    sum += bins_[i];
    if (sum > wanted) return static_cast<int64_t>(i + 1) * kStepUs;
  }
  return static_cast<int64_t>(bins_.size()) * kStepUs;
}

bool LoadSubscriber::Stream::note(uint64_t sequence) {
  if (sequence > newest) {
    if (newest == 0 || sequence - newest >= kWindow) {
      seen.fill(0);
    } else {
      for (uint64_t s = newest + 1; s < sequence; ++s) seen[s % kWindow / 64] &= ~(uint64_t{1} << (s % 64));
    }
    if (first_counted == 0) first_counted = sequence;
    newest = sequence;
  } else if (newest - sequence >= kWindow || (seen[sequence % kWindow / 64] >> (sequence % 64) & 1) != 0) {
    return false;
  }
  seen[sequence % kWindow / 64] |= uint64_t{1} << (sequence % 64);
  if (sequence >= first_counted) ++distinct;
  return true;
}

LoadSubscriber::LoadSubscriber(std::shared_ptr<const DtlsCertificate> certificate, LoadPeerOptions options, uint64_t seed,
                               LoadTotals& totals)
    : LoadPeer(std::move(certificate), std::move(options), seed), totals_(totals) {
  own_ssrc_ = static_cast<uint32_t>(random()) | 1;
}

void LoadSubscriber::begin_window() {
  last_received_us_ = 0;
  for (Stream* stream : {&video_, &audio_}) {
    stream->distinct = 0;
    if (stream->newest != 0) stream->first_counted = stream->newest + 1;
  }
}

void LoadSubscriber::on_rtp(std::span<uint8_t> packet, const RtpHeader& header, int64_t now_us, int64_t received_us, size_t wire_size) {
  const bool audio = header.payload_type == kLoadAudioType;
  const bool rtx = header.payload_type == kLoadRtxType;
  if (!audio && !rtx && header.payload_type != kLoadVideoType) return;
  totals_.rtx_received += rtx;
  if (!audio && (random() >> 32) < drop_below_) {
    ++totals_.dropped;
    return;
  }
  const ExtensionValue& transport = header.extension(Extension::kTransportCc);
  if (transport.offset != 0 && transport.size == 2) transport_.on_packet(load16(packet.data() + transport.offset), now_us);
  const auto payload = packet.subspan(header.header_size, header.payload_size);
  if (rtx) {
    on_rtx(payload, now_us);
    return;
  }
  Stream& stream = audio ? audio_ : video_;
  stream.ssrc = header.ssrc;
  const uint64_t sequence = stream.sequences.unwrap(header.sequence);
  if (!audio) nacks_.on_packet(sequence, now_us);
  if (!stream.note(sequence)) {
    ++totals_.duplicates;
    return;
  }
  ++totals_.distinct;
  if (received_us != 0) {
    if (last_received_us_ != 0) totals_.longest_gap_us = std::max(totals_.longest_gap_us, received_us - last_received_us_);
    last_received_us_ = received_us;
  }
  totals_.wire_bytes += wire_size;
  totals_.payload_bytes += header.payload_size;
  stream.stats.on_packet(sequence, header.timestamp, audio ? 48'000 : 90'000, now_us);
  const size_t at = audio ? kAudioTimeOffset : kVideoTimeOffset;
  if (received_us != 0 && payload.size() >= at + 8) {
    totals_.latency.add(received_us - static_cast<int64_t>(load64(payload.data() + at)));
  }
}

// RFC 4588 4: the original sequence number stands before the payload.
void LoadSubscriber::on_rtx(std::span<const uint8_t> payload, int64_t now_us) {
  if (payload.size() < 2) return;
  if (!video_.sequences.started()) return;
  const uint64_t sequence = video_.sequences.peek(load16(payload.data()));
  nacks_.on_packet(sequence, now_us);
  if (!video_.note(sequence)) {
    ++totals_.duplicates;
    return;
  }
  ++totals_.distinct;
  ++totals_.repaired;
}

void LoadSubscriber::on_rtcp(const RtcpPacket& packet, int64_t now_us) {
  SenderInfo info;
  if (packet.type != RtcpType::kSr || !read_sender_info(packet, info)) return;
  ++totals_.sender_reports;
  if (info.ssrc == video_.ssrc) video_.stats.on_sender_report(info.ntp, now_us);
  if (info.ssrc == audio_.ssrc) audio_.stats.on_sender_report(info.ntp, now_us);
}

void LoadSubscriber::on_media_tick(int64_t now_us) {
  if (next_report_us_ == 0) {
    // Phases at random, as of clients that know nothing of each other.
    next_report_us_ = now_us + static_cast<int64_t>(random() % kReportUs);
    next_transport_us_ = now_us + static_cast<int64_t>(random() % kTransportUs);
    next_nack_us_ = now_us + static_cast<int64_t>(random() % kNackUs);
    next_key_request_us_ = now_us + kReportUs;
  }
  if (now_us >= next_nack_us_) {
    next_nack_us_ = now_us + kNackUs;
    send_nacks(now_us);
  }
  if (now_us >= next_transport_us_) {
    next_transport_us_ += kTransportUs;
    if (next_transport_us_ < now_us) next_transport_us_ = now_us + kTransportUs;
    send_transport_feedback(now_us);
  }
  if (now_us >= next_report_us_) {
    next_report_us_ = now_us + kReportUs;
    send_reports(now_us);
  }
  if (!video_.sequences.started() && now_us >= next_key_request_us_) {
    next_key_request_us_ = now_us + kReportUs;
    send_key_frame_request();
  }
}

void LoadSubscriber::send_reports(int64_t now_us) {
  std::array<ReportBlock, 2> blocks;
  size_t count = 0;
  for (Stream* stream : {&video_, &audio_}) {
    if (stream->stats.started()) blocks[count++] = stream->stats.make_block(stream->ssrc, now_us);
  }
  uint8_t buffer[kRtcpCapacity];
  RtcpWriter writer({buffer, sizeof(buffer) - kSrtpMaxOverhead});
  writer.receiver_report(own_ssrc_, std::span(blocks).first(count));
  writer.sdes_cname(own_ssrc_, "load");
  if (send_rtcp(buffer, writer.size(), sizeof(buffer))) ++totals_.receiver_reports;
}

void LoadSubscriber::send_transport_feedback(int64_t now_us) {
  while (transport_.pending() && transport_.take_report(now_us, report_)) {
    uint8_t buffer[kRtcpCapacity];
    RtcpWriter writer({buffer, sizeof(buffer) - kSrtpMaxOverhead});
    writer.transport_cc(own_ssrc_, video_.ssrc, report_);
    if (send_rtcp(buffer, writer.size(), sizeof(buffer))) ++totals_.transport_reports;
  }
}

void LoadSubscriber::send_nacks(int64_t now_us) {
  if (nacks_.idle()) return;
  wanted_.clear();
  nacks_.collect(now_us, 0, wanted_);
  if (wanted_.empty()) return;
  uint8_t buffer[kRtcpCapacity];
  RtcpWriter writer({buffer, sizeof(buffer) - kSrtpMaxOverhead});
  if (!writer.nack(own_ssrc_, video_.ssrc, wanted_)) return;
  if (!send_rtcp(buffer, writer.size(), sizeof(buffer))) return;
  ++totals_.nack_messages;
  totals_.nacked_packets += wanted_.size();
}

void LoadSubscriber::send_key_frame_request() {
  if (video_.ssrc == 0) return;
  uint8_t buffer[64];
  RtcpWriter writer({buffer, sizeof(buffer) - kSrtpMaxOverhead});
  writer.pli(own_ssrc_, video_.ssrc);
  if (send_rtcp(buffer, writer.size(), sizeof(buffer))) ++totals_.key_frame_requests;
}

}  // namespace parley
