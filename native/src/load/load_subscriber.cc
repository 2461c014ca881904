#include "parley/load/load_subscriber.h"

#include <algorithm>

#include "parley/load/load_stamp.h"
#include "parley/wire/bytes.h"

namespace parley {
namespace {

constexpr int64_t kReportUs = 1'000'000;
constexpr int64_t kTransportUs = 100'000;
constexpr int64_t kNackUs = 5'000;
constexpr size_t kRtcpCapacity = 1'400;
// RFC 3550 6.4.2: the count has five bits.
constexpr size_t kMaxBlocks = 31;

}  // namespace

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
                               LoadTotals& totals, FanOutWatch& fan_out)
    : LoadPeer(std::move(certificate), std::move(options), seed), totals_(totals), fan_out_(fan_out) {
  own_ssrc_ = static_cast<uint32_t>(random()) | 1;
}

void LoadSubscriber::set_slots(std::span<const LoadSlot> slots) {
  for (const LoadSlot& slot : slots) {
    Stream& stream = stream_of(slot.ssrc, slot.rtx_ssrc == 0);
    if (slot.rtx_ssrc != 0) by_rtx_ssrc_[slot.rtx_ssrc] = &stream;
  }
}

LoadSubscriber::Stream& LoadSubscriber::stream_of(uint32_t ssrc, bool audio) {
  if (last_ != nullptr && last_->ssrc == ssrc) return *last_;
  Stream*& known = by_ssrc_[ssrc];
  if (known == nullptr) {
    known = streams_.emplace_back(std::make_unique<Stream>()).get();
    known->ssrc = ssrc;
    known->audio = audio;
  }
  last_ = known;
  return *known;
}

bool LoadSubscriber::has_media() const {
  return !streams_.empty() && std::all_of(streams_.begin(), streams_.end(), [](const auto& s) { return s->sequences.started(); });
}

uint64_t LoadSubscriber::missing() const {
  uint64_t sum = 0;
  for (const auto& stream : streams_) sum += stream->missing();
  return sum;
}

void LoadSubscriber::begin_window() {
  last_received_us_ = 0;
  for (const auto& stream : streams_) {
    stream->distinct = 0;
    if (stream->newest != 0) stream->first_counted = stream->newest + 1;
  }
}

void LoadSubscriber::on_rtp(std::span<uint8_t> packet, const RtpHeader& header, int64_t now_us, int64_t received_us, size_t wire_size) {
  const bool audio = header.payload_type == kLoadAudioType;
  const bool rtx = header.payload_type == kLoadRtxType;
  if (!audio && !rtx && header.payload_type != kLoadVideoType) return;
  totals_.rtx_received += rtx;
  const auto payload = packet.subspan(header.header_size, header.payload_size);
  const size_t at = audio ? kLoadOpusHeader : kLoadVp8Header;
  // Retransmissions have another header before it.
  const bool stamped = !rtx && received_us != 0 && payload.size() >= at + LoadStamp::kSize;
  const LoadStamp stamp = stamped ? LoadStamp::read(payload.data() + at) : LoadStamp{};
  // What is thrown away below came all the same.
  if (stamped && fan_out_.on()) fan_out_.on_packet(stamp, received_us);
  if (!audio && (random() >> 32) < drop_below_) {
    ++totals_.dropped;
    return;
  }
  const ExtensionValue& transport = header.extension(Extension::kTransportCc);
  if (transport.offset != 0 && transport.size == 2) transport_.on_packet(load16(packet.data() + transport.offset), now_us);
  if (rtx) {
    on_rtx(payload, header.ssrc, now_us);
    return;
  }
  Stream& stream = stream_of(header.ssrc, audio);
  const uint64_t sequence = stream.sequences.unwrap(header.sequence);
  if (!audio) {
    stream.nacks.on_packet(sequence, now_us);
    nacks_wait_ = nacks_wait_ || !stream.nacks.idle();
  }
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
  if (stamped) totals_.latency.add(received_us - static_cast<int64_t>(stamp.sent_us));
}

