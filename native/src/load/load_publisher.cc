#include "parley/load/load_publisher.h"

#include <algorithm>
#include <cstring>

#include "parley/load/load_stamp.h"
#include "parley/media/clock_map.h"
#include "parley/wire/bytes.h"

namespace parley {
namespace {

constexpr int64_t kReportUs = 1'000'000;
// Seconds from 1900 to 1970.
constexpr int64_t kNtpOffsetUs = int64_t{2'208'988'800} * 1'000'000;
// Publishers that know nothing of each other: their frames begin anywhere within this.
constexpr uint64_t kPhaseUs = 33'333;

}  // namespace

LoadPublisher::LoadPublisher(std::shared_ptr<const DtlsCertificate> certificate, LoadPeerOptions options, LoadPublisherOptions streams,
                             uint64_t seed)
    : LoadPeer(std::move(certificate), std::move(options), seed),
      streams_(streams),
      pattern_(make_load_pattern(streams.profile, streams.pace)),
      history_(kHistory) {
  video_index_ = random() & 0x7fff;
  audio_index_ = random() & 0x7fff;
  rtx_index_ = random() & 0x7fff;
  picture_id_ = random() & 0x7fff;
  phase_us_ = static_cast<int64_t>(random() % kPhaseUs);
}

uint32_t LoadPublisher::timestamp_at(bool audio, int64_t us) const {
  return static_cast<uint32_t>(us * (audio ? 48 : 90) / 1'000);
}

int64_t LoadPublisher::send_due(int64_t now_us, LatencyHistogram& lateness) {
  if (state() != LoadState::kConnected || !sending_) {
    begun_us_ = 0;
    return now_us + 1'000;
  }
  if (begun_us_ == 0) {
    begun_us_ = now_us + phase_us_;
    next_ = 0;
  }
  for (;;) {
    const LoadPacket& packet = pattern_.packets[next_];
    const int64_t due = begun_us_ + packet.at_us;
    if (due > now_us) return due;
    lateness.add(load_monotonic_us() - due);
    send_packet(packet);
    if (++next_ == pattern_.packets.size()) {
      next_ = 0;
      begun_us_ += pattern_.length_us;
    }
  }
}

size_t LoadPublisher::write_header(uint8_t* out, uint8_t payload_type, bool marker, uint16_t sequence, uint32_t timestamp, uint32_t ssrc,
                                   bool audio) {
  out[0] = 0x90;
  out[1] = static_cast<uint8_t>((marker ? 0x80 : 0) | payload_type);
  store16(out + 2, sequence);
  store32(out + 4, timestamp);
  store32(out + 8, ssrc);
  uint8_t block[ExtensionWriter::kMaxBlock];
  ExtensionWriter writer(block, false);
  store16(writer.add(kLoadTransportCcId, 2), transport_sequence_++);
  if (audio) *writer.add(kLoadAudioLevelId, 1) = 0x80 | 30;
  const size_t size = writer.finish();
  std::memcpy(out + kRtpFixedSize, block, size);
  return kRtpFixedSize + size;
}

void LoadPublisher::send_packet(const LoadPacket& packet) {
  uint8_t out[kCapacity];
  const bool audio = packet.audio;
  if (!audio && packet.first_of_frame) {
    picture_id_ = (picture_id_ + 1) & 0x7fff;
    key_now_ = key_wanted_;
    key_wanted_ = false;
    counters_.key_frames += key_now_;
  }
  // All packets of a frame carry the time of its first.
  const uint32_t timestamp = timestamp_at(audio, begun_us_ + packet.frame_us);
  frame_count_ += !audio && packet.first_of_frame;
  uint64_t& index = audio ? audio_index_ : video_index_;
  const bool marker = !audio && packet.last_of_frame;
  const size_t header = write_header(out, audio ? kLoadAudioType : kLoadVideoType, marker, static_cast<uint16_t>(index), timestamp,
                                     audio ? streams_.audio_ssrc : streams_.video_ssrc, audio);
  uint8_t* payload = out + header;
  std::memset(payload, 0x5a, packet.payload_size);
  const LoadStamp stamp{static_cast<uint64_t>(load_realtime_us()), streams_.video_ssrc, packet_count_++, frame_count_,
                        audio ? uint8_t{0} : packet.frame_packets};
  if (audio) {
    payload[0] = 0xfc;
    stamp.write(payload + kLoadOpusHeader);
  } else {
    payload[0] = packet.first_of_frame ? 0x90 : 0x80;
    payload[1] = 0x80;
    store16(payload + 2, 0x8000 | picture_id_);
    payload[4] = key_now_ ? 0x10 : 0x11;
    stamp.write(payload + kLoadVp8Header);
    Kept& kept = history_[index % kHistory];
    kept.index = index;
    kept.timestamp = timestamp;
    kept.payload_size = packet.payload_size;
    kept.marker = marker;
    std::memcpy(kept.payload, payload, packet.payload_size);
  }
  send_rtp(out, header, header + packet.payload_size, sizeof(out), index);
  ++index;
  ++counters_.packets;
  (audio ? audio_packets_ : video_packets_) += 1;
  (audio ? audio_bytes_ : video_bytes_) += packet.payload_size;
}

void LoadPublisher::retransmit(uint16_t sequence) {
  ++counters_.nacked;
  const auto back = static_cast<uint16_t>(static_cast<uint16_t>(video_index_) - sequence);
  if (back == 0 || back > kHistory || back > video_index_) return;
  const Kept& kept = history_[(video_index_ - back) % kHistory];
  if (kept.index != video_index_ - back || kept.payload_size == 0) return;
  uint8_t out[kCapacity];
  const size_t header =
      write_header(out, kLoadRtxType, kept.marker, static_cast<uint16_t>(rtx_index_), kept.timestamp, streams_.rtx_ssrc, false);
  store16(out + header, sequence);
  std::memcpy(out + header + 2, kept.payload, kept.payload_size);
  send_rtp(out, header, header + 2 + kept.payload_size, sizeof(out), rtx_index_++);
  ++counters_.retransmitted;
}

void LoadPublisher::on_rtcp(const RtcpPacket& packet, int64_t) {
  FeedbackHeader feedback;
  if (packet.type == RtcpType::kRr) ++counters_.receiver_reports;
  if (packet.type == RtcpType::kRtpfb && packet.count == kFmtTransportCc) ++counters_.transport_reports;
  if (packet.type == RtcpType::kRtpfb && packet.count == kFmtNack && read_feedback(packet, feedback) &&
      feedback.media_ssrc == streams_.video_ssrc) {
    read_nacks(packet, [this](uint16_t sequence) { retransmit(sequence); });
  }
  if (packet.type == RtcpType::kPsfb && (packet.count == kFmtPli || packet.count == kFmtFir)) {
    ++counters_.key_frame_requests;
    key_wanted_ = true;
  }
}

void LoadPublisher::on_media_tick(int64_t now_us) {
  if (now_us < next_report_us_) return;
  next_report_us_ = now_us + kReportUs;
  send_reports(now_us);
}

void LoadPublisher::send_reports(int64_t now_us) {
  if (begun_us_ == 0) return;
  const uint64_t ntp = us_to_ntp(load_realtime_us() + kNtpOffsetUs);
  for (const bool audio : {false, true}) {
    uint8_t buffer[256];
    RtcpWriter writer({buffer, sizeof(buffer) - kSrtpMaxOverhead});
    SenderInfo info;
    info.ssrc = audio ? streams_.audio_ssrc : streams_.video_ssrc;
    info.ntp = ntp;
    info.rtp_timestamp = timestamp_at(audio, now_us);
    info.packets = audio ? audio_packets_ : video_packets_;
    info.bytes = audio ? audio_bytes_ : video_bytes_;
    writer.sender_report(info, {});
    writer.sdes_cname(info.ssrc, "load");
    send_rtcp(buffer, writer.size(), sizeof(buffer));
  }
}

}  // namespace parley
