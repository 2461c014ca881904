#include "parley/load/load_peer.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "parley/net/path_address.h"

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

namespace parley {
namespace {

// RFC 8445 14.2 paces checks by 50 ms; one pair has nothing to pace, so this is its retransmission.
constexpr int64_t kCheckUs = 100'000;
// RFC 7675 5.1: every 5 s, varied by 20 %.
constexpr int64_t kConsentUs = 5'000'000;
constexpr int64_t kConsentLostUs = 30'000'000;
constexpr int64_t kGiveUpUs = 20'000'000;
constexpr uint32_t kPriority = 0x6e0001ff;

int64_t clock_us(clockid_t id) {
  timespec t;
  clock_gettime(id, &t);
  return int64_t{t.tv_sec} * 1'000'000 + t.tv_nsec / 1'000;
}

}  // namespace

int64_t load_monotonic_us() { return clock_us(CLOCK_MONOTONIC); }
int64_t load_realtime_us() { return clock_us(CLOCK_REALTIME); }

LoadPeer::LoadPeer(std::shared_ptr<const DtlsCertificate> certificate, LoadPeerOptions options, uint64_t seed)
    : certificate_(std::move(certificate)), options_(std::move(options)), local_key_(options_.local_password), random_(seed) {
  tie_breaker_ = random();
  extensions_.set(kLoadTransportCcId, Extension::kTransportCc);
  extensions_.set(kLoadAudioLevelId, Extension::kAudioLevel);
}

LoadPeer::~LoadPeer() {
  if (fd_ >= 0) ::close(fd_);
}

uint64_t LoadPeer::overflows() const { return fd_ < 0 ? 0 : socket_overflows(fd_); }

uint64_t socket_overflows(int fd) {
  uint32_t info[SK_MEMINFO_VARS] = {};
  socklen_t length = sizeof(info);
  return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &length) == 0 ? info[SK_MEMINFO_DROPS] : 0;
}

