// The association: flights and their timers, the end of the handshake, and what little happens afterwards.
#include <algorithm>

#include "dtls_certificate.h"
#include "dtls_record.h"
#include "dtls_session.h"
#include "parley/crypto/dtls.h"

namespace parley {
namespace {

constexpr uint8_t kAlertWarning = 1;
constexpr uint8_t kAlertFatal = 2;
constexpr uint8_t kCloseNotify = 0;
constexpr uint64_t kNonceDistance = uint64_t{1} << 32;

uint64_t load_number(const uint8_t* p, size_t size) {
  uint64_t value = 0;
  for (size_t i = 0; i < size; ++i) value = value << 8 | p[i];
  return value;
}

}  // namespace

std::string_view dtls_error_name(DtlsError error) {
  switch (error) {
    case DtlsError::kNone:
      return "none";
    case DtlsError::kWrongFingerprint:
      return "wrong fingerprint";
    case DtlsError::kNoCommonProfile:
      return "no common SRTP profile";
    case DtlsError::kTimeout:
      return "timeout";
    case DtlsError::kPeerAlert:
      return "alert from the peer";
    case DtlsError::kProtocol:
      return "protocol";
    case DtlsError::kInternal:
      return "internal";
  }
  return "unknown";
}

// Retransmission (RFC 6347 4.2.4) is done here with the messages of the last flight, so that it works by the time we
// are given, costs no OpenSSL object after the handshake, and can be tested. Records sent again get new numbers, as
// the RFC wants: under the old one a peer would drop them for replays, which matters where it knew the record and lost
// something else (a server that lost its own last flight waits for the client's Finished to come again; OpenSSL drops
// a ChangeCipherSpec that came too early). In epoch 0 the numbers are not authenticated, so all our records are
// numbered here; encrypted records are sealed again.
struct DtlsEndpoint::State {
  std::shared_ptr<const DtlsCertificate> certificate;
  DtlsConfig config;
  std::unique_ptr<DtlsSession> session;
  std::optional<DtlsSrtpKeys> srtp_keys;
  std::optional<DtlsRecordKeys> record_keys;

  std::vector<std::vector<uint8_t>> output;
  std::vector<std::vector<uint8_t>> flight;
  uint64_t next_plain_sequence = 0;
  uint64_t next_explicit_nonce = 0;
  uint64_t next_encrypted_sequence = 0;

  std::optional<uint64_t> retransmit_at_ms;
  std::optional<uint64_t> give_up_at_ms;
  uint32_t retransmit_interval_ms = 0;

  // What tells a flight the peer sends again from a duplicate made by the network.
  std::optional<uint64_t> highest_plain_sequence;
  std::optional<uint64_t> highest_encrypted_sequence;
  int32_t highest_message_number = -1;
  int32_t answered_message_number = -1;  // the last of the flight that our last flight answered

  DtlsState state = DtlsState::kHandshaking;
  DtlsError error = DtlsError::kNone;
  uint8_t peer_alert = 0;

