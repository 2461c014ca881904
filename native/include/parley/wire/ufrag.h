// The local ufrag carries a MAC (docs/specs/ice-ufrag.md), so that a flood of invented ones costs next to nothing.
#pragma once

#include <string>
#include <string_view>

#include "parley/wire/siphash.h"

namespace parley {

inline constexpr size_t kUfragNonceSize = 12;
inline constexpr size_t kUfragSize = 23;

// True when the ufrag has our form and a genuine MAC.
bool ufrag_is_genuine(const SipKey& key, std::string_view ufrag);

// The ufrag for a nonce of 12 ice-chars; for tests and load clients.
std::string make_ufrag(const SipKey& key, std::string_view nonce);

}  // namespace parley
