#include "parley/net/tcp_server.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

namespace parley {
namespace {

// RFC 4571: two bytes of length. Ours are datagrams of an MTU; whoever frames more speaks something else.
constexpr size_t kFrameHeader = 2;
constexpr size_t kMaxFrame = 1792;
constexpr size_t kReadChunk = 16 * 1024;

}  // namespace

TcpServer::TcpServer(int epoll_fd, uint64_t epoll_tag, TcpHandler& handler, TcpLimits limits)
    : epoll_fd_(epoll_fd), epoll_tag_(epoll_tag), handler_(handler), limits_(limits) {}

TcpServer::~TcpServer() {
  for (auto& [fd, connection] : by_fd_) ::close(fd);
  for (Listener& listener : listeners_) ::close(listener.fd);
}

int TcpServer::listen(const std::string& ip, uint16_t port, uint16_t socket_index, PathAddress* local, const char** what) {
  sockaddr_storage address;
  socklen_t length = 0;
  *what = "address";
  if (!parse_sockaddr(ip, port, &address, &length)) return EINVAL;
  *what = "socket";
  const int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (address.ss_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  *what = "bind";
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), length) != 0 || ::listen(fd, 256) != 0) {
    const int error = errno;
    ::close(fd);
    return error;
  }
  sockaddr_storage bound;
  socklen_t bound_length = sizeof(bound);
  getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &bound_length);
  Listener listener;
  listener.fd = fd;
  listener.local.protocol = static_cast<uint8_t>(PathProtocol::kTcp);
  listener.local.family = address.ss_family == AF_INET6 ? 6 : 4;
  listener.local.socket = socket_index;
  set_local(listener.local, reinterpret_cast<sockaddr*>(&bound));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = epoll_tag_ + static_cast<uint64_t>(fd);
  epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event);
  *local = listener.local;
  listeners_.push_back(listener);
  return 0;
}

bool TcpServer::admit(const PathAddress& path) {
  if (by_fd_.size() >= limits_.connections || idle_ >= limits_.idle_connections) return false;
  if (idle_ < limits_.idle_per_address) return true;
  size_t same = 0;
  for (const auto& [fd, connection] : by_fd_) {
    if (!connection->adopted && std::memcmp(connection->path.remote_ip, path.remote_ip, 16) == 0) ++same;
  }
  return same < limits_.idle_per_address;
}

void TcpServer::accept_all(const Listener& listener, int64_t now_us) {
  // A bounded number per wake-up: a flood of connections must not hold up media.
  for (int i = 0; i < 32; ++i) {
    sockaddr_storage remote;
    socklen_t length = sizeof(remote);
    const int fd = accept4(listener.fd, reinterpret_cast<sockaddr*>(&remote), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    PathAddress path = listener.local;
    sockaddr_storage local;
    socklen_t local_length = sizeof(local);
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&local), &local_length) == 0) {
      set_local(path, reinterpret_cast<sockaddr*>(&local));
    }
    if (!set_remote(path, reinterpret_cast<sockaddr*>(&remote)) || !admit(path)) {
      ++counters_.refused;
      ::close(fd);
      continue;
    }
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    auto connection = std::make_unique<Connection>();
    connection->fd = fd;
    connection->path = path;
    connection->path.connection = next_connection_++;
    connection->idle_since_us = now_us;
    connection->moved_at_us = now_us;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = epoll_tag_ + static_cast<uint64_t>(fd);
    epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event);
    fd_by_connection_[connection->path.connection] = fd;
    by_fd_[fd] = std::move(connection);
    ++idle_;
    ++counters_.accepted;
  }
}

void TcpServer::on_event(int fd, uint32_t events, int64_t now_us) {
  now_us_ = now_us;
  for (const Listener& listener : listeners_) {
    if (listener.fd == fd) {
      accept_all(listener, now_us);
      return;
    }
  }
  auto found = by_fd_.find(fd);
  if (found == by_fd_.end()) return;
  Connection& connection = *found->second;
  if ((events & EPOLLOUT) != 0 && !write_queue(connection, now_us)) connection.closing = true;
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !connection.closing) read(connection, now_us);
  if (connection.closing) end(fd, true);
}

void TcpServer::read(Connection& connection, int64_t now_us) {
  const size_t before = connection.input.size();
  connection.input.resize(before + kReadChunk);
  const ssize_t got = recv(connection.fd, connection.input.data() + before, kReadChunk, 0);
  connection.input.resize(before + (got > 0 ? static_cast<size_t>(got) : 0));
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
    connection.closing = true;
    return;
  }
  (void)now_us;
  if (!parse(connection)) connection.closing = true;
  if (connection.input.empty()) connection.input.shrink_to_fit();
}