// RFC 4588 4: the original sequence number stands before the payload.
void LoadSubscriber::on_rtx(std::span<const uint8_t> payload, uint32_t ssrc, int64_t now_us) {
  if (payload.size() < 2) return;
  Stream* known = nullptr;
  if (const auto it = by_rtx_ssrc_.find(ssrc); it != by_rtx_ssrc_.end()) known = it->second;
  // Whoever was not told of SSRCs has one camera.
  for (size_t i = 0; i < streams_.size() && known == nullptr && by_rtx_ssrc_.empty(); ++i) {
    if (!streams_[i]->audio) known = streams_[i].get();
  }
  if (known == nullptr || !known->sequences.started()) return;
  Stream& stream = *known;
  const uint64_t sequence = stream.sequences.peek(load16(payload.data()));
  stream.nacks.on_packet(sequence, now_us);
  if (!stream.note(sequence)) {
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
  const auto known = by_ssrc_.find(info.ssrc);
  if (known != by_ssrc_.end()) known->second->stats.on_sender_report(info.ntp, now_us);
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
    next_nack_us_ += (now_us - next_nack_us_) / kNackUs * kNackUs + kNackUs;
    nacks_wait_ = false;
    for (const auto& stream : streams_) {
      send_nacks(*stream, now_us);
      nacks_wait_ = nacks_wait_ || !stream->nacks.idle();
    }
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
  if (now_us >= next_key_request_us_) {
    next_key_request_us_ = now_us + kReportUs;
    send_key_frame_requests();
  }
}

int64_t LoadSubscriber::media_due_us() const {
  const int64_t due_us = std::min({next_report_us_, next_transport_us_, next_key_request_us_});
  return nacks_wait_ ? std::min(due_us, next_nack_us_) : due_us;
}

void LoadSubscriber::send_reports(int64_t now_us) {
  std::vector<ReportBlock> blocks;
  for (const auto& stream : streams_) {
    if (stream->stats.started()) blocks.push_back(stream->stats.make_block(stream->ssrc, now_us));
  }
  size_t at = 0;
  do {
    const size_t count = std::min(kMaxBlocks, blocks.size() - at);
    uint8_t buffer[kRtcpCapacity];
    RtcpWriter writer({buffer, sizeof(buffer) - kSrtpMaxOverhead});
    writer.receiver_report(own_ssrc_, std::span(blocks).subspan(at, count));
    writer.sdes_cname(own_ssrc_, "load");
    if (send_rtcp(buffer, writer.size(), sizeof(buffer))) ++totals_.receiver_reports;
    at += count;
  } while (at < blocks.size());
}

void LoadSubscriber::send_transport_feedback(int64_t now_us) {
  while (transport_.pending() && transport_.take_report(now_us, report_)) {
    uint8_t buffer[kRtcpCapacity];
    RtcpWriter writer({buffer, sizeof(buffer) - kSrtpMaxOverhead});
    writer.transport_cc(own_ssrc_, streams_.empty() ? 0 : streams_.front()->ssrc, report_);
    if (send_rtcp(buffer, writer.size(), sizeof(buffer))) ++totals_.transport_reports;
  }
}

void LoadSubscriber::send_nacks(Stream& stream, int64_t now_us) {
  if (stream.nacks.idle()) return;
  wanted_.clear();
  stream.nacks.collect(now_us, 0, wanted_);
  if (wanted_.empty()) return;
  uint8_t buffer[kRtcpCapacity];
  RtcpWriter writer({buffer, sizeof(buffer) - kSrtpMaxOverhead});
  if (!writer.nack(own_ssrc_, stream.ssrc, wanted_)) return;
  if (!send_rtcp(buffer, writer.size(), sizeof(buffer))) return;
  ++totals_.nack_messages;
  totals_.nacked_packets += wanted_.size();
}

// For pictures that were never seen although something flows: the request made when the slot was bound may have come too early.
void LoadSubscriber::send_key_frame_requests() {
  if (std::none_of(streams_.begin(), streams_.end(), [](const auto& s) { return s->sequences.started(); })) return;
  for (const auto& stream : streams_) {
    if (stream->audio || stream->sequences.started()) continue;
    uint8_t buffer[64];
    RtcpWriter writer({buffer, sizeof(buffer) - kSrtpMaxOverhead});
    writer.pli(own_ssrc_, stream->ssrc);
    if (send_rtcp(buffer, writer.size(), sizeof(buffer))) ++totals_.key_frame_requests;
  }
}

}  // namespace parley
