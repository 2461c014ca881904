// AES128_CM_SHA1_80 (RFC 3711): AES in counter mode, then HMAC-SHA1 cut to 80 bits.
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <array>
#include <cstring>

#include "hmac_sha1.h"
#include "openssl_algorithms.h"
#include "srtp_transform.h"
#include "vaes_gcm.h"

namespace parley {
namespace {

constexpr size_t kTagSize = kSrtpSha1TagSize;
constexpr size_t kRtcpHeaderSize = 8;

class EvpCtr {
 public:
  EvpCtr() = default;
  EvpCtr(const EvpCtr&) = delete;
  EvpCtr& operator=(const EvpCtr&) = delete;
  ~EvpCtr() { EVP_CIPHER_CTX_free(ctx_); }

  bool init(std::span<const uint8_t, 16> key) {
    const EVP_CIPHER* cipher = OpensslAlgorithms::get().aes_128_ctr;
    if (cipher == nullptr) return false;
    ctx_ = EVP_CIPHER_CTX_new();
    return ctx_ != nullptr && EVP_EncryptInit_ex2(ctx_, cipher, key.data(), nullptr, nullptr) == 1;
  }

  bool apply(const uint8_t iv[16], std::span<const std::span<const uint8_t>> pieces, uint8_t* out) {
    if (EVP_EncryptInit_ex2(ctx_, nullptr, nullptr, iv, nullptr) != 1) return false;
    for (const std::span<const uint8_t> piece : pieces) {
      int written = 0;
      if (piece.empty()) continue;
      if (EVP_EncryptUpdate(ctx_, out, &written, piece.data(), static_cast<int>(piece.size())) != 1) return false;
      out += written;
    }
    return true;
  }

  static constexpr size_t kHeapBytes = 600;

 private:
  EVP_CIPHER_CTX* ctx_ = nullptr;
};

class VaesCtr {
 public:
  VaesCtr() = default;
  VaesCtr(const VaesCtr&) = delete;
  VaesCtr& operator=(const VaesCtr&) = delete;
  ~VaesCtr() { OPENSSL_cleanse(round_keys_.data(), round_keys_.size()); }

  bool init(std::span<const uint8_t, 16> key) {
    vaes_ctr_expand(key.data(), round_keys_);
    return true;
  }

  bool apply(const uint8_t iv[16], std::span<const std::span<const uint8_t>> pieces, uint8_t* out) {
    std::array<uint8_t, 64> buffer;
    vaes_ctr_apply(round_keys_, iv, gather_pieces(pieces, buffer, out), out);
    return true;
  }

  static constexpr size_t kHeapBytes = 0;

 private:
  std::array<uint8_t, 176> round_keys_{};
};

// Session keys of RTP or of RTCP.
template <typename Cipher>
struct CmSha1Keys {
  Cipher cipher;
  HmacSha1 hmac;
  std::array<uint8_t, 14> salt{};

  bool init(std::span<const uint8_t, 16> key, std::span<const uint8_t, 20> auth_key,
            const std::array<uint8_t, 14>& session_salt) {
    salt = session_salt;
    hmac.init(auth_key);
    return cipher.init(key);
  }

  bool apply(const uint8_t ssrc[4], uint64_t index, std::span<const std::span<const uint8_t>> pieces, uint8_t* out) {
    // RFC 3711 4.1.1: salt * 2^16 XOR SSRC * 2^64 XOR index * 2^16.
    uint8_t iv[16] = {};
    std::memcpy(iv, salt.data(), salt.size());
    for (size_t i = 0; i < 4; ++i) iv[4 + i] ^= ssrc[i];
    for (size_t i = 0; i < 6; ++i) iv[8 + i] ^= static_cast<uint8_t>(index >> (40 - 8 * i));
    return cipher.apply(iv, pieces, out);
  }

  bool apply_in_place(const uint8_t ssrc[4], uint64_t index, uint8_t* data, size_t size) {
    const std::span<const uint8_t> whole(data, size);
    return apply(ssrc, index, std::span(&whole, 1), data);
  }
};

template <typename Cipher>
class CmSha1Transform final : public SrtpTransform {
 public:
  bool init(const SrtpSessionKeys& keys) {
    const std::span<const uint8_t, 16> rtp_key(keys.rtp_key.data(), 16);
    const std::span<const uint8_t, 16> rtcp_key(keys.rtcp_key.data(), 16);
    return rtp_.init(rtp_key, keys.rtp_auth, keys.rtp_salt) && rtcp_.init(rtcp_key, keys.rtcp_auth, keys.rtcp_salt);
  }

