// AEAD_AES_128_GCM and AEAD_AES_256_GCM (RFC 7714).
#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "evp_gcm.h"
#include "srtp_transform.h"
#include "parley/wire/prefetch.h"
#include "vaes_gcm.h"

namespace parley {
namespace {

constexpr size_t kTagSize = 16;
constexpr size_t kRtcpHeaderSize = 8;
// Largest SRTCP packet with E = 0 that is looked at: its additional data must be made contiguous first.
constexpr size_t kMaxPlainRtcpSize = 2048;

void fill_rtp_nonce(const std::array<uint8_t, 12>& salt, const uint8_t* header, uint64_t packet_index,
                    uint8_t nonce[12]) {
  // RFC 7714 8.1: 00 00, SSRC, ROC, SEQ, all XOR the salt. In words as they lie in memory.
  uint32_t ssrc, salt_low;
  uint64_t salt_high;
  std::memcpy(&ssrc, header + 8, 4);
  std::memcpy(&salt_high, salt.data(), 8);
  std::memcpy(&salt_low, salt.data() + 8, 4);
  uint8_t low[4];
  store_be32(low, static_cast<uint32_t>(packet_index));
  uint8_t high[8] = {};
  std::memcpy(high + 2, &ssrc, 4);
  high[6] = static_cast<uint8_t>(packet_index >> 40);
  high[7] = static_cast<uint8_t>(packet_index >> 32);
  uint64_t high_word;
  uint32_t low_word;
  std::memcpy(&high_word, high, 8);
  std::memcpy(&low_word, low, 4);
  high_word ^= salt_high;
  low_word ^= salt_low;
  std::memcpy(nonce, &high_word, 8);
  std::memcpy(nonce + 8, &low_word, 4);
}

void fill_rtcp_nonce(const std::array<uint8_t, 12>& salt, const uint8_t* header, uint32_t index, uint8_t nonce[12]) {
  // RFC 7714 9.1: 00 00, SSRC, 00 00, 0 and the 31 bits of the index, all XOR the salt.
  std::memset(nonce, 0, 12);
  std::memcpy(nonce + 2, header + 4, 4);
  store_be32(nonce + 8, index);
  for (size_t i = 0; i < 12; ++i) nonce[i] ^= salt[i];
}

template <typename Cipher>
class alignas(kCacheLine) GcmTransform final : public SrtpTransform {
 public:
  ~GcmTransform() override { OPENSSL_cleanse(rtp_key_.data(), rtp_key_.size()); }

  bool init(const SrtpSessionKeys& keys, SrtpDirection direction) {
    key_size_ = static_cast<uint8_t>(srtp_key_size(keys.profile));
    direction_ = direction;
    rtp_key_ = keys.rtp_key;
    std::copy_n(keys.rtp_salt.begin(), rtp_salt_.size(), rtp_salt_.begin());
    std::copy_n(keys.rtcp_salt.begin(), rtcp_salt_.size(), rtcp_salt_.begin());
    return rtcp_.init(std::span(keys.rtcp_key).first(key_size_), direction == SrtpDirection::kSend);
  }

  bool seal_rtp(uint8_t* packet, size_t header_size, std::span<const std::span<const uint8_t>> payload,
                size_t /*payload_size*/, uint64_t packet_index, SrtpTagBatch* /*batch*/) override {
    if (rtp_ == nullptr && !make_rtp()) return false;
    uint8_t nonce[12];
    fill_rtp_nonce(rtp_salt_, packet, packet_index, nonce);
    return rtp_->seal(nonce, {packet, header_size}, payload, packet + header_size);
  }

  SrtpError open_rtp(uint8_t* packet, size_t header_size, size_t size, uint64_t packet_index) override {
    if (rtp_ == nullptr && !make_rtp()) return SrtpError::kInternal;
    uint8_t nonce[12];
    fill_rtp_nonce(rtp_salt_, packet, packet_index, nonce);
    const bool ok = rtp_->open(nonce, {packet, header_size}, packet + header_size, size - header_size - kTagSize,
                               packet + size - kTagSize);
    return ok ? SrtpError::kNone : SrtpError::kAuthFailed;
  }

