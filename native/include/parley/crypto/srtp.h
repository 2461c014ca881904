// SRTP and SRTCP (RFC 3711) with AES-CM/HMAC-SHA1-80 and AES-GCM (RFC 7714).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "parley/crypto/replay_window.h"
#include "parley/wire/prefetch.h"

namespace parley {

// Protection profiles by their DTLS-SRTP number (RFC 5764 4.1.2, RFC 7714 14.2).
enum class SrtpProfile : uint16_t {
  kAes128CmSha1_80 = 0x0001,
  kAeadAes128Gcm = 0x0007,
  kAeadAes256Gcm = 0x0008,
};

// Ours, best first: GCM costs a third of CTR with HMAC-SHA1; 256 bits cost more and protect no better here.
inline constexpr std::array<SrtpProfile, 3> kSrtpProfilePreference = {
    SrtpProfile::kAeadAes128Gcm, SrtpProfile::kAeadAes256Gcm, SrtpProfile::kAes128CmSha1_80};

constexpr size_t srtp_key_size(SrtpProfile profile) { return profile == SrtpProfile::kAeadAes256Gcm ? 32 : 16; }
constexpr size_t srtp_salt_size(SrtpProfile profile) { return profile == SrtpProfile::kAes128CmSha1_80 ? 14 : 12; }
constexpr size_t srtp_rtp_tag_size(SrtpProfile profile) { return profile == SrtpProfile::kAes128CmSha1_80 ? 10 : 16; }
// Tag and the word with the E flag and the SRTCP index (RFC 3711 3.4).
constexpr size_t srtcp_trailer_size(SrtpProfile profile) { return srtp_rtp_tag_size(profile) + 4; }

// What any protected packet grows by at most, whatever the profile: room to keep behind a packet.
inline constexpr size_t kSrtpMaxOverhead = 20;

// "AEAD_AES_128_GCM" and so on (the IANA names).
std::string_view srtp_profile_name(SrtpProfile profile);

// Master key and salt of one direction. Wiped when destroyed.
struct SrtpMasterKey {
  SrtpProfile profile = SrtpProfile::kAeadAes128Gcm;
  std::array<uint8_t, 32> key{};   // the first srtp_key_size() bytes count
  std::array<uint8_t, 14> salt{};  // the first srtp_salt_size() bytes count

  SrtpMasterKey() = default;
  SrtpMasterKey(const SrtpMasterKey&) = default;
  SrtpMasterKey& operator=(const SrtpMasterKey&) = default;
  ~SrtpMasterKey();
};

enum class SrtpError : uint8_t {
  kNone,
  kMalformed,       // too short, not version 2, header longer than the packet
  kAuthFailed,      // tampered, or another key
  kReplayed,        // this index was accepted before
  kTooOld,          // behind the replay window
  kTooManyStreams,  // the peer uses more SSRCs than we track
  kNoSpace,         // the output buffer is too small
  kExhausted,       // 2^31 SRTCP packets were sent with this key (RFC 3711 9.2)
  kInternal,        // the cryptographic library refused; counted, never expected
};

// Which implementation does the work. kAuto takes the fastest the processor has.
enum class SrtpBackend : uint8_t {
  kAuto,
  kPortable,  // OpenSSL's EVP only
};

// Name of what kAuto resolves to on this machine for a profile, such as "vaes-avx512" or "openssl"; for logs.
std::string_view srtp_backend_name(SrtpProfile profile);

struct SrtpResult {
  SrtpError error = SrtpError::kNone;
  uint32_t size = 0;  // of the whole packet after the operation; 0 on error
  bool ok() const { return error == SrtpError::kNone; }
};

struct SrtpRtpResult {
  SrtpError error = SrtpError::kNone;
  uint32_t size = 0;          // of the plain packet; 0 on error
  uint32_t header_size = 0;   // fixed header, CSRCs and extension
  uint32_t ssrc = 0;
  uint64_t packet_index = 0;  // ROC << 16 | sequence number
  bool ok() const { return error == SrtpError::kNone; }
};

class SrtpTransform;  // one direction of one profile; internal
struct HmacSha1;      // internal
struct SrtpKeyMemory {
  const void* at = nullptr;
  size_t bytes = 0;
};

// Tags that are still to be made: those of AES128_CM_SHA1_80 cost a third when sixteen packets are hashed side by side.
// Packets of any contexts go in; before they are sent, finish() must have been called. The bytes of a packet must stay
// where they are until then, its context need not. Belongs to one thread.
class SrtpTagBatch {
 public:
  SrtpTagBatch();
  ~SrtpTagBatch();
  SrtpTagBatch(const SrtpTagBatch&) = delete;
  SrtpTagBatch& operator=(const SrtpTagBatch&) = delete;

