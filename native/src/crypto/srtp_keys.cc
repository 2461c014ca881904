#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <cstring>

#include "openssl_algorithms.h"
#include "parley/crypto/srtp.h"
#include "srtp_transform.h"

namespace parley {

std::string_view srtp_profile_name(SrtpProfile profile) {
  switch (profile) {
    case SrtpProfile::kAes128CmSha1_80:
      return "AES128_CM_SHA1_80";
    case SrtpProfile::kAeadAes128Gcm:
      return "AEAD_AES_128_GCM";
    case SrtpProfile::kAeadAes256Gcm:
      return "AEAD_AES_256_GCM";
  }
  return "unknown";
}

SrtpMasterKey::~SrtpMasterKey() {
  OPENSSL_cleanse(key.data(), key.size());
  OPENSSL_cleanse(salt.data(), salt.size());
}

namespace {

// The key derivation function with its one key schedule for all labels.
class KeyDerivation {
 public:
  explicit KeyDerivation(const SrtpMasterKey& master) : master_(master) {
    const OpensslAlgorithms& algorithms = OpensslAlgorithms::get();
    const EVP_CIPHER* cipher =
        srtp_key_size(master.profile) == 32 ? algorithms.aes_256_ctr : algorithms.aes_128_ctr;
    if (cipher == nullptr) return;
    ctx_ = EVP_CIPHER_CTX_new();
    ok_ = ctx_ != nullptr && EVP_EncryptInit_ex2(ctx_, cipher, master.key.data(), nullptr, nullptr) == 1;
  }
  KeyDerivation(const KeyDerivation&) = delete;
  KeyDerivation& operator=(const KeyDerivation&) = delete;
  ~KeyDerivation() { EVP_CIPHER_CTX_free(ctx_); }

  bool derive(SrtpKeyLabel label, std::span<uint8_t> out) {
    static constexpr uint8_t kZeros[32] = {};
    if (!ok_ || out.size() > sizeof(kZeros)) return false;
    // RFC 3711 4.3.1, 4.3.3: x = label * 2^48 XOR salt, and the key stream for IV x * 2^16. The 96-bit salts of GCM
    // are padded with zeros on the right (RFC 7714 11).
    uint8_t iv[16] = {};
    std::memcpy(iv, master_.salt.data(), srtp_salt_size(master_.profile));
    iv[7] ^= static_cast<uint8_t>(label);
    int written = 0;
    return EVP_EncryptInit_ex2(ctx_, nullptr, nullptr, iv, nullptr) == 1 &&
           EVP_EncryptUpdate(ctx_, out.data(), &written, kZeros, static_cast<int>(out.size())) == 1 &&
           written == static_cast<int>(out.size());
  }

 private:
  const SrtpMasterKey& master_;
  EVP_CIPHER_CTX* ctx_ = nullptr;
  bool ok_ = false;
};

}  // namespace

bool srtp_derive_key(const SrtpMasterKey& master, SrtpKeyLabel label, std::span<uint8_t> out) {
  return KeyDerivation(master).derive(label, out);
}

SrtpSessionKeys::~SrtpSessionKeys() {
  OPENSSL_cleanse(rtp_key.data(), rtp_key.size());
  OPENSSL_cleanse(rtcp_key.data(), rtcp_key.size());
  OPENSSL_cleanse(rtp_auth.data(), rtp_auth.size());
  OPENSSL_cleanse(rtcp_auth.data(), rtcp_auth.size());
}

bool SrtpSessionKeys::derive(const SrtpMasterKey& master) {
  profile = master.profile;
  const size_t key_size = srtp_key_size(profile);
  const size_t salt_size = srtp_salt_size(profile);
  KeyDerivation derivation(master);
  const bool ok = derivation.derive(SrtpKeyLabel::kRtpEncryption, std::span(rtp_key).first(key_size)) &&
                  derivation.derive(SrtpKeyLabel::kRtpSalt, std::span(rtp_salt).first(salt_size)) &&
                  derivation.derive(SrtpKeyLabel::kRtcpEncryption, std::span(rtcp_key).first(key_size)) &&
                  derivation.derive(SrtpKeyLabel::kRtcpSalt, std::span(rtcp_salt).first(salt_size));
  if (profile != SrtpProfile::kAes128CmSha1_80) return ok;
  return ok && derivation.derive(SrtpKeyLabel::kRtpAuth, rtp_auth) &&
         derivation.derive(SrtpKeyLabel::kRtcpAuth, rtcp_auth);
}

}  // namespace parley
