// SipHash-2-4 (Aumasson and Bernstein, 2012): a MAC of 64 bits for short inputs.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace parley {

using SipKey = std::array<uint8_t, 16>;

uint64_t siphash24(const SipKey& key, std::span<const uint8_t> data);

}  // namespace parley