  // Writes every tag that is outstanding. Cheap when there is none.
  void finish();

  // For the profiles only.
  void add(const HmacSha1& key, const uint8_t* data, size_t size, uint32_t suffix, uint8_t* tag);

 private:
  struct Jobs;
  std::unique_ptr<Jobs> jobs_;
};

// Protects everything that goes to one peer, all SSRCs. Belongs to exactly one thread at a time.
//
// NEVER protect two different packets with the same SSRC and index: with GCM that gives the key of the tag away
// (RFC 7714 8.4). A packet may be sent again with the same SSRC and index only byte for byte as it was, extension
// values included; what changes goes out as RTX or with a new sequence number.
class SrtpSendContext {
 public:
  // nullopt when the cryptographic library refuses (no memory, a cipher that is not there).
  static std::optional<SrtpSendContext> create(const SrtpMasterKey& master, SrtpBackend backend = SrtpBackend::kAuto);

  SrtpSendContext(SrtpSendContext&&) noexcept;
  SrtpSendContext& operator=(SrtpSendContext&&) noexcept;
  ~SrtpSendContext();

  SrtpProfile profile() const { return profile_; }

  // packet[0, header_size) holds the finished RTP header (CSRCs and extension included). The pieces of the payload
  // are encrypted one after the other to packet + header_size and the tag is put behind. The pieces stay untouched
  // and must not overlap the packet, except that a single piece may be packet + header_size itself (in place).
  // packet_index is ROC << 16 | sequence number; its low 16 bits must be the header's.
  // With a batch the tag may be written only when the batch is finished (AES128_CM_SHA1_80; GCM writes it at once).
  SrtpResult protect_rtp(uint8_t* packet, size_t header_size, size_t capacity,
                         std::span<const std::span<const uint8_t>> payload, uint64_t packet_index,
                         SrtpTagBatch* batch = nullptr);

  // The same with one contiguous payload.
  SrtpResult protect_rtp(uint8_t* packet, size_t header_size, size_t capacity, std::span<const uint8_t> payload,
                         uint64_t packet_index) {
    return protect_rtp(packet, header_size, capacity, std::span<const std::span<const uint8_t>>(&payload, 1),
                       packet_index);
  }

  // Protects the compound packet in place. The index is counted here, one for all SSRCs.
  SrtpResult protect_rtcp(uint8_t* packet, size_t size, size_t capacity);

  // Ahead of protect_rtp, for contexts that are in no cache.
  void expect_rtp() const {
    prefetch(transform_.get());
    prefetch(rtp_keys_.at, rtp_keys_.bytes);
  }

  // The next SRTCP index; to carry on with the same key elsewhere.
  uint32_t next_rtcp_index() const { return next_rtcp_index_; }
  void set_next_rtcp_index(uint32_t index) { next_rtcp_index_ = index; }

  // Bytes this context holds on the heap, as far as is known (OpenSSL's are measured at start).
  size_t memory_bytes() const;

 private:
  SrtpSendContext(SrtpProfile profile, std::unique_ptr<SrtpTransform> transform);

