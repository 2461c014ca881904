// Connectivity checks: answered natively on known paths, handed up when genuine, else dropped at next to no cost.
#include <algorithm>

#include "parley/engine/worker.h"
#include "parley/wire/stun.h"
#include "parley/wire/ufrag.h"

namespace parley {
namespace {

// 2,000 a second are ten times the joins one core manages; a check that is dropped comes again (RFC 8445 14.3).
constexpr int32_t kStunPerSecond = 2'000;
constexpr int32_t kStunBurst = 500;

constexpr size_t kTransactionIdSize = 12;

// Of where a check came from, whichever socket took it.
uint64_t address_hash(const SipKey& key, const PathAddress& path) {
  uint8_t bytes[19];
  std::copy(path.remote_ip, path.remote_ip + 16, bytes);
  bytes[16] = static_cast<uint8_t>(path.remote_port >> 8);
  bytes[17] = static_cast<uint8_t>(path.remote_port);
  bytes[18] = path.protocol;
  return siphash24(key, bytes);
}

}  // namespace

void Worker::tell_stun(const PathAddress& path, const uint8_t* data, size_t size, const StunView& view) {
  const uint64_t transaction = siphash24(config_.ufrag_key, {view.transaction_id, kTransactionIdSize});
  const uint64_t address = address_hash(config_.ufrag_key, path);
  if (shared_.seen_checks.replayed(transaction, address)) {
    ++replayed_;
    return;
  }
  const std::string_view ufrag = view.local_ufrag();
  const uint64_t ufrag_hash = siphash24(config_.ufrag_key, {reinterpret_cast<const uint8_t*>(ufrag.data()), ufrag.size()});
  if (!check_budgets_.take(ufrag_hash, now_us_)) {
    ++events_dropped_;
    return;
  }
  const int64_t passed = now_us_ - stun_budget_at_us_;
  if (passed > 1'000) {
    const int64_t more = std::min<int64_t>(passed * kStunPerSecond / 1'000'000, kStunBurst);
    stun_budget_ = static_cast<int32_t>(std::min<int64_t>(stun_budget_ + more, kStunBurst));
    stun_budget_at_us_ = now_us_;
  }
  if (stun_budget_ <= 0) {
    ++events_dropped_;
    return;
  }
  --stun_budget_;
  shared_.seen_checks.note(transaction, address);
  const EventRing::Piece pieces[] = {{&path, sizeof(path)}, {data, size}};
  add_event(EventType::kStun, pieces, 2);
}

void Worker::on_stranger(const PathAddress& path, const uint8_t* data, size_t size) {
  ++checks_;
  const std::span<const uint8_t> datagram(data, size);
  if (!looks_like_stun(datagram)) {
    ++strangers_;
    return;
  }
  const auto view = parse_stun(datagram);
  if (!view || view->type != static_cast<uint16_t>(StunType::kBindingRequest) || view->integrity_offset == 0) {
    ++malformed_;
    return;
  }
  if (!ufrag_is_genuine(config_.ufrag_key, view->local_ufrag())) {
    ++forged_ufrags_;
    return;
  }
  tell_stun(path, data, size, *view);
}

void Worker::on_stun(Peer& peer, const PathAddress& path, const uint8_t* data, size_t size) {
  ++checks_;
  const std::span<const uint8_t> datagram(data, size);
  const auto view = looks_like_stun(datagram) ? parse_stun(datagram) : std::nullopt;
  if (!view) {
    ++malformed_;
    return;
  }
  if (view->type != static_cast<uint16_t>(StunType::kBindingRequest)) return;
  const IceCredentials* ice = nullptr;
  if (view->local_ufrag() == peer.ice.local_ufrag) {
    ice = &peer.ice;
  } else if (peer.previous_ice != nullptr && view->local_ufrag() == peer.previous_ice->local_ufrag) {
    ice = peer.previous_ice.get();
  }
  // Another session behind the same address (a NAT gave its port to somebody else), or a role conflict, which is policy.
  if (ice == nullptr || view->controlled) {
    if (ufrag_is_genuine(config_.ufrag_key, view->local_ufrag())) {
      tell_stun(path, data, size, *view);
    } else {
      ++forged_ufrags_;
    }
    return;
  }
  if (!ice->remote_ufrag.empty() && view->remote_ufrag() != ice->remote_ufrag) {
    ++malformed_;
    return;
  }
  if (!stun_integrity_ok(datagram, *view, ice->key)) {
    ++unauthenticated_;
    return;
  }
  shared_.seen_checks.note(siphash24(config_.ufrag_key, {view->transaction_id, kTransactionIdSize}),
                           address_hash(config_.ufrag_key, path));
  counter_set(peer.counters[peer_field::kLastConsentMs], static_cast<double>(now_us_) / 1000.0);
  StunMappedAddress mapped;
  mapped.ipv6 = path.family == 6;
  std::copy(path.remote_ip, path.remote_ip + 16, mapped.ip.begin());
  mapped.port = path.remote_port;
  uint8_t answer[kStunMaxWrite];
  const size_t answer_size = write_binding_success(view->transaction_id, mapped, ice->key, answer);
  send_to(path, answer, answer_size);
  const PathAddress* selected = peer.selected_path();
  if (view->use_candidate && (selected == nullptr || !(*selected == path)) && may_tell(peer)) {
    const EventRing::Piece pieces[] = {{&peer.handle, sizeof(peer.handle)}, {&path, sizeof(path)}};
    add_event(EventType::kNominated, pieces, 2);
  }
}

}  // namespace parley
