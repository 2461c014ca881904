// OpenSSL algorithms, fetched once per process: a fetch by name takes locks and costs more than a packet.
#pragma once

#include <openssl/evp.h>

namespace parley {

struct OpensslAlgorithms {
  EVP_CIPHER* aes_128_gcm = nullptr;
  EVP_CIPHER* aes_256_gcm = nullptr;
  EVP_CIPHER* aes_128_ctr = nullptr;
  EVP_CIPHER* aes_256_ctr = nullptr;

  // Members are null where the library has no such algorithm. Never freed: contexts of other threads may outlive any
  // static destructor.
  static const OpensslAlgorithms& get();
};

}  // namespace parley
