#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <cstring>

#include "openssl_algorithms.h"
#include "parley/crypto/srtp.h"

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

bool srtp_derive_key(const SrtpMasterKey& master, SrtpKeyLabel label, std::span<uint8_t> out) {
  static constexpr uint8_t kZeros[32] = {};
  if (out.size() > sizeof(kZeros)) return false;
  const OpensslAlgorithms& algorithms = OpensslAlgorithms::get();
  const EVP_CIPHER* cipher =
      srtp_key_size(master.profile) == 32 ? algorithms.aes_256_ctr : algorithms.aes_128_ctr;
  // RFC 3711 4.3.1, 4.3.3: x = label * 2^48 XOR salt, and the key stream for IV x * 2^16. The 96-bit salts of GCM are
  // padded with zeros on the right (RFC 7714 11).
  uint8_t iv[16] = {};
  std::memcpy(iv, master.salt.data(), srtp_salt_size(master.profile));
  iv[7] ^= static_cast<uint8_t>(label);

  EVP_CIPHER_CTX* ctx = cipher != nullptr ? EVP_CIPHER_CTX_new() : nullptr;
  if (ctx == nullptr) return false;
  int written = 0;
  const bool ok = EVP_EncryptInit_ex2(ctx, cipher, master.key.data(), iv, nullptr) == 1 &&
                  EVP_EncryptUpdate(ctx, out.data(), &written, kZeros, static_cast<int>(out.size())) == 1 &&
                  written == static_cast<int>(out.size());
  EVP_CIPHER_CTX_free(ctx);
  return ok;
}

}  // namespace parley
