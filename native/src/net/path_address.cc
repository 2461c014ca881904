#include "parley/net/path_address.h"

#include <arpa/inet.h>

namespace parley {

bool set_remote(PathAddress& path, const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    path.family = 4;
    path.remote_port = ntohs(v4->sin_port);
    std::memcpy(path.remote_ip, &v4->sin_addr, 4);
    return true;
  }
  if (address->sa_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
    path.family = 6;
    path.remote_port = ntohs(v6->sin6_port);
    std::memcpy(path.remote_ip, &v6->sin6_addr, 16);
    path.scope_id = v6->sin6_scope_id;
    return true;
  }
  return false;
}

bool set_local(PathAddress& path, const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    path.local_port = ntohs(v4->sin_port);
    std::memcpy(path.local_ip, &v4->sin_addr, 4);
    return true;
  }
  if (address->sa_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
    path.local_port = ntohs(v6->sin6_port);
    std::memcpy(path.local_ip, &v6->sin6_addr, 16);
    return true;
  }
  return false;
}

socklen_t remote_sockaddr(const PathAddress& path, sockaddr_in6* out) {
  if (path.family == 4) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(out);
    std::memset(v4, 0, sizeof(*v4));
    v4->sin_family = AF_INET;
    v4->sin_port = htons(path.remote_port);
    std::memcpy(&v4->sin_addr, path.remote_ip, 4);
    return sizeof(sockaddr_in);
  }
  std::memset(out, 0, sizeof(*out));
  out->sin6_family = AF_INET6;
  out->sin6_port = htons(path.remote_port);
  std::memcpy(&out->sin6_addr, path.remote_ip, 16);
  out->sin6_scope_id = path.scope_id;
  return sizeof(sockaddr_in6);
}

bool parse_sockaddr(const std::string& ip, uint16_t port, sockaddr_storage* out, socklen_t* length) {
  std::memset(out, 0, sizeof(*out));
  auto* v4 = reinterpret_cast<sockaddr_in*>(out);
  if (inet_pton(AF_INET, ip.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    *length = sizeof(sockaddr_in);
    return true;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(out);
  std::memset(out, 0, sizeof(*out));
  if (inet_pton(AF_INET6, ip.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    *length = sizeof(sockaddr_in6);
    return true;
  }
  return false;
}

std::string ip_to_string(uint8_t family, const uint8_t* ip) {
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(family == 4 ? AF_INET : AF_INET6, ip, text, sizeof(text));
  return text;
}

}  // namespace parley
