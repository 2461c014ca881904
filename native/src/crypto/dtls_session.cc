#include "dtls_session.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/srtp.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <cstring>

namespace parley {

// Callbacks from C into a session.
struct DtlsSessionCallbacks {
  static DtlsSession& session_of(BIO* bio) { return *static_cast<DtlsSession*>(BIO_get_data(bio)); }

  static int bio_write(BIO* bio, const char* data, int size) {
    BIO_clear_retry_flags(bio);
    const auto* bytes = reinterpret_cast<const uint8_t*>(data);
    session_of(bio).written_.emplace_back(bytes, bytes + size);
    return size;
  }

  static int bio_read(BIO* bio, char* out, int capacity) {
    BIO_clear_retry_flags(bio);
    DtlsSession& session = session_of(bio);
    if (session.incoming_.empty()) {
      BIO_set_retry_read(bio);
      return -1;
    }
    // A datagram is read whole or cut, never in two.
    const size_t size = std::min(session.incoming_.size(), static_cast<size_t>(capacity));
    std::memcpy(out, session.incoming_.data(), size);
    session.incoming_ = {};
    return static_cast<int>(size);
  }

  static long bio_ctrl(BIO*, int command, long, void*) {
    // Every other answer is "no" or 0: no MTU to ask for, no socket timeout to set, nothing pending.
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }

  static BIO_METHOD* bio_method() {
    static BIO_METHOD* const method = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "parley datagram");
      BIO_meth_set_write(made, bio_write);
      BIO_meth_set_read(made, bio_read);
      BIO_meth_set_ctrl(made, bio_ctrl);
      return made;
    }();
    return method;
  }

  // RFC 8122 5: the certificate counts when one fingerprint of the session description is its own. There is no chain.
  static int verify_certificate(X509_STORE_CTX* store, void*) {
    auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    DtlsSession& session = *static_cast<DtlsSession*>(SSL_get_app_data(ssl));
    // Both hellos are through here, so a missing profile can be told before the expensive part.
    if (SSL_get_selected_srtp_profile(ssl) == nullptr) {
      session.error_ = DtlsError::kNoCommonProfile;
    } else if (!matches_fingerprint(X509_STORE_CTX_get0_cert(store), session.config_.peer_fingerprints)) {
      session.error_ = DtlsError::kWrongFingerprint;
    }
    if (session.error_ == DtlsError::kNone) return 1;
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
    return 0;
  }

  static bool matches_fingerprint(const X509* certificate, const std::vector<DtlsFingerprint>& fingerprints) {
    if (certificate == nullptr) return false;
    for (const DtlsFingerprint& fingerprint : fingerprints) {
      const EVP_MD* hash = fingerprint.algorithm == "sha-256"   ? EVP_sha256()
                           : fingerprint.algorithm == "sha-384" ? EVP_sha384()
                           : fingerprint.algorithm == "sha-512" ? EVP_sha512()
                           : fingerprint.algorithm == "sha-224" ? EVP_sha224()
                           : fingerprint.algorithm == "sha-1"   ? EVP_sha1()
                                                                : nullptr;
      unsigned char digest[EVP_MAX_MD_SIZE];
      unsigned size = 0;
      if (hash == nullptr || X509_digest(certificate, hash, digest, &size) != 1) continue;
      if (fingerprint.digest.size() == size && CRYPTO_memcmp(fingerprint.digest.data(), digest, size) == 0) return true;
    }
    return false;
  }

  // An hour: never reached. See DtlsSession.
  static unsigned timer_us(SSL*, unsigned) { return 3'600'000'000u; }

  static void info(const SSL* ssl, int where, int value) {
    if ((where & SSL_CB_READ_ALERT) != SSL_CB_READ_ALERT) return;
    static_cast<DtlsSession*>(SSL_get_app_data(ssl))->peer_alert_ = static_cast<uint8_t>(value & 0xff);
  }
};