  bool seal_rtp(uint8_t* packet, size_t header_size, std::span<const std::span<const uint8_t>> payload,
                size_t payload_size, uint64_t packet_index, SrtpTagBatch* batch) override {
    if (!rtp_.apply(packet + 8, packet_index, payload, packet + header_size)) return false;
    const size_t size = header_size + payload_size;
    if (batch != nullptr) {
      batch->add(rtp_.hmac, packet, size, roc_of(packet_index), packet + size);
    } else {
      rtp_.hmac.tag({packet, size}, roc_of(packet_index), packet + size);
    }
    return true;
  }

  SrtpError open_rtp(uint8_t* packet, size_t header_size, size_t size, uint64_t packet_index) override {
    const size_t plain_size = size - kTagSize;
    uint8_t tag[kTagSize];
    rtp_.hmac.tag({packet, plain_size}, roc_of(packet_index), tag);
    if (CRYPTO_memcmp(tag, packet + plain_size, kTagSize) != 0) return SrtpError::kAuthFailed;
    const bool ok =
        rtp_.apply_in_place(packet + 8, packet_index, packet + header_size, plain_size - header_size);
    return ok ? SrtpError::kNone : SrtpError::kInternal;
  }

  bool seal_rtcp(uint8_t* packet, size_t size, uint32_t index) override {
    if (!rtcp_.apply_in_place(packet + 4, index, packet + kRtcpHeaderSize, size - kRtcpHeaderSize)) return false;
    store_be32(packet + size, index | kSrtcpEncryptedFlag);
    rtcp_.hmac.tag({packet, size}, index | kSrtcpEncryptedFlag, packet + size + 4);
    return true;
  }

  SrtpError open_rtcp(uint8_t* packet, size_t size) override {
    const uint32_t word = rtcp_index_word(packet, size);
    const size_t plain_size = size - kTagSize - 4;
    uint8_t tag[kTagSize];
    rtcp_.hmac.tag({packet, plain_size}, word, tag);
    if (CRYPTO_memcmp(tag, packet + plain_size + 4, kTagSize) != 0) return SrtpError::kAuthFailed;
    if ((word & kSrtcpEncryptedFlag) == 0) return SrtpError::kNone;
    const bool ok = rtcp_.apply_in_place(packet + 4, word & ~kSrtcpEncryptedFlag, packet + kRtcpHeaderSize,
                                         plain_size - kRtcpHeaderSize);
    return ok ? SrtpError::kNone : SrtpError::kInternal;
  }

  uint32_t rtcp_index_word(const uint8_t* packet, size_t size) const override {
    return load_be32(packet + size - kTagSize - 4);
  }

  size_t memory_bytes() const override { return sizeof(*this) + 2 * Cipher::kHeapBytes; }

  SrtpKeyMemory rtp_keys() const override { return {&rtp_, sizeof(rtp_)}; }
  SrtpKeyMemory rtcp_keys() const override { return {&rtcp_, sizeof(rtcp_)}; }

 private:
  // RFC 3711 4.2: the authenticated portion is followed by the ROC.
  static uint32_t roc_of(uint64_t packet_index) { return static_cast<uint32_t>(packet_index >> 16); }

  CmSha1Keys<Cipher> rtp_;
  CmSha1Keys<Cipher> rtcp_;
};

template <typename Cipher>
std::unique_ptr<SrtpTransform> make(const SrtpSessionKeys& keys) {
  auto transform = std::make_unique<CmSha1Transform<Cipher>>();
  if (!transform->init(keys)) return nullptr;
  return transform;
}

}  // namespace

std::unique_ptr<SrtpTransform> make_cm_sha1_transform(const SrtpSessionKeys& keys, SrtpDirection /*direction*/,
                                                      SrtpBackend backend) {
  if (backend == SrtpBackend::kPortable || !vaes_available()) return make<EvpCtr>(keys);
  return make<VaesCtr>(keys);
}

std::string_view cm_sha1_backend_name() { return vaes_available() ? "vaes-avx512" : "openssl"; }

}  // namespace parley
