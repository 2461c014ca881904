// What the SRTP contexts ask of a profile: one direction, session keys inside, no notion of replay.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "parley/crypto/srtp.h"

namespace parley {

enum class SrtpDirection : uint8_t { kSend, kReceive };

// What is derived from a master key (RFC 3711 4.3.1). GCM has no authentication keys. Wiped when destroyed.
struct SrtpSessionKeys {
  SrtpProfile profile = SrtpProfile::kAeadAes128Gcm;
  std::array<uint8_t, 32> rtp_key{};
  std::array<uint8_t, 32> rtcp_key{};
  std::array<uint8_t, 20> rtp_auth{};
  std::array<uint8_t, 20> rtcp_auth{};
  std::array<uint8_t, 14> rtp_salt{};
  std::array<uint8_t, 14> rtcp_salt{};

  SrtpSessionKeys() = default;
  SrtpSessionKeys(const SrtpSessionKeys&) = delete;
  SrtpSessionKeys& operator=(const SrtpSessionKeys&) = delete;
  ~SrtpSessionKeys();

  // False when the cryptographic library refuses.
  bool derive(const SrtpMasterKey& master);
};

class SrtpTransform {
 public:
  virtual ~SrtpTransform() = default;

  // Encrypts the pieces to packet + header_size and appends the tag (or leaves it to the batch, if
  // there is one); the caller has checked the space.
  virtual bool seal_rtp(uint8_t* packet, size_t header_size, std::span<const std::span<const uint8_t>> payload,
                        size_t payload_size, uint64_t packet_index, SrtpTagBatch* batch) = 0;
  // size includes the tag; the caller has checked that header and tag fit.
  virtual SrtpError open_rtp(uint8_t* packet, size_t header_size, size_t size, uint64_t packet_index) = 0;
  // Encrypts all behind the first 8 bytes and appends the trailer.
  virtual bool seal_rtcp(uint8_t* packet, size_t size, uint32_t index) = 0;
  // size includes the trailer, of which at least 8 bytes are in front.
  virtual SrtpError open_rtcp(uint8_t* packet, size_t size) = 0;
  // The word with the E flag and the index, unauthenticated as yet.
  virtual uint32_t rtcp_index_word(const uint8_t* packet, size_t size) const = 0;
  virtual size_t memory_bytes() const = 0;
  // Where the keys lie, for asking for that memory ahead of a packet; RTP's may be known only after the first one.
  virtual SrtpKeyMemory rtp_keys() const = 0;
  virtual SrtpKeyMemory rtcp_keys() const = 0;
};

// nullptr when the cryptographic library refuses.
std::unique_ptr<SrtpTransform> make_gcm_transform(const SrtpSessionKeys& keys, SrtpDirection direction,
                                                  SrtpBackend backend);
std::unique_ptr<SrtpTransform> make_cm_sha1_transform(const SrtpSessionKeys& keys, SrtpDirection direction,
                                                      SrtpBackend backend);
std::string_view gcm_backend_name();
std::string_view cm_sha1_backend_name();

inline constexpr uint32_t kSrtcpEncryptedFlag = 0x80000000u;

inline uint32_t load_be32(const uint8_t* p) {
  return uint32_t{p[0]} << 24 | uint32_t{p[1]} << 16 | uint32_t{p[2]} << 8 | uint32_t{p[3]};
}

inline void store_be32(uint8_t* p, uint32_t value) {
  p[0] = static_cast<uint8_t>(value >> 24);
  p[1] = static_cast<uint8_t>(value >> 16);
  p[2] = static_cast<uint8_t>(value >> 8);
  p[3] = static_cast<uint8_t>(value);
}

}  // namespace parley