  void advance(std::span<const uint8_t> datagram, uint64_t now_ms);
  bool collect_written(uint64_t now_ms);
  bool note_handshake_records(std::span<const uint8_t> datagram);
  void send_flight_again();
  void finish(std::span<const uint8_t> datagram);
  void fail(DtlsError reason);
  void release();
  void receive_connected(std::span<const uint8_t> datagram);
  void receive_alert(std::span<const uint8_t> alert);
  void send_close_notify();
};

void DtlsEndpoint::State::advance(std::span<const uint8_t> datagram, uint64_t now_ms) {
  if (!give_up_at_ms) give_up_at_ms = now_ms + config.handshake_timeout_ms;
  const bool repeated = note_handshake_records(datagram);
  const DtlsSession::Progress progress = session->advance(datagram);
  const bool new_flight = collect_written(now_ms);
  switch (progress) {
    case DtlsSession::Progress::kWaiting:
      // RFC 6347 4.2.4, state WAITING: the peer repeats its flight, so ours was lost.
      if (repeated && !new_flight) send_flight_again();
      return;
    case DtlsSession::Progress::kDone:
      finish(datagram);
      return;
    case DtlsSession::Progress::kFailed:
      peer_alert = session->peer_alert();
      fail(session->error());
      return;
  }
}

// Takes what OpenSSL wrote to the output. True when a flight began with it.
bool DtlsEndpoint::State::collect_written(uint64_t now_ms) {
  bool new_flight = false;
  for (std::vector<uint8_t>& datagram : session->take_written()) {
    renumber_plain_dtls_records(datagram, next_plain_sequence);
    size_t offset = 0;
    bool handshake = false;
    while (const auto record = read_dtls_record(datagram, offset)) {
      handshake = handshake || record->type != kDtlsAlert;
      if (record->epoch == 1 && record->fragment.size() >= 8) {
        next_encrypted_sequence = record->sequence + 1;
        // OpenSSL counts up from here should it still send an alert; ours lie far behind.
        next_explicit_nonce = load_number(record->fragment.data(), 8) + kNonceDistance;
      }
    }
    if (handshake) {
      if (!new_flight) flight.clear();
      new_flight = true;
      flight.push_back(datagram);
    }
    output.push_back(std::move(datagram));
  }
  if (new_flight) {
    answered_message_number = highest_message_number;
    retransmit_interval_ms = config.initial_retransmit_ms;
    retransmit_at_ms = now_ms + retransmit_interval_ms;
  }
  return new_flight;
}

// True when the datagram repeats, in records of its own, messages that our last flight has answered.
bool DtlsEndpoint::State::note_handshake_records(std::span<const uint8_t> datagram) {
  bool repeated = false;
  size_t offset = 0;
  while (const auto record = read_dtls_record(datagram, offset)) {
    if (record->epoch != 0) continue;
    const bool fresh = !highest_plain_sequence || record->sequence > *highest_plain_sequence;
    if (fresh) highest_plain_sequence = record->sequence;
    // RFC 6347 4.2.2: message_seq stands behind type and length.
    if (record->type != kDtlsHandshake || record->fragment.size() < 12) continue;
    const auto number = static_cast<int32_t>(load_number(record->fragment.data() + 4, 2));
    repeated = repeated || (fresh && number <= answered_message_number);
    highest_message_number = std::max(highest_message_number, number);
  }
  return repeated;
}

void DtlsEndpoint::State::send_flight_again() {
  for (std::vector<uint8_t>& datagram : flight) {
    renumber_plain_dtls_records(datagram, next_plain_sequence);
    size_t offset = 0;
    while (const auto record = read_dtls_record(datagram, offset)) {
      if (record->epoch != 1) continue;
      if (!record_keys) record_keys = DtlsRecordKeys::from(session->ssl(), config.role == DtlsRole::kServer);
      if (!record_keys) return;
      record_keys->reseal(datagram, *record, next_encrypted_sequence++, next_explicit_nonce++);
    }
    output.push_back(datagram);
  }
}

// The datagram is the one that completed the handshake.
void DtlsEndpoint::State::finish(std::span<const uint8_t> datagram) {
  DtlsSrtpKeys keys;
  record_keys = DtlsRecordKeys::from(session->ssl(), config.role == DtlsRole::kServer);
  if (!record_keys || !session->export_srtp_keys(keys)) {
    fail(DtlsError::kInternal);
    return;
  }
  size_t offset = 0;
  while (const auto record = read_dtls_record(datagram, offset)) {
    if (record->epoch == 1 && record_keys->open(*record)) highest_encrypted_sequence = record->sequence;
  }
  srtp_keys = keys;
  state = DtlsState::kConnected;
  // The server speaks last, so only it may be asked to repeat.
  if (config.role == DtlsRole::kClient) flight.clear();
  flight.shrink_to_fit();
  release();
}

void DtlsEndpoint::State::fail(DtlsError reason) {
  state = DtlsState::kFailed;
  error = reason;
  flight.clear();
  release();
}

// Lets go of all that only the handshake needs.
void DtlsEndpoint::State::release() {
  session.reset();
  certificate.reset();
  config.peer_fingerprints = {};
  config.profiles = {};
  retransmit_at_ms.reset();
  give_up_at_ms.reset();
}

void DtlsEndpoint::State::receive_connected(std::span<const uint8_t> datagram) {
  size_t offset = 0;
  while (const auto record = read_dtls_record(datagram, offset)) {
    if (record->epoch != 1) continue;  // not authenticated: anybody can have sent it
    const bool repeats_finished = record->type == kDtlsHandshake && !flight.empty();
    if (!repeats_finished && record->type != kDtlsAlert) continue;
    if (highest_encrypted_sequence && record->sequence <= *highest_encrypted_sequence) continue;
    const auto plain = record_keys->open(*record);
    if (!plain) continue;
    highest_encrypted_sequence = record->sequence;
    if (repeats_finished) {
      send_flight_again();
    } else {
      receive_alert(*plain);
      if (state != DtlsState::kConnected) return;
    }
  }
}

void DtlsEndpoint::State::receive_alert(std::span<const uint8_t> alert) {
  if (alert.size() != 2) return;
  if (alert[1] == kCloseNotify) {
    // RFC 5246 7.2.1: answered with a close_notify of our own.
    send_close_notify();
    state = DtlsState::kClosed;
  } else if (alert[0] == kAlertFatal) {
    peer_alert = alert[1];
    fail(DtlsError::kPeerAlert);
  }
}

void DtlsEndpoint::State::send_close_notify() {
  const uint8_t alert[2] = {kAlertWarning, kCloseNotify};
  auto record = record_keys->seal(kDtlsAlert, next_encrypted_sequence++, next_explicit_nonce++, alert);
  if (!record.empty()) output.push_back(std::move(record));
}

// ---- the public face

std::unique_ptr<DtlsEndpoint> DtlsEndpoint::create(std::shared_ptr<const DtlsCertificate> certificate,
                                                   DtlsConfig config) {
  if (certificate == nullptr) return nullptr;
  auto state = std::make_unique<State>();
  state->certificate = std::move(certificate);
  state->config = std::move(config);
  state->session = DtlsSession::create(state->certificate->handles_->context, state->config);
  if (state->session == nullptr) return nullptr;
  return std::unique_ptr<DtlsEndpoint>(new DtlsEndpoint(std::move(state)));
}

DtlsEndpoint::DtlsEndpoint(std::unique_ptr<State> state) : state_(std::move(state)) {}
DtlsEndpoint::~DtlsEndpoint() = default;

void DtlsEndpoint::start(uint64_t now_ms) {
  const bool begun = state_->give_up_at_ms.has_value();
  if (state_->state != DtlsState::kHandshaking || state_->config.role != DtlsRole::kClient || begun) return;
  state_->advance({}, now_ms);
}

void DtlsEndpoint::receive(std::span<const uint8_t> datagram, uint64_t now_ms) {
  size_t offset = 0;
  if (!read_dtls_record(datagram, offset)) return;
  switch (state_->state) {
    case DtlsState::kHandshaking:
      state_->advance(datagram, now_ms);
      return;
    case DtlsState::kConnected:
      state_->receive_connected(datagram);
      return;
    case DtlsState::kClosed:
    case DtlsState::kFailed:
      return;
  }
}

std::optional<uint64_t> DtlsEndpoint::next_timeout_ms() const {
  if (!state_->give_up_at_ms) return std::nullopt;
  return std::min(*state_->give_up_at_ms, state_->retransmit_at_ms.value_or(*state_->give_up_at_ms));
}

void DtlsEndpoint::timeout(uint64_t now_ms) {
  if (state_->state != DtlsState::kHandshaking) return;
  if (state_->give_up_at_ms && now_ms >= *state_->give_up_at_ms) {
    state_->fail(DtlsError::kTimeout);
  } else if (state_->retransmit_at_ms && now_ms >= *state_->retransmit_at_ms) {
    state_->send_flight_again();
    state_->retransmit_interval_ms = std::min(2 * state_->retransmit_interval_ms, state_->config.max_retransmit_ms);
    state_->retransmit_at_ms = now_ms + state_->retransmit_interval_ms;
  }
}

void DtlsEndpoint::close(uint64_t /*now_ms*/) {
  if (state_->state == DtlsState::kConnected) state_->send_close_notify();
  if (state_->state == DtlsState::kClosed || state_->state == DtlsState::kFailed) return;
  state_->state = DtlsState::kClosed;
  state_->flight.clear();
  state_->release();
}

bool DtlsEndpoint::take_datagram(std::vector<uint8_t>& datagram) {
  if (state_->output.empty()) return false;
  datagram = std::move(state_->output.front());
  state_->output.erase(state_->output.begin());  // a flight has few datagrams
  if (state_->output.empty()) state_->output.shrink_to_fit();
  return true;
}

DtlsState DtlsEndpoint::state() const { return state_->state; }
DtlsError DtlsEndpoint::error() const { return state_->error; }
uint8_t DtlsEndpoint::peer_alert() const { return state_->peer_alert; }
DtlsRole DtlsEndpoint::role() const { return state_->config.role; }

std::optional<DtlsSrtpKeys> DtlsEndpoint::take_srtp_keys() {
  std::optional<DtlsSrtpKeys> keys = state_->srtp_keys;
  state_->srtp_keys.reset();
  return keys;
}

size_t DtlsEndpoint::memory_bytes() const {
  size_t bytes = sizeof(*this) + sizeof(State);
  for (const auto& datagram : state_->flight) bytes += sizeof(datagram) + datagram.capacity();
  return bytes;
}

}  // namespace parley
