// One PeerConnection of the load client: a connected UDP socket, ICE as the controlling side (RFC 8445), DTLS as the client, SRTP.
// What flows over it is the business of the classes derived from it. Used on one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "parley/crypto/dtls.h"
#include "parley/crypto/srtp.h"
#include "parley/wire/rtcp.h"
#include "parley/wire/rtp.h"
#include "parley/wire/stun.h"

namespace parley {

// Payload types and extension ids, as the offers of bench/ name them.
inline constexpr uint8_t kLoadVideoType = 96;
inline constexpr uint8_t kLoadRtxType = 97;
inline constexpr uint8_t kLoadAudioType = 111;
inline constexpr uint8_t kLoadTransportCcId = 3;
inline constexpr uint8_t kLoadAudioLevelId = 4;

struct LoadPeerOptions {
  std::string local_ufrag;
  std::string local_password;
  SrtpProfile profile = SrtpProfile::kAeadAes128Gcm;
  // Take coalesced packets, as a network card with offload would hand them over.
  bool gro = false;
};

struct LoadRemote {
  std::string ip;
  uint16_t port = 0;
  std::string ufrag;
  std::string password;
  DtlsFingerprint fingerprint;
};

enum class LoadState : uint8_t { kNew, kChecking, kHandshaking, kConnected, kFailed, kClosed };

class LoadPeer {
 public:
  LoadPeer(std::shared_ptr<const DtlsCertificate> certificate, LoadPeerOptions options, uint64_t seed);
  virtual ~LoadPeer();
  LoadPeer(const LoadPeer&) = delete;
  LoadPeer& operator=(const LoadPeer&) = delete;

  // Opens the socket and sends the first check. 0 or an errno.
  int connect(const LoadRemote& remote, int64_t now_us);
  // One datagram; `received_us` is CLOCK_REALTIME, 0 unknown. Its bytes are changed.
  void on_datagram(uint8_t* data, size_t size, int64_t now_us, int64_t received_us);
  // To be called when it is due, to about a millisecond.
  void on_tick(int64_t now_us);
  // When on_tick has something to do; a datagram may change it. 0: at once.
  int64_t due_us() const;
  void close(int64_t now_us);

  int fd() const { return fd_; }
  LoadState state() const { return state_; }
  // From connect() to the SRTP keys.
  int64_t connect_time_us() const { return connected_us_ - begun_us_; }
  uint64_t authentication_failures() const { return authentication_failures_; }
  // Datagrams the kernel threw away because they were not read in time (SO_MEMINFO).
  uint64_t overflows() const;

 protected:
  virtual void on_rtp(std::span<uint8_t> packet, const RtpHeader& header, int64_t now_us, int64_t received_us, size_t wire_size) = 0;
  virtual void on_rtcp(const RtcpPacket& packet, int64_t now_us) = 0;
  virtual void on_media_tick(int64_t now_us) = 0;
  virtual int64_t media_due_us() const = 0;

  // `packet` has room for kSrtpMaxOverhead behind `size`.
  bool send_rtp(uint8_t* packet, size_t header_size, size_t size, size_t capacity, uint64_t index);
  bool send_rtcp(uint8_t* packet, size_t size, size_t capacity);
  uint64_t random();

 private:
  void send_check(int64_t now_us, bool nominate);
  void on_stun(std::span<const uint8_t> datagram, int64_t now_us);
  void begin_dtls(int64_t now_us);
  void pump_dtls(int64_t now_us);

  std::shared_ptr<const DtlsCertificate> certificate_;
  LoadPeerOptions options_;
  LoadRemote remote_;
  StunKey remote_key_;
  StunKey local_key_;
  std::unique_ptr<DtlsEndpoint> dtls_;
  std::optional<SrtpSendContext> sender_;
  std::optional<SrtpReceiveContext> receiver_;
  ExtensionMap extensions_;
  std::array<uint8_t, 12> transaction_{};
  uint64_t random_;
  uint64_t tie_breaker_;
  int64_t begun_us_ = 0;
  int64_t connected_us_ = 0;
  int64_t next_check_us_ = 0;
  int64_t last_answer_us_ = 0;
  uint64_t authentication_failures_ = 0;
  int fd_ = -1;
  LoadState state_ = LoadState::kNew;
};

int64_t load_monotonic_us();
int64_t load_realtime_us();
// Of a UDP socket, since it was opened.
uint64_t socket_overflows(int fd);

}  // namespace parley