  bool seal_rtcp(uint8_t* packet, size_t size, uint32_t index) override {
    uint8_t nonce[12];
    fill_rtcp_nonce(rtcp_salt_, packet, index, nonce);
    // RFC 7714 9.2: the additional data are the first 8 bytes and the word with E and the index.
    uint8_t aad[kRtcpHeaderSize + 4];
    std::memcpy(aad, packet, kRtcpHeaderSize);
    store_be32(aad + kRtcpHeaderSize, index | kSrtcpEncryptedFlag);
    const std::span<const uint8_t> plain(packet + kRtcpHeaderSize, size - kRtcpHeaderSize);
    if (!rtcp_.seal(nonce, aad, std::span(&plain, 1), packet + kRtcpHeaderSize)) return false;
    store_be32(packet + size + kTagSize, index | kSrtcpEncryptedFlag);
    return true;
  }

  SrtpError open_rtcp(uint8_t* packet, size_t size) override {
    const uint32_t word = rtcp_index_word(packet, size);
    uint8_t nonce[12];
    fill_rtcp_nonce(rtcp_salt_, packet, word & ~kSrtcpEncryptedFlag, nonce);
    const uint8_t* tag = packet + size - 4 - kTagSize;
    const size_t plain_size = size - 4 - kTagSize;
    bool ok = false;
    if ((word & kSrtcpEncryptedFlag) != 0) {
      uint8_t aad[kRtcpHeaderSize + 4];
      std::memcpy(aad, packet, kRtcpHeaderSize);
      store_be32(aad + kRtcpHeaderSize, word);
      ok = rtcp_.open(nonce, aad, packet + kRtcpHeaderSize, plain_size - kRtcpHeaderSize, tag);
    } else {
      // RFC 7714 9.3: nothing is encrypted and everything is additional data.
      if (plain_size > kMaxPlainRtcpSize) return SrtpError::kMalformed;
      uint8_t aad[kMaxPlainRtcpSize + 4];
      std::memcpy(aad, packet, plain_size);
      store_be32(aad + plain_size, word);
      ok = rtcp_.open(nonce, {aad, plain_size + 4}, nullptr, 0, tag);
    }
    return ok ? SrtpError::kNone : SrtpError::kAuthFailed;
  }

  uint32_t rtcp_index_word(const uint8_t* packet, size_t size) const override { return load_be32(packet + size - 4); }

  SrtpKeyMemory rtp_keys() const override { return {rtp_.get(), sizeof(Cipher)}; }
  SrtpKeyMemory rtcp_keys() const override { return {&rtcp_, sizeof(Cipher)}; }

  size_t memory_bytes() const override {
    return sizeof(*this) + Cipher::kHeapBytes + (rtp_ != nullptr ? sizeof(Cipher) + Cipher::kHeapBytes : 0);
  }

 private:
  // Made at the first packet: half of all directions carry RTCP only.
  bool make_rtp() {
    auto cipher = std::make_unique<Cipher>();
    if (!cipher->init(std::span(rtp_key_).first(key_size_), direction_ == SrtpDirection::kSend)) return false;
    OPENSSL_cleanse(rtp_key_.data(), rtp_key_.size());
    rtp_ = std::move(cipher);
    return true;
  }

  // One line of memory, with the table of virtual functions.
  std::unique_ptr<Cipher> rtp_;
  std::array<uint8_t, 12> rtp_salt_{};
  std::array<uint8_t, 12> rtcp_salt_{};
  uint8_t key_size_ = 16;
  SrtpDirection direction_ = SrtpDirection::kSend;
  Cipher rtcp_;
  std::array<uint8_t, 32> rtp_key_{};
};

template <typename Cipher>
std::unique_ptr<SrtpTransform> make(const SrtpSessionKeys& keys, SrtpDirection direction) {
  auto transform = std::make_unique<GcmTransform<Cipher>>();
  if (!transform->init(keys, direction)) return nullptr;
  return transform;
}

}  // namespace

std::unique_ptr<SrtpTransform> make_gcm_transform(const SrtpSessionKeys& keys, SrtpDirection direction,
                                                  SrtpBackend backend) {
  if (backend == SrtpBackend::kPortable || !vaes_available()) return make<EvpGcm>(keys, direction);
  if (srtp_key_size(keys.profile) == 32) return make<VaesGcm<14>>(keys, direction);
  return make<VaesGcm<10>>(keys, direction);
}

std::string_view gcm_backend_name() { return vaes_available() ? "vaes-avx512" : "openssl"; }

}  // namespace parley
