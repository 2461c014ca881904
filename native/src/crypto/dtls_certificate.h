// OpenSSL handles behind a DtlsCertificate.
#pragma once

#include <openssl/ssl.h>

#include "parley/crypto/dtls.h"

namespace parley {

struct DtlsCertificate::Handles {
  EVP_PKEY* key = nullptr;
  X509* certificate = nullptr;
  SSL_CTX* context = nullptr;  // shared by all endpoints with this certificate

  Handles() = default;
  Handles(const Handles&) = delete;
  Handles& operator=(const Handles&) = delete;
  ~Handles();
};

// The SSL_CTX for a certificate; nullptr when the library refuses. Made in dtls_session.cc, which owns the callbacks.
SSL_CTX* make_dtls_context(X509* certificate, EVP_PKEY* key);

}  // namespace parley