uint64_t LoadPeer::random() {
  uint64_t z = (random_ += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

int LoadPeer::connect(const LoadRemote& remote, int64_t now_us) {
  sockaddr_storage address;
  socklen_t length = 0;
  if (!parse_sockaddr(remote.ip, remote.port, &address, &length)) return EINVAL;
  fd_ = ::socket(address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return errno;
  // A key frame of many packets between two drains must fit; browsers ask for as much.
  const int bytes = 512 * 1024;
  setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
  const int on = 1;
  setsockopt(fd_, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
  if (options_.gro) setsockopt(fd_, IPPROTO_UDP, UDP_GRO, &on, sizeof(on));
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), length) != 0) return errno;
  remote_ = remote;
  remote_key_ = StunKey(remote.password);
  begun_us_ = now_us;
  state_ = LoadState::kChecking;
  send_check(now_us, true);
  return 0;
}

void LoadPeer::send_check(int64_t now_us, bool nominate) {
  BindingRequest request;
  for (size_t i = 0; i < 12; ++i) request.transaction_id[i] = static_cast<uint8_t>(random() >> 7);
  transaction_ = request.transaction_id;
  const std::string username = remote_.ufrag + ":" + options_.local_ufrag;
  request.username = username;
  request.controlling = true;
  request.tie_breaker = tie_breaker_;
  request.priority = kPriority;
  request.use_candidate = nominate;
  uint8_t out[kStunMaxWrite];
  const size_t size = write_binding_request(request, remote_key_, out);
  if (size > 0) (void)::send(fd_, out, size, 0);
  const int64_t consent = kConsentUs * 4 / 5 + static_cast<int64_t>(random() % static_cast<uint64_t>(kConsentUs * 2 / 5));
  next_check_us_ = now_us + (state_ == LoadState::kChecking ? kCheckUs : consent);
}

void LoadPeer::on_stun(std::span<const uint8_t> datagram, int64_t now_us) {
  const auto view = parse_stun(datagram);
  if (!view) return;
  if (view->type == static_cast<uint16_t>(StunType::kBindingRequest)) {
    // A full agent on the other side checks too.
    if (!stun_integrity_ok(datagram, *view, local_key_)) return;
    uint8_t out[kStunMaxWrite];
    const size_t size = write_binding_success(view->transaction_id, {}, local_key_, out);
    (void)::send(fd_, out, size, 0);
    return;
  }
  if (view->type != static_cast<uint16_t>(StunType::kBindingSuccess)) return;
  if (std::memcmp(view->transaction_id, transaction_.data(), 12) != 0) return;
  if (!stun_integrity_ok(datagram, *view, remote_key_)) return;
  last_answer_us_ = now_us;
  if (state_ == LoadState::kChecking) begin_dtls(now_us);
}

void LoadPeer::begin_dtls(int64_t now_us) {
  state_ = LoadState::kHandshaking;
  next_check_us_ = now_us + kConsentUs;
  DtlsConfig config;
  config.role = DtlsRole::kClient;
  config.profiles = {options_.profile};
  config.peer_fingerprints = {remote_.fingerprint};
  dtls_ = DtlsEndpoint::create(certificate_, std::move(config));
  if (dtls_ == nullptr) {
    state_ = LoadState::kFailed;
    return;
  }
  dtls_->start(static_cast<uint64_t>(now_us / 1'000));
  pump_dtls(now_us);
}

void LoadPeer::pump_dtls(int64_t now_us) {
  std::vector<uint8_t> datagram;
  while (dtls_->take_datagram(datagram)) (void)::send(fd_, datagram.data(), datagram.size(), 0);
  if (dtls_->state() == DtlsState::kFailed) state_ = LoadState::kFailed;
  if (dtls_->state() == DtlsState::kClosed && state_ != LoadState::kFailed) state_ = LoadState::kClosed;
  if (state_ != LoadState::kHandshaking || dtls_->state() != DtlsState::kConnected) return;
  const auto keys = dtls_->take_srtp_keys();
  if (keys) {
    sender_ = SrtpSendContext::create(keys->local);
    receiver_ = SrtpReceiveContext::create(keys->remote);
  }
  state_ = sender_ && receiver_ ? LoadState::kConnected : LoadState::kFailed;
  connected_us_ = now_us;
}

void LoadPeer::on_datagram(uint8_t* data, size_t size, int64_t now_us, int64_t received_us) {
  if (size < 2) return;
  if (data[0] < 4) {
    on_stun({data, size}, now_us);
  } else if (data[0] >= 20 && data[0] < 64) {
    if (dtls_ == nullptr) return;
    dtls_->receive({data, size}, static_cast<uint64_t>(now_us / 1'000));
    pump_dtls(now_us);
  } else if (data[0] >= 128 && data[0] < 192 && receiver_) {
    if (is_rtcp({data, size})) {
      const auto result = receiver_->unprotect_rtcp(data, size);
      authentication_failures_ += result.error == SrtpError::kAuthFailed;
      if (!result.ok()) return;
      RtcpIterator it({data, result.size});
      RtcpPacket packet;
      while (it.next(packet)) on_rtcp(packet, now_us);
      return;
    }
    const auto result = receiver_->unprotect_rtp(data, size);
    authentication_failures_ += result.error == SrtpError::kAuthFailed;
    RtpHeader header;
    if (!result.ok() || !parse_rtp({data, result.size}, extensions_, header)) return;
    on_rtp({data, result.size}, header, now_us, received_us, size);
  }
}

void LoadPeer::on_tick(int64_t now_us) {
  switch (state_) {
    case LoadState::kChecking:
    case LoadState::kHandshaking:
      if (now_us - begun_us_ > kGiveUpUs) state_ = LoadState::kFailed;
      if (now_us >= next_check_us_) send_check(now_us, true);
      if (dtls_ != nullptr) {
        const auto timeout = dtls_->next_timeout_ms();
        if (timeout && static_cast<uint64_t>(now_us / 1'000) >= *timeout) {
          dtls_->timeout(static_cast<uint64_t>(now_us / 1'000));
          pump_dtls(now_us);
        }
      }
      return;
    case LoadState::kConnected:
      if (now_us >= next_check_us_) send_check(now_us, false);
      if (now_us - last_answer_us_ > kConsentLostUs) state_ = LoadState::kFailed;
      on_media_tick(now_us);
      return;
    case LoadState::kNew:
    case LoadState::kFailed:
    case LoadState::kClosed:
      return;
  }
}

int64_t LoadPeer::due_us() const {
  switch (state_) {
    case LoadState::kChecking:
    case LoadState::kHandshaking:
      return 0;
    case LoadState::kConnected:
      return std::min(next_check_us_, media_due_us());
    case LoadState::kNew:
    case LoadState::kFailed:
    case LoadState::kClosed:
      return next_check_us_ + kConsentUs;
  }
  return 0;
}

void LoadPeer::close(int64_t now_us) {
  if (dtls_ != nullptr && fd_ >= 0) {
    dtls_->close(static_cast<uint64_t>(now_us / 1'000));
    std::vector<uint8_t> datagram;
    while (dtls_->take_datagram(datagram)) (void)::send(fd_, datagram.data(), datagram.size(), 0);
  }
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  state_ = LoadState::kClosed;
}

bool LoadPeer::send_rtp(uint8_t* packet, size_t header_size, size_t size, size_t capacity, uint64_t index) {
  if (!sender_) return false;
  const std::span<const uint8_t> payload(packet + header_size, size - header_size);
  const auto result = sender_->protect_rtp(packet, header_size, capacity, payload, index);
  return result.ok() && ::send(fd_, packet, result.size, 0) == static_cast<ssize_t>(result.size);
}

bool LoadPeer::send_rtcp(uint8_t* packet, size_t size, size_t capacity) {
  if (!sender_ || size == 0) return false;
  const auto result = sender_->protect_rtcp(packet, size, capacity);
  return result.ok() && ::send(fd_, packet, result.size, 0) == static_cast<ssize_t>(result.size);
}

}  // namespace parley
