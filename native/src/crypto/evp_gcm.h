// AES-GCM by OpenSSL's EVP: the portable back end. One context per key and direction, only the IV set anew.
#pragma once

#include <openssl/evp.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace parley {

class EvpGcm {
 public:
  EvpGcm() = default;
  EvpGcm(const EvpGcm&) = delete;
  EvpGcm& operator=(const EvpGcm&) = delete;
  ~EvpGcm() { EVP_CIPHER_CTX_free(ctx_); }  // clears the key

  // key has 16 or 32 bytes. False when the library refuses.
  bool init(std::span<const uint8_t> key, bool encrypt);

  // Ciphertext of the pieces and then the 16 bytes of the tag to out.
  bool seal(const uint8_t nonce[12], std::span<const uint8_t> aad, std::span<const std::span<const uint8_t>> pieces,
            uint8_t* out);
  // In place; false when the tag is wrong (or the library refuses).
  bool open(const uint8_t nonce[12], std::span<const uint8_t> aad, uint8_t* data, size_t size, const uint8_t* tag);

  // Measured with OpenSSL 3.0 and 3.5 (EVP_CIPHER_CTX and the provider's context).
  static constexpr size_t kHeapBytes = 1000;

 private:
  EVP_CIPHER_CTX* ctx_ = nullptr;
};

}  // namespace parley
