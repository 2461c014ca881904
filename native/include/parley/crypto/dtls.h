// DTLS 1.2 (RFC 6347) with use_srtp (RFC 5764), for the key exchange of WebRTC. Sans-IO: datagrams and the time go in,
// datagrams and a deadline come out.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "parley/crypto/srtp.h"

namespace parley {

// One a=fingerprint of a session description (RFC 8122 5).
struct DtlsFingerprint {
  std::string algorithm;         // "sha-256" and so on, lower case
  std::vector<uint8_t> digest;

  // From "sha-256" and "AB:CD:..."; nullopt for an unknown algorithm or a digest that is not of its size.
  static std::optional<DtlsFingerprint> parse(std::string_view algorithm, std::string_view colon_hex);
  std::string colon_hex() const;
};

// Our certificate with its key, and the OpenSSL context all endpoints made from it share. Immutable, may be shared by
// threads; an endpoint keeps it alive.
class DtlsCertificate {
 public:
  // ECDSA P-256, self-signed, valid for a year (browsers do not look at the date, some stacks do).
  static std::shared_ptr<const DtlsCertificate> generate();
  // nullptr when the PEM texts do not parse or do not belong together.
  static std::shared_ptr<const DtlsCertificate> from_pem(std::string_view certificate_pem, std::string_view key_pem);

  ~DtlsCertificate();
  DtlsCertificate(const DtlsCertificate&) = delete;
  DtlsCertificate& operator=(const DtlsCertificate&) = delete;

  // SHA-256.
  const DtlsFingerprint& fingerprint() const { return fingerprint_; }
  std::string certificate_pem() const;
  std::string key_pem() const;

 private:
  friend class DtlsEndpoint;
  struct Handles;
  DtlsCertificate();
  bool finish();

  std::unique_ptr<Handles> handles_;
  DtlsFingerprint fingerprint_;
};

enum class DtlsRole : uint8_t { kClient, kServer };

enum class DtlsState : uint8_t {
  kHandshaking,  // a server waits for the first ClientHello in this state too
  kConnected,    // keys may be taken
  kClosed,       // close_notify came, or close() was called
  kFailed,       // see error()
};

enum class DtlsError : uint8_t {
  kNone,
  kWrongFingerprint,  // the peer's certificate is not one of those in the session description
  kNoCommonProfile,   // no SRTP protection profile in common
  kTimeout,           // the peer stopped answering
  kPeerAlert,         // the peer sent a fatal alert
  kProtocol,          // the handshake cannot go on (versions, suites, damaged messages)
  kInternal,          // the cryptographic library refused
};

std::string_view dtls_error_name(DtlsError error);

struct DtlsConfig {
  DtlsRole role = DtlsRole::kServer;
  // Best first; the server's order decides.
  std::vector<SrtpProfile> profiles{kSrtpProfilePreference.begin(), kSrtpProfilePreference.end()};
  // The peer's certificate must match one of them. An empty list refuses everybody.
  std::vector<DtlsFingerprint> peer_fingerprints;
  // Largest datagram we send: 1200 passes the 1280 of IPv6 with TURN framing.
  size_t mtu = 1200;
  // RFC 6347 4.2.4.1 proposes 1 s but lets real-time uses go lower. Lower repairs a lost flight sooner, under the
  // round-trip time it sends flights twice.
  uint32_t initial_retransmit_ms = 400;
  uint32_t max_retransmit_ms = 8'000;
  // From start() as the client, from the first datagram as the server.
  uint32_t handshake_timeout_ms = 30'000;
};

// Keys for both directions, named from where we stand.
struct DtlsSrtpKeys {
  SrtpMasterKey local;   // for SrtpSendContext
  SrtpMasterKey remote;  // for SrtpReceiveContext
};

// One DTLS association. Not thread-safe. After the handshake the OpenSSL object is gone; some 300 bytes stay: the last
// flight, sent again when the client repeats its Finished (RFC 6347 4.2.4), and the record keys, to know a real
// close_notify from a forged one and to send ours.
//
// No HelloVerifyRequest is sent: the address was validated by ICE before a datagram gets here (RFC 8842 5.1 has ICE
// connectivity checks first), so the cookie would only cost a round trip.
//
// Timestamps are monotonic milliseconds of any origin and must not go back.
class DtlsEndpoint {
 public:
  // nullptr when the cryptographic library refuses.
  static std::unique_ptr<DtlsEndpoint> create(std::shared_ptr<const DtlsCertificate> certificate, DtlsConfig config);
  ~DtlsEndpoint();
  DtlsEndpoint(const DtlsEndpoint&) = delete;
  DtlsEndpoint& operator=(const DtlsEndpoint&) = delete;

  // The client sends its ClientHello; nothing happens as the server.
  void start(uint64_t now_ms);

  // One datagram (first byte 20 to 63, RFC 7983). Garbage is ignored, as RFC 6347 4.1.2.7 asks.
  void receive(std::span<const uint8_t> datagram, uint64_t now_ms);

  // When to call timeout() at the latest; nullopt while nothing is waited for. Changes with every call below.
  std::optional<uint64_t> next_timeout_ms() const;
  void timeout(uint64_t now_ms);

  // Sends close_notify and ends. Harmless when already ended.
  void close(uint64_t now_ms);

  // Takes the next datagram to send, in order; false when there is none. Look after every call above.
  bool take_datagram(std::vector<uint8_t>& datagram);

  DtlsState state() const;
  DtlsError error() const;
  // The alert of kPeerAlert, RFC 5246 7.2.
  uint8_t peer_alert() const;
  DtlsRole role() const;

  // The keys, once kConnected was reached (as the server only after the client's Finished was verified); nullopt
  // before, and after they were taken. They are not kept.
  std::optional<DtlsSrtpKeys> take_srtp_keys();

  // Bytes held besides OpenSSL's own objects.
  size_t memory_bytes() const;

 private:
  struct State;
  explicit DtlsEndpoint(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace parley
