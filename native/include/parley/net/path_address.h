// The 52 bytes that name a path (docs/specs/path-address.md), used as they are as the key of the path table.
#pragma once

#include <netinet/in.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

namespace parley {

enum class PathProtocol : uint8_t { kUdp = 0, kTcp = 1 };

struct PathAddress {
  uint8_t protocol = 0;
  uint8_t family = 0;
  uint16_t worker = 0;
  uint16_t remote_port = 0;
  uint16_t local_port = 0;
  uint32_t connection = 0;
  uint16_t socket = 0;
  uint16_t reserved = 0;
  uint8_t remote_ip[16] = {};
  uint8_t local_ip[16] = {};
  uint32_t scope_id = 0;

  bool is_tcp() const { return protocol == static_cast<uint8_t>(PathProtocol::kTcp); }
  bool operator==(const PathAddress& other) const { return std::memcmp(this, &other, sizeof(*this)) == 0; }
};
static_assert(sizeof(PathAddress) == 52, "the layout is an interface");

// A peer's address as the kernel wants it.
struct SocketAddress {
  sockaddr_storage storage;
  socklen_t length = 0;
};

// Fills the remote half of `path`; false for a family that is neither IPv4 nor IPv6.
bool set_remote(PathAddress& path, const sockaddr* address);
// Fills the local address and port from what getsockname says.
bool set_local(PathAddress& path, const sockaddr* address);
// The remote half as a sockaddr; returns its length.
socklen_t remote_sockaddr(const PathAddress& path, sockaddr_in6* out);
// Parses "127.0.0.1" or "::1" with a port; false when it is no address.
bool parse_sockaddr(const std::string& ip, uint16_t port, sockaddr_storage* out, socklen_t* length);
std::string ip_to_string(uint8_t family, const uint8_t* ip);

// Mixes the bytes that differ between paths. `seed` is random per process, so that nobody outside can aim at one bucket.
inline uint64_t hash_path(const PathAddress& path, uint64_t seed) {
  uint64_t words[6];
  std::memcpy(words, &path, 48);
  uint64_t h = seed ^ words[0];
  auto mix = [&h](uint64_t w) {
    h ^= w;
    h *= 0x9fb21c651e98df25ULL;
    h ^= h >> 32;
  };
  h *= 0x9fb21c651e98df25ULL;
  h ^= h >> 29;
  mix(words[1]);
  mix(words[2]);
  if (path.family == 6) mix(words[3]);
  mix(words[4]);
  if (path.family == 6) mix(words[5]);
  return h;
}

}  // namespace parley
