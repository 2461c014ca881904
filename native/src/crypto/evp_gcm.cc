#include "evp_gcm.h"

#include "openssl_algorithms.h"

namespace parley {

bool EvpGcm::init(std::span<const uint8_t> key, bool encrypt) {
  const OpensslAlgorithms& algorithms = OpensslAlgorithms::get();
  const EVP_CIPHER* cipher = key.size() == 32 ? algorithms.aes_256_gcm : algorithms.aes_128_gcm;
  if (cipher == nullptr) return false;
  ctx_ = EVP_CIPHER_CTX_new();
  return ctx_ != nullptr && EVP_CipherInit_ex2(ctx_, cipher, key.data(), nullptr, encrypt ? 1 : 0, nullptr) == 1;
}

bool EvpGcm::seal(const uint8_t nonce[12], std::span<const uint8_t> aad,
                  std::span<const std::span<const uint8_t>> pieces, uint8_t* out) {
  int written = 0;
  if (EVP_EncryptInit_ex2(ctx_, nullptr, nullptr, nonce, nullptr) != 1) return false;
  if (EVP_EncryptUpdate(ctx_, nullptr, &written, aad.data(), static_cast<int>(aad.size())) != 1) return false;
  for (const std::span<const uint8_t> piece : pieces) {
    if (piece.empty()) continue;
    if (EVP_EncryptUpdate(ctx_, out, &written, piece.data(), static_cast<int>(piece.size())) != 1) return false;
    out += written;
  }
  if (EVP_EncryptFinal_ex(ctx_, out, &written) != 1) return false;
  return EVP_CIPHER_CTX_ctrl(ctx_, EVP_CTRL_AEAD_GET_TAG, 16, out) == 1;
}

bool EvpGcm::open(const uint8_t nonce[12], std::span<const uint8_t> aad, uint8_t* data, size_t size,
                  const uint8_t* tag) {
  int written = 0;
  if (EVP_DecryptInit_ex2(ctx_, nullptr, nullptr, nonce, nullptr) != 1) return false;
  if (EVP_CIPHER_CTX_ctrl(ctx_, EVP_CTRL_AEAD_SET_TAG, 16, const_cast<uint8_t*>(tag)) != 1) return false;
  if (EVP_DecryptUpdate(ctx_, nullptr, &written, aad.data(), static_cast<int>(aad.size())) != 1) return false;
  if (size > 0 && EVP_DecryptUpdate(ctx_, data, &written, data, static_cast<int>(size)) != 1) return false;
  return EVP_DecryptFinal_ex(ctx_, data, &written) == 1;
}

}  // namespace parley
