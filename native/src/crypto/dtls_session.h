// OpenSSL's side of a DTLS handshake: one SSL object over a BIO that keeps datagrams apart.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "dtls_certificate.h"
#include "parley/crypto/dtls.h"

namespace parley {

// Lives for one handshake. Its timers are switched off: OpenSSL reads the wall clock, our endpoint is given the time
// and sends flights again by itself.
class DtlsSession {
 public:
  enum class Progress : uint8_t { kWaiting, kDone, kFailed };

  DtlsSession(const DtlsSession&) = delete;
  DtlsSession& operator=(const DtlsSession&) = delete;
  ~DtlsSession();

  // nullptr when the library refuses. The configuration must outlive the session.
  static std::unique_ptr<DtlsSession> create(SSL_CTX* context, const DtlsConfig& config);

  // Goes as far as it can with one received datagram (empty: to start as the client).
  Progress advance(std::span<const uint8_t> datagram);

  // What was written since the last call, each element one datagram.
  std::vector<std::vector<uint8_t>> take_written() { return std::move(written_); }

  // After kFailed.
  DtlsError error() const { return error_; }
  uint8_t peer_alert() const { return peer_alert_; }

  // After kDone; false when the library refuses or there is no profile.
  bool export_srtp_keys(DtlsSrtpKeys& keys) const;
  SSL* ssl() const { return ssl_; }

 private:
  friend struct DtlsSessionCallbacks;
  explicit DtlsSession(const DtlsConfig& config) : config_(config) {}
  void classify_failure();

  const DtlsConfig& config_;
  SSL* ssl_ = nullptr;
  std::span<const uint8_t> incoming_;
  std::vector<std::vector<uint8_t>> written_;
  DtlsError error_ = DtlsError::kNone;
  uint8_t peer_alert_ = 0;
};

}  // namespace parley
