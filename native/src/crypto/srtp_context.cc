// The contexts of srtp.h: sizes, indices and replay; the profiles do the cryptography.
#include <algorithm>

#include "parley/crypto/srtp.h"
#include "srtp_transform.h"

namespace parley {
namespace {

constexpr size_t kMinRtpHeader = 12;
constexpr size_t kRtcpHeaderSize = 8;
constexpr uint32_t kRtcpIndexLimit = 0x80000000u;  // RFC 3711 3.4: 31 bits

std::unique_ptr<SrtpTransform> make_transform(const SrtpMasterKey& master, SrtpDirection direction,
                                              SrtpBackend backend) {
  SrtpSessionKeys keys;
  if (!keys.derive(master)) return nullptr;
  switch (master.profile) {
    case SrtpProfile::kAeadAes128Gcm:
    case SrtpProfile::kAeadAes256Gcm:
      return make_gcm_transform(keys, direction, backend);
    case SrtpProfile::kAes128CmSha1_80:
      return make_cm_sha1_transform(keys, direction, backend);
  }
  return nullptr;
}

// Size of fixed header, CSRCs and extension; 0 when they do not fit or the version is not 2 (RFC 3550 5.1).
size_t rtp_header_size(const uint8_t* packet, size_t size) {
  if (size < kMinRtpHeader || packet[0] >> 6 != 2) return 0;
  size_t header = kMinRtpHeader + 4 * size_t{packet[0] & 0x0fu};
  if ((packet[0] & 0x10) != 0) {
    if (size < header + 4) return 0;
    header += 4 + 4 * (size_t{packet[header + 2]} << 8 | packet[header + 3]);
  }
  return header <= size ? header : 0;
}

SrtpError replay_error(ReplayVerdict verdict) {
  switch (verdict) {
    case ReplayVerdict::kFresh:
      return SrtpError::kNone;
    case ReplayVerdict::kReplayed:
      return SrtpError::kReplayed;
    case ReplayVerdict::kTooOld:
      return SrtpError::kTooOld;
  }
  return SrtpError::kInternal;
}

}  // namespace

std::string_view srtp_backend_name(SrtpProfile profile) {
  return profile == SrtpProfile::kAes128CmSha1_80 ? cm_sha1_backend_name() : gcm_backend_name();
}

std::optional<uint64_t> srtp_estimate_index(uint64_t highest_index, uint16_t sequence_number) {
  const uint64_t roc = highest_index >> 16;
  const int32_t highest_sequence = static_cast<int32_t>(highest_index & 0xffff);
  const int32_t sequence = sequence_number;
  uint64_t guess = roc;
  if (highest_sequence < 0x8000) {
    if (sequence - highest_sequence > 0x8000) {
      if (roc == 0) return std::nullopt;
      guess = roc - 1;
    }
  } else if (highest_sequence - 0x8000 > sequence) {
    guess = roc + 1;
  }
  if (guess > 0xffffffffu) return std::nullopt;
  return guess << 16 | sequence_number;
}

// ---- sending

SrtpSendContext::SrtpSendContext(SrtpProfile profile, std::unique_ptr<SrtpTransform> transform)
    : transform_(std::move(transform)), profile_(profile) {}
SrtpSendContext::SrtpSendContext(SrtpSendContext&&) noexcept = default;
SrtpSendContext& SrtpSendContext::operator=(SrtpSendContext&&) noexcept = default;
SrtpSendContext::~SrtpSendContext() = default;

std::optional<SrtpSendContext> SrtpSendContext::create(const SrtpMasterKey& master, SrtpBackend backend) {
  auto transform = make_transform(master, SrtpDirection::kSend, backend);
  if (transform == nullptr) return std::nullopt;
  return SrtpSendContext(master.profile, std::move(transform));
}

SrtpResult SrtpSendContext::protect_rtp(uint8_t* packet, size_t header_size, size_t capacity,
                                        std::span<const std::span<const uint8_t>> payload, uint64_t packet_index,
                                        SrtpTagBatch* batch) {
  // The header comes from our own rewriter: a few checks that keep an error there from repeating a nonce.
  const size_t sequence = size_t{packet[2]} << 8 | packet[3];
  if (header_size < kMinRtpHeader || (packet_index & 0xffff) != sequence || packet_index >> 48 != 0) {
    return {.error = SrtpError::kMalformed};
  }
  size_t payload_size = 0;
  for (const std::span<const uint8_t> piece : payload) payload_size += piece.size();
  const size_t size = header_size + payload_size + srtp_rtp_tag_size(profile_);
  if (size > capacity) return {.error = SrtpError::kNoSpace};
  if (!transform_->seal_rtp(packet, header_size, payload, payload_size, packet_index, batch)) {
    return {.error = SrtpError::kInternal};
  }
  if (rtp_keys_.at == nullptr) rtp_keys_ = transform_->rtp_keys();
  return {.size = static_cast<uint32_t>(size)};
}

SrtpResult SrtpSendContext::protect_rtcp(uint8_t* packet, size_t size, size_t capacity) {
  if (size < kRtcpHeaderSize) return {.error = SrtpError::kMalformed};
  const size_t protected_size = size + srtcp_trailer_size(profile_);
  if (protected_size > capacity) return {.error = SrtpError::kNoSpace};
  if (next_rtcp_index_ >= kRtcpIndexLimit) return {.error = SrtpError::kExhausted};
  // The index counts even when sealing fails: it must never be used twice.
  if (!transform_->seal_rtcp(packet, size, next_rtcp_index_++)) return {.error = SrtpError::kInternal};
  return {.size = static_cast<uint32_t>(protected_size)};
}

size_t SrtpSendContext::memory_bytes() const { return transform_->memory_bytes(); }

// ---- receiving

SrtpReceiveContext::SrtpReceiveContext(SrtpProfile profile, std::unique_ptr<SrtpTransform> transform)
    : transform_(std::move(transform)), profile_(profile) {}
SrtpReceiveContext::SrtpReceiveContext(SrtpReceiveContext&&) noexcept = default;
SrtpReceiveContext& SrtpReceiveContext::operator=(SrtpReceiveContext&&) noexcept = default;
SrtpReceiveContext::~SrtpReceiveContext() = default;

std::optional<SrtpReceiveContext> SrtpReceiveContext::create(const SrtpMasterKey& master, SrtpBackend backend) {
  auto transform = make_transform(master, SrtpDirection::kReceive, backend);
  if (transform == nullptr) return std::nullopt;
  return SrtpReceiveContext(master.profile, std::move(transform));
}

SrtpReceiveContext::RtpStream* SrtpReceiveContext::find_rtp(uint32_t ssrc) {
  if (last_rtp_ < rtp_streams_.size() && rtp_streams_[last_rtp_].ssrc == ssrc) return &rtp_streams_[last_rtp_];
  for (size_t i = 0; i < rtp_streams_.size(); ++i) {
    if (rtp_streams_[i].ssrc != ssrc) continue;
    last_rtp_ = i;
    return &rtp_streams_[i];
  }
  return nullptr;
}

SrtpReceiveContext::RtcpStream* SrtpReceiveContext::find_rtcp(uint32_t ssrc) {
  const auto found = std::find_if(rtcp_streams_.begin(), rtcp_streams_.end(),
                                  [ssrc](const RtcpStream& stream) { return stream.ssrc == ssrc; });
  return found != rtcp_streams_.end() ? &*found : nullptr;
}

SrtpRtpResult SrtpReceiveContext::unprotect_rtp(uint8_t* packet, size_t size) {
  SrtpRtpResult result;
  const size_t tag_size = srtp_rtp_tag_size(profile_);
  const size_t header_size = size >= tag_size ? rtp_header_size(packet, size - tag_size) : 0;
  if (header_size == 0) {
    result.error = SrtpError::kMalformed;
    return result;
  }
  const auto sequence = static_cast<uint16_t>(packet[2] << 8 | packet[3]);
  result.ssrc = load_be32(packet + 8);
  RtpStream* stream = find_rtp(result.ssrc);
  if (stream == nullptr) {
    // RFC 3711 3.3.1: the first packet of a source has roll-over count 0.
    result.packet_index = sequence;
    if (rtp_streams_.size() >= kMaxStreams) result.error = SrtpError::kTooManyStreams;
  } else {
    const std::optional<uint64_t> index = srtp_estimate_index(stream->window.highest(), sequence);
    result.packet_index = index.value_or(0);
    result.error = index ? replay_error(stream->window.check(*index)) : SrtpError::kTooOld;
  }
  if (!result.ok()) return result;
  result.error = transform_->open_rtp(packet, header_size, size, result.packet_index);
  if (!result.ok()) return result;
  if (stream == nullptr) {
    rtp_keys_ = transform_->rtp_keys();
    last_rtp_ = rtp_streams_.size();
    stream = &rtp_streams_.emplace_back(RtpStream{.ssrc = result.ssrc, .window = {}});
  }
  stream->window.accept(result.packet_index);
  result.size = static_cast<uint32_t>(size - tag_size);
  result.header_size = static_cast<uint32_t>(header_size);
  return result;
}

SrtpResult SrtpReceiveContext::unprotect_rtcp(uint8_t* packet, size_t size) {
  const size_t trailer_size = srtcp_trailer_size(profile_);
  if (size < kRtcpHeaderSize + trailer_size || packet[0] >> 6 != 2) return {.error = SrtpError::kMalformed};
  const uint32_t ssrc = load_be32(packet + 4);
  const uint32_t index = transform_->rtcp_index_word(packet, size) & ~kSrtcpEncryptedFlag;
  RtcpStream* stream = find_rtcp(ssrc);
  SrtpError error = SrtpError::kNone;
  if (stream != nullptr) {
    error = replay_error(stream->window.check(index));
  } else if (rtcp_streams_.size() >= kMaxStreams) {
    error = SrtpError::kTooManyStreams;
  }
  if (error == SrtpError::kNone) error = transform_->open_rtcp(packet, size);
  if (error != SrtpError::kNone) return {.error = error};
  if (stream == nullptr) {
    rtcp_keys_ = transform_->rtcp_keys();
    stream = &rtcp_streams_.emplace_back(RtcpStream{.ssrc = ssrc, .window = {}});
  }
  stream->window.accept(index);
  return {.size = static_cast<uint32_t>(size - trailer_size)};
}

void SrtpReceiveContext::forget(uint32_t ssrc) {
  std::erase_if(rtp_streams_, [ssrc](const RtpStream& stream) { return stream.ssrc == ssrc; });
  std::erase_if(rtcp_streams_, [ssrc](const RtcpStream& stream) { return stream.ssrc == ssrc; });
}

size_t SrtpReceiveContext::memory_bytes() const {
  return transform_->memory_bytes() + rtp_streams_.capacity() * sizeof(RtpStream) +
         rtcp_streams_.capacity() * sizeof(RtcpStream);
}

}  // namespace parley
