// STUN: whatever parses lies within the datagram, and its MAC can be checked.
#include <cstdlib>

#include "parley/wire/stun.h"
#include "parley/wire/ufrag.h"

using namespace parley;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const StunKey key("VOkJxbRl1RmTxUk/WvJxBt");
  static const SipKey sip{};
  const std::span<const uint8_t> datagram(data, size);
  const auto view = parse_stun(datagram);
  if (!view) return 0;
  const auto* name = reinterpret_cast<const uint8_t*>(view->username.data());
  if (!view->username.empty() && (name < data || name + view->username.size() > data + size)) std::abort();
  if (view->transaction_id != data + 8) std::abort();
  if (ufrag_is_genuine(sip, view->local_ufrag()) && view->local_ufrag().size() != kUfragSize) std::abort();
  const bool genuine = stun_integrity_ok(datagram, *view, key);
  if (genuine && view->integrity_offset == 0) std::abort();
  // An answer to whatever was asked is itself well formed.
  uint8_t out[kStunMaxWrite];
  const size_t written = write_binding_success(view->transaction_id, view->mapped, key, out);
  const auto answer = parse_stun({out, written});
  if (!answer || !stun_integrity_ok({out, written}, *answer, key)) std::abort();
  return 0;
}