  std::unique_ptr<SrtpTransform> transform_;
  SrtpKeyMemory rtp_keys_;
  uint32_t next_rtcp_index_ = 0;
  SrtpProfile profile_;
};

// Unprotects everything that comes from one peer. Belongs to exactly one thread at a time. An SSRC gets state only
// after a packet of it was authenticated, so strangers cost nothing but one failed tag.
class SrtpReceiveContext {
 public:
  // A peer in a large meeting sends a few dozen SSRCs (layers and RTX); more than this is a fault or an attack.
  static constexpr size_t kMaxStreams = 256;

  static std::optional<SrtpReceiveContext> create(const SrtpMasterKey& master,
                                                  SrtpBackend backend = SrtpBackend::kAuto);

  SrtpReceiveContext(SrtpReceiveContext&&) noexcept;
  SrtpReceiveContext& operator=(SrtpReceiveContext&&) noexcept;
  ~SrtpReceiveContext();

  SrtpProfile profile() const { return profile_; }

  // In place. On kAuthFailed the bytes behind the header are unspecified; on other errors they are untouched.
  SrtpRtpResult unprotect_rtp(uint8_t* packet, size_t size);
  SrtpResult unprotect_rtcp(uint8_t* packet, size_t size);

  // Ahead of the two, for contexts that are in no cache.
  void expect_rtp() const {
    prefetch(transform_.get());
    prefetch(rtp_keys_.at, rtp_keys_.bytes);
    prefetch(rtp_streams_.data() + last_rtp_, sizeof(RtpStream));
  }
  void expect_rtcp() const {
    prefetch(transform_.get());
    prefetch(rtcp_keys_.at, rtcp_keys_.bytes);
    prefetch(rtcp_streams_.data());
  }

  // Frees the state of an SSRC that ended. Its old packets are not recognised as replays any more, so call it only
  // when nothing is routed from that SSRC.
  void forget(uint32_t ssrc);

  size_t stream_count() const { return rtp_streams_.size(); }
  size_t memory_bytes() const;

 private:
  // 960 packets at least: plain retransmission (no RTX) at 500 packets/s comes 300 ms late and more.
  struct RtpStream {
    uint32_t ssrc;
    ReplayWindow<16> window;
  };
  struct RtcpStream {
    uint32_t ssrc;
    ReplayWindow<3> window;
  };

  SrtpReceiveContext(SrtpProfile profile, std::unique_ptr<SrtpTransform> transform);
  RtpStream* find_rtp(uint32_t ssrc);
  RtcpStream* find_rtcp(uint32_t ssrc);

  std::unique_ptr<SrtpTransform> transform_;
  SrtpKeyMemory rtp_keys_;
  SrtpKeyMemory rtcp_keys_;
  std::vector<RtpStream> rtp_streams_;
  std::vector<RtcpStream> rtcp_streams_;
  size_t last_rtp_ = 0;  // packets come in runs of one SSRC
  SrtpProfile profile_;
};

// RFC 3711 3.3.1: the index of a packet from its sequence number and the highest index so far. nullopt when it
// would lie before the first roll-over.
std::optional<uint64_t> srtp_estimate_index(uint64_t highest_index, uint16_t sequence_number);

// Labels of the key derivation (RFC 3711 4.3.1).
enum class SrtpKeyLabel : uint8_t {
  kRtpEncryption = 0,
  kRtpAuth = 1,
  kRtpSalt = 2,
  kRtcpEncryption = 3,
  kRtcpAuth = 4,
  kRtcpSalt = 5,
};

// Derives out.size() bytes (at most 32) for a label, key derivation rate 0 (RFC 3711 4.3, RFC 7714 11). False when
// the cryptographic library refuses.
bool srtp_derive_key(const SrtpMasterKey& master, SrtpKeyLabel label, std::span<uint8_t> out);

}  // namespace parley
