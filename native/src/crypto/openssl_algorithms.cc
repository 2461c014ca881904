#include "openssl_algorithms.h"

namespace parley {

const OpensslAlgorithms& OpensslAlgorithms::get() {
  static const OpensslAlgorithms* const algorithms = new OpensslAlgorithms{
      .aes_128_gcm = EVP_CIPHER_fetch(nullptr, "AES-128-GCM", nullptr),
      .aes_256_gcm = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr),
      .aes_128_ctr = EVP_CIPHER_fetch(nullptr, "AES-128-CTR", nullptr),
      .aes_256_ctr = EVP_CIPHER_fetch(nullptr, "AES-256-CTR", nullptr),
  };
  return *algorithms;
}

}  // namespace parley