bool TcpServer::parse(Connection& connection) {
  size_t at = 0;
  bool good = true;
  while (connection.input.size() - at >= kFrameHeader && !connection.closing) {
    const size_t size = static_cast<size_t>(connection.input[at]) << 8 | connection.input[at + 1];
    if (size > kMaxFrame) {
      good = false;
      break;
    }
    if (connection.input.size() - at < kFrameHeader + size) break;
    if (size > 0) handler_.on_tcp_frame(connection.path, connection.input.data() + at + kFrameHeader, size);
    at += kFrameHeader + size;
  }
  connection.input.erase(connection.input.begin(), connection.input.begin() + static_cast<ptrdiff_t>(at));
  return good;
}

bool TcpServer::send(uint32_t id, const uint8_t* data, size_t size) {
  auto found = fd_by_connection_.find(id);
  if (found == fd_by_connection_.end() || size > 0xffff) return false;
  Connection& connection = *by_fd_[found->second];
  if (connection.closing) return false;
  const size_t queued = connection.output.size() - connection.output_offset;
  if (queued + size + kFrameHeader > limits_.write_queue_bytes) {
    ++counters_.dropped_frames;
    return false;
  }
  const uint8_t header[kFrameHeader] = {static_cast<uint8_t>(size >> 8), static_cast<uint8_t>(size)};
  size_t written = 0;
  if (queued == 0) {
    iovec vectors[2] = {{const_cast<uint8_t*>(header), kFrameHeader}, {const_cast<uint8_t*>(data), size}};
    msghdr message{};
    message.msg_iov = vectors;
    message.msg_iovlen = 2;
    const ssize_t sent = sendmsg(connection.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
      // The reader finds the same error and closes in order.
      return false;
    }
    written = sent > 0 ? static_cast<size_t>(sent) : 0;
  }
  ++counters_.sent_frames;
  counters_.sent_bytes += size;
  if (written == size + kFrameHeader) return true;
  if (queued == 0) connection.moved_at_us = now_us_;
  if (written < kFrameHeader) {
    connection.output.insert(connection.output.end(), header + written, header + kFrameHeader);
    written = kFrameHeader;
  }
  connection.output.insert(connection.output.end(), data + (written - kFrameHeader), data + size);
  if (!connection.waits_for_write) watch(connection, true);
  return true;
}

bool TcpServer::write_queue(Connection& connection, int64_t now_us) {
  const size_t size = connection.output.size() - connection.output_offset;
  if (size > 0) {
    const ssize_t sent =
        ::send(connection.fd, connection.output.data() + connection.output_offset, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    connection.output_offset += static_cast<size_t>(sent);
    connection.moved_at_us = now_us;
  }
  if (connection.output_offset == connection.output.size()) {
    connection.output.clear();
    connection.output.shrink_to_fit();
    connection.output_offset = 0;
    watch(connection, false);
  } else if (connection.output_offset > limits_.write_queue_bytes / 2) {
    connection.output.erase(connection.output.begin(),
                            connection.output.begin() + static_cast<ptrdiff_t>(connection.output_offset));
    connection.output_offset = 0;
  }
  return true;
}

void TcpServer::watch(Connection& connection, bool write) {
  connection.waits_for_write = write;
  epoll_event event{};
  event.events = EPOLLIN | (write ? EPOLLOUT : 0u);
  event.data.u64 = epoll_tag_ + static_cast<uint64_t>(connection.fd);
  epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, connection.fd, &event);
}

void TcpServer::adopt(uint32_t id) {
  auto found = fd_by_connection_.find(id);
  if (found == fd_by_connection_.end()) return;
  Connection& connection = *by_fd_[found->second];
  if (!connection.adopted) {
    connection.adopted = true;
    --idle_;
  }
}

void TcpServer::orphan(uint32_t id) {
  auto found = fd_by_connection_.find(id);
  if (found == fd_by_connection_.end()) return;
  Connection& connection = *by_fd_[found->second];
  if (connection.adopted) {
    connection.adopted = false;
    ++idle_;
  }
  connection.idle_since_us = now_us_;
}

void TcpServer::close(uint32_t id) {
  auto found = fd_by_connection_.find(id);
  if (found == fd_by_connection_.end()) return;
  // Shut down now, freed by the event this raises: we may be inside this connection's own frame.
  by_fd_[found->second]->closing = true;
  shutdown(found->second, SHUT_RDWR);
}

void TcpServer::end(int fd, bool tell) {
  auto found = by_fd_.find(fd);
  if (found == by_fd_.end()) return;
  std::unique_ptr<Connection> connection = std::move(found->second);
  by_fd_.erase(found);
  fd_by_connection_.erase(connection->path.connection);
  if (!connection->adopted) --idle_;
  epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
  ::close(fd);
  if (tell) handler_.on_tcp_closed(connection->path);
}

void TcpServer::sweep(int64_t now_us) {
  now_us_ = now_us;
  std::vector<int> dead;
  for (const auto& [fd, connection] : by_fd_) {
    const bool idle = !connection->adopted && now_us - connection->idle_since_us > limits_.idle_timeout_us;
    const bool stuck = connection->waits_for_write && now_us - connection->moved_at_us > limits_.stuck_timeout_us;
    if (idle || stuck) dead.push_back(fd);
  }
  for (const int fd : dead) end(fd, true);
}

}  // namespace parley
