// HMAC-SHA1 (RFC 2104) cut to 80 bits, over a packet and four more bytes (RFC 3711 4.2).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace parley {

inline constexpr size_t kSrtpSha1TagSize = 10;

// The two SHA-1 states that have already swallowed the padded key: a packet costs two compressions less, and a key takes
// 40 bytes. Wiped when destroyed.
struct HmacSha1 {
  std::array<uint32_t, 5> inner{};
  std::array<uint32_t, 5> outer{};

  HmacSha1() = default;
  HmacSha1(const HmacSha1&) = default;
  HmacSha1& operator=(const HmacSha1&) = default;
  ~HmacSha1();

  void init(std::span<const uint8_t, 20> key);
  void tag(std::span<const uint8_t> data, uint32_t suffix, uint8_t out[kSrtpSha1TagSize]) const;
};

// One tag to make. The suffix is written big-endian behind the data.
struct HmacSha1Job {
  HmacSha1 key;
  const uint8_t* data = nullptr;
  uint8_t* tag = nullptr;
  uint32_t size = 0;
  uint32_t suffix = 0;
};

inline constexpr size_t kHmacSha1Lanes = 16;

// Sixteen packets at once, one per 32-bit lane of AVX-512: a single SHA-1 waits for itself all the time. Needs
// vaes_available() (which is more than it uses). At most kHmacSha1Lanes jobs.
void hmac_sha1_lanes(std::span<const HmacSha1Job> jobs);

}  // namespace parley
