// TCP for clients whose network passes no UDP: ICE-TCP passive with RFC 4571 framing, on one worker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "parley/net/path_address.h"

namespace parley {

struct TcpLimits {
  size_t connections = 4096;
  // Connections that no peer owns yet: what a stranger can hold open.
  size_t idle_connections = 512;
  size_t idle_per_address = 16;
  int64_t idle_timeout_us = 10'000'000;
  // Half a second of 4 Mb/s: more would be played too late anyway. Media over it is dropped.
  size_t write_queue_bytes = 256 * 1024;
  // A connection whose queue did not move for so long is dead.
  int64_t stuck_timeout_us = 10'000'000;
};

class TcpHandler {
 public:
  virtual void on_tcp_frame(const PathAddress& path, const uint8_t* data, size_t size) = 0;
  virtual void on_tcp_closed(const PathAddress& path) = 0;

 protected:
  ~TcpHandler() = default;
};

struct TcpCounters {
  uint64_t accepted = 0;
  uint64_t refused = 0;
  uint64_t dropped_frames = 0;
  uint64_t sent_frames = 0;
  uint64_t sent_bytes = 0;
};

class TcpServer {
 public:
  TcpServer(int epoll_fd, uint64_t epoll_tag, TcpHandler& handler, TcpLimits limits);
  ~TcpServer();
  TcpServer(const TcpServer&) = delete;
  TcpServer& operator=(const TcpServer&) = delete;

  // 0 or an errno. `local` receives what was bound.
  int listen(const std::string& ip, uint16_t port, uint16_t socket_index, PathAddress* local, const char** what);

  // An epoll event whose data is `epoll_tag` + file descriptor. Handlers may call send, close and adopt.
  void on_event(int fd, uint32_t events, int64_t now_us);
  // Frames one packet. Media may be dropped when the queue is full. False when the connection is gone or the frame was dropped.
  bool send(uint32_t connection, const uint8_t* data, size_t size);
  // A peer uses it: no idle limit any more.
  void adopt(uint32_t connection);
  // The peer went away; without frames from a known one it is closed soon.
  void orphan(uint32_t connection);
  void close(uint32_t connection);
  // About once a second.
  void sweep(int64_t now_us);

  const TcpCounters& counters() const { return counters_; }
  size_t connections() const { return by_fd_.size(); }

 private:
  struct Listener {
    int fd = -1;
    PathAddress local;
  };
  struct Connection {
    int fd = -1;
    PathAddress path;
    bool adopted = false;
    bool closing = false;
    bool waits_for_write = false;
    int64_t idle_since_us = 0;
    int64_t moved_at_us = 0;
    std::vector<uint8_t> input;
    std::vector<uint8_t> output;
    size_t output_offset = 0;
  };

  void accept_all(const Listener& listener, int64_t now_us);
  bool admit(const PathAddress& path);
  void read(Connection& connection, int64_t now_us);
  bool parse(Connection& connection);
  bool write_queue(Connection& connection, int64_t now_us);
  void watch(Connection& connection, bool write);
  void end(int fd, bool tell);

  const int epoll_fd_;
  const uint64_t epoll_tag_;
  TcpHandler& handler_;
  const TcpLimits limits_;
  TcpCounters counters_;
  uint32_t next_connection_ = 1;
  size_t idle_ = 0;
  int64_t now_us_ = 0;
  std::vector<Listener> listeners_;
  std::unordered_map<int, std::unique_ptr<Connection>> by_fd_;
  std::unordered_map<uint32_t, int> fd_by_connection_;
};

}  // namespace parley