SSL_CTX* make_dtls_context(X509* certificate, EVP_PKEY* key) {
  SSL_CTX* context = SSL_CTX_new(DTLS_method());
  if (context == nullptr) return nullptr;
  // Level 1 independently of the distribution's configuration: peers' keys are pinned by fingerprint.
  SSL_CTX_set_security_level(context, 1);
  SSL_CTX_set_options(context, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
                                   SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(context, DtlsSessionCallbacks::verify_certificate, nullptr);
  SSL_CTX_set_info_callback(context, DtlsSessionCallbacks::info);
  // RFC 8827 6.5 makes the first mandatory; GCM suites only, DtlsRecordKeys knows no other.
  const bool ok =
      SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION) == 1 &&
      SSL_CTX_set_max_proto_version(context, DTLS1_2_VERSION) == 1 &&
      SSL_CTX_set_cipher_list(context,
                              "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                              "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384") == 1 &&
      SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384") == 1 &&
      SSL_CTX_use_certificate(context, certificate) == 1 && SSL_CTX_use_PrivateKey(context, key) == 1;
  if (ok) return context;
  SSL_CTX_free(context);
  return nullptr;
}

std::unique_ptr<DtlsSession> DtlsSession::create(SSL_CTX* context, const DtlsConfig& config) {
  std::string profiles;
  for (const SrtpProfile profile : config.profiles) {
    profiles += profiles.empty() ? "SRTP_" : ":SRTP_";
    profiles += srtp_profile_name(profile);
  }
  std::unique_ptr<DtlsSession> session(new DtlsSession(config));
  session->ssl_ = SSL_new(context);
  BIO* bio = session->ssl_ != nullptr ? BIO_new(DtlsSessionCallbacks::bio_method()) : nullptr;
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, session.get());
  BIO_set_init(bio, 1);
  SSL_set_bio(session->ssl_, bio, bio);  // takes the one reference
  SSL_set_app_data(session->ssl_, session.get());
  // OpenSSL answers 0 for success here.
  if (profiles.empty() || SSL_set_tlsext_use_srtp(session->ssl_, profiles.c_str()) != 0) return nullptr;
  if (SSL_set_mtu(session->ssl_, static_cast<long>(config.mtu)) <= 0) return nullptr;
  DTLS_set_timer_cb(session->ssl_, DtlsSessionCallbacks::timer_us);
  if (config.role == DtlsRole::kServer) {
    SSL_set_accept_state(session->ssl_);
  } else {
    SSL_set_connect_state(session->ssl_);
  }
  return session;
}

DtlsSession::~DtlsSession() { SSL_free(ssl_); }

DtlsSession::Progress DtlsSession::advance(std::span<const uint8_t> datagram) {
  incoming_ = datagram;
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_);
  Progress progress = Progress::kWaiting;
  if (result == 1) {
    progress = Progress::kDone;
    // A peer without certificate request handling could get here without the callback.
    if (SSL_get_selected_srtp_profile(ssl_) == nullptr) {
      error_ = DtlsError::kNoCommonProfile;
      progress = Progress::kFailed;
    }
  } else if (SSL_get_error(ssl_, result) != SSL_ERROR_WANT_READ) {
    classify_failure();
    progress = Progress::kFailed;
  }
  incoming_ = {};
  ERR_clear_error();
  return progress;
}

void DtlsSession::classify_failure() {
  if (error_ != DtlsError::kNone) return;
  const unsigned long code = ERR_peek_error();
  const bool from_peer = ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) >= SSL_AD_REASON_OFFSET;
  error_ = from_peer ? DtlsError::kPeerAlert : DtlsError::kProtocol;
}

bool DtlsSession::export_srtp_keys(DtlsSrtpKeys& keys) const {
  const SRTP_PROTECTION_PROFILE* chosen = SSL_get_selected_srtp_profile(ssl_);
  if (chosen == nullptr) return false;
  const auto profile = static_cast<SrtpProfile>(chosen->id);
  if (std::find(config_.profiles.begin(), config_.profiles.end(), profile) == config_.profiles.end()) return false;
  const size_t key_size = srtp_key_size(profile);
  const size_t salt_size = srtp_salt_size(profile);
  // RFC 5764 4.2: client key, server key, client salt, server salt.
  constexpr std::string_view kLabel = "EXTRACTOR-dtls_srtp";
  std::array<uint8_t, 2 * (32 + 14)> block;
  if (SSL_export_keying_material(ssl_, block.data(), 2 * (key_size + salt_size), kLabel.data(), kLabel.size(), nullptr,
                                 0, 0) != 1) {
    return false;
  }
  const bool server = config_.role == DtlsRole::kServer;
  SrtpMasterKey& client_side = server ? keys.remote : keys.local;
  SrtpMasterKey& server_side = server ? keys.local : keys.remote;
  const uint8_t* p = block.data();
  for (SrtpMasterKey* side : {&client_side, &server_side}) {
    side->profile = profile;
    std::copy_n(p, key_size, side->key.begin());
    p += key_size;
  }
  for (SrtpMasterKey* side : {&client_side, &server_side}) {
    std::copy_n(p, salt_size, side->salt.begin());
    p += salt_size;
  }
  OPENSSL_cleanse(block.data(), block.size());
  return true;
}

}  // namespace parley
