// STUN (RFC 8489) as ICE uses it (RFC 8445): binding requests and their answers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#define OPENSSL_SUPPRESS_DEPRECATED  // SHA1_* on a copied state: a MAC costs two compressions less
#include <openssl/sha.h>

namespace parley {

inline constexpr uint32_t kStunMagic = 0x2112a442;
inline constexpr size_t kStunHeaderSize = 20;

enum class StunType : uint16_t {
  kBindingRequest = 0x0001,
  kBindingIndication = 0x0011,
  kBindingSuccess = 0x0101,
  kBindingError = 0x0111,
};

// The key schedule of MESSAGE-INTEGRITY, made once per password.
class StunKey {
 public:
  StunKey() = default;
  explicit StunKey(std::string_view password);
  // HMAC-SHA1 of several pieces.
  void mac(std::span<const std::span<const uint8_t>> pieces, uint8_t out[20]) const;

 private:
  SHA_CTX inner_{};
  SHA_CTX outer_{};
};

// Network order; IPv4 in the first four bytes.
struct StunMappedAddress {
  bool ipv6 = false;
  std::array<uint8_t, 16> ip{};
  uint16_t port = 0;
};

// What a message says; views point into the datagram.
struct StunView {
  uint16_t type = 0;
  const uint8_t* transaction_id = nullptr;  // 12 bytes
  std::string_view username;
  // Up to the colon: the receiver's ufrag.
  std::string_view local_ufrag() const { return username.substr(0, username.find(':')); }
  std::string_view remote_ufrag() const {
    const size_t colon = username.find(':');
    return colon == std::string_view::npos ? std::string_view() : username.substr(colon + 1);
  }
  bool use_candidate = false;
  bool controlling = false;
  bool controlled = false;
  uint64_t tie_breaker = 0;
  uint32_t priority = 0;
  uint16_t error_code = 0;
  // XOR-MAPPED-ADDRESS of a response.
  bool has_mapped = false;
  StunMappedAddress mapped;
  // Offset of the MESSAGE-INTEGRITY attribute, 0 when there is none.
  uint16_t integrity_offset = 0;
  bool fingerprint = false;
};

// True for what RFC 7983 and the magic cookie say is STUN.
bool looks_like_stun(std::span<const uint8_t> datagram);

// nullopt for anything malformed: wrong length, attributes that overrun, a wrong FINGERPRINT, something behind
// MESSAGE-INTEGRITY that is no FINGERPRINT is ignored (RFC 8489 14.5).
std::optional<StunView> parse_stun(std::span<const uint8_t> datagram);

// MESSAGE-INTEGRITY over the message as parse_stun read it. False when there is none.
bool stun_integrity_ok(std::span<const uint8_t> datagram, const StunView& view, const StunKey& key);

// Largest message the writers below make.
inline constexpr size_t kStunMaxWrite = 256;

// Success response with XOR-MAPPED-ADDRESS, integrity and fingerprint. Returns the size; `out` holds kStunMaxWrite.
size_t write_binding_success(const uint8_t* transaction_id, const StunMappedAddress& mapped, const StunKey& key,
                             uint8_t* out);

// Error response (RFC 8489 14.8) with integrity and fingerprint; `reason` up to 100 characters.
size_t write_binding_error(const uint8_t* transaction_id, uint16_t code, std::string_view reason, const StunKey& key,
                           uint8_t* out);

struct BindingRequest {
  std::array<uint8_t, 12> transaction_id{};
  std::string_view username;  // "their:ours", at most 100 characters
  bool controlling = true;
  uint64_t tie_breaker = 0;
  uint32_t priority = 0;
  bool use_candidate = false;
};

// For clients: 0 when the user name is too long.
size_t write_binding_request(const BindingRequest& request, const StunKey& key, uint8_t* out);

}  // namespace parley
