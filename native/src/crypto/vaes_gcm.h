// AES-GCM with AVX-512, VAES and VPCLMULQDQ: four AES blocks and four GHASH products per instruction. Runs only where
// vaes_available() says so; everything is compiled with function target attributes, so the binary starts anywhere.
#pragma once

#include <openssl/crypto.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace parley {

// Processor and system allow AVX-512 (F, BW, VL, DQ), VAES and VPCLMULQDQ.
bool vaes_available();

// Round keys and the powers of the hash key: all that a key needs, no pointers, no allocation.
template <int kRounds>
struct VaesGcmKey {
  static constexpr size_t kKeySize = kRounds == 14 ? 32 : 16;
  std::array<uint8_t, (kRounds + 1) * 16> round_keys;
  // H^16 first, H^1 last, each times x in the bit-reflected field (see vaes_gcm.cc).
  std::array<uint8_t, 16 * 16> powers;
};

// A payload that may begin and end with small pieces from other places (a patched descriptor, padding).
struct GcmSource {
  const uint8_t* prefix = nullptr;
  size_t prefix_size = 0;  // at most 64
  const uint8_t* body = nullptr;
  size_t body_size = 0;
  const uint8_t* suffix = nullptr;
  size_t suffix_size = 0;

  size_t size() const { return prefix_size + body_size + suffix_size; }
};

template <int kRounds>
void vaes_gcm_expand(const uint8_t* key, VaesGcmKey<kRounds>& out);

// Writes source.size() bytes of ciphertext to out, and the tag behind it. Without prefix, body and out may be the same.
template <int kRounds>
void vaes_gcm_seal(const VaesGcmKey<kRounds>& key, const uint8_t nonce[12], std::span<const uint8_t> aad,
                   const GcmSource& source, uint8_t* out);

// Decrypts in place and gives the tag that the data should have.
template <int kRounds>
void vaes_gcm_open(const VaesGcmKey<kRounds>& key, const uint8_t nonce[12], std::span<const uint8_t> aad, uint8_t* data,
                   size_t size, uint8_t expected_tag[16]);

// Counter mode alone, for AES128_CM_SHA1_80. Needs no powers.
void vaes_ctr_expand(const uint8_t key[16], std::array<uint8_t, 176>& round_keys);
void vaes_ctr_apply(const std::array<uint8_t, 176>& round_keys, const uint8_t iv[16], const GcmSource& source,
                    uint8_t* out);

// Brings pieces into the form above: the largest is the body, those before it are gathered in the buffer, one behind it
// is the suffix. When that does not fit, everything is copied to out first and encrypted there.
GcmSource gather_pieces(std::span<const std::span<const uint8_t>> pieces, std::array<uint8_t, 64>& buffer, uint8_t* out);

// The same face as EvpGcm.
template <int kRounds>
class VaesGcm {
 public:
  VaesGcm() = default;
  VaesGcm(const VaesGcm&) = delete;
  VaesGcm& operator=(const VaesGcm&) = delete;
  ~VaesGcm() { OPENSSL_cleanse(&key_, sizeof(key_)); }

  bool init(std::span<const uint8_t> key, bool /*encrypt*/) {
    if (key.size() != VaesGcmKey<kRounds>::kKeySize) return false;
    vaes_gcm_expand<kRounds>(key.data(), key_);
    return true;
  }

  bool seal(const uint8_t nonce[12], std::span<const uint8_t> aad, std::span<const std::span<const uint8_t>> pieces,
            uint8_t* out) {
    std::array<uint8_t, 64> buffer;
    vaes_gcm_seal<kRounds>(key_, nonce, aad, gather_pieces(pieces, buffer, out), out);
    return true;
  }

  bool open(const uint8_t nonce[12], std::span<const uint8_t> aad, uint8_t* data, size_t size, const uint8_t* tag) {
    uint8_t expected[16];
    vaes_gcm_open<kRounds>(key_, nonce, aad, data, size, expected);
    return CRYPTO_memcmp(expected, tag, 16) == 0;
  }

  static constexpr size_t kHeapBytes = 0;

 private:
  VaesGcmKey<kRounds> key_;
};

}  // namespace parley
