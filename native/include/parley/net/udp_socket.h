// One UDP socket of a worker: batches in, batches out.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "parley/net/packet_buffer.h"
#include "parley/net/path_address.h"

namespace parley {

struct UdpSocketOptions {
  std::string ip;
  uint16_t port = 0;  // 0: any
  bool reuse_port = true;
  // Each datagram carries when the kernel got it: whoever reads may be late.
  bool time_stamps = false;
};

// A bound, non-blocking, unconnected socket. Wildcard binds ask for the destination address of each packet.
class UdpSocket {
 public:
  UdpSocket() = default;
  ~UdpSocket() { close(); }
  UdpSocket(const UdpSocket&) = delete;
  UdpSocket& operator=(const UdpSocket&) = delete;
  UdpSocket(UdpSocket&& other) noexcept
      : fd_(other.fd_), wildcard_(other.wildcard_), time_stamps_(other.time_stamps_), local_(other.local_) {
    other.fd_ = -1;
  }
  UdpSocket& operator=(UdpSocket&& other) noexcept {
    if (this != &other) {
      close();
      fd_ = other.fd_;
      wildcard_ = other.wildcard_;
      time_stamps_ = other.time_stamps_;
      local_ = other.local_;
      other.fd_ = -1;
    }
    return *this;
  }

  // 0, or the errno of the call that failed (its name in `what`).
  int open(const UdpSocketOptions& options, const char** what);
  void close();

  int fd() const { return fd_; }
  bool wildcard() const { return wildcard_; }
  bool time_stamps() const { return time_stamps_; }
  // Family, local address and port; the remote half is empty.
  const PathAddress& local() const { return local_; }

 private:
  int fd_ = -1;
  bool wildcard_ = false;
  bool time_stamps_ = false;
  PathAddress local_;
};

// Whether the kernel takes UDP_SEGMENT at all.
bool udp_segment_supported();

// Receives in batches into pool buffers. One per worker, shared by its sockets.
class UdpReceiver {
 public:
  // 64 datagrams are some 20 camera bursts' worth of one wake-up, and the table stays within L2.
  static constexpr size_t kBatch = 64;

  UdpReceiver(PacketPool& pool, uint16_t worker);
  ~UdpReceiver();
  UdpReceiver(const UdpReceiver&) = delete;
  UdpReceiver& operator=(const UdpReceiver&) = delete;

  // Number of datagrams received, 0 when there are none (or no buffers: then `starved` counts one).
  size_t receive(const UdpSocket& socket, uint16_t socket_index);

  // Datagram `i` of the last batch; take() hands the buffer over, what is not taken is used again.
  PacketBuffer* packet(size_t i) { return buffers_[i]; }
  const PathAddress& path(size_t i) const { return paths_[i]; }
  bool truncated(size_t i) const;
  // Microseconds that datagram `i` had lain in the socket when it was read; 0 without time stamps.
  int64_t waited_us(size_t i) const { return waited_us_[i]; }
  PacketBuffer* take(size_t i) {
    PacketBuffer* buffer = buffers_[i];
    buffers_[i] = nullptr;
    return buffer;
  }
  void put_back(size_t i, PacketBuffer* buffer) { buffers_[i] = buffer; }
  uint64_t starved() const { return starved_; }

 private:
  struct Control;
  bool prepare(size_t i);
  PacketPool& pool_;
  const uint16_t worker_;
  uint64_t starved_ = 0;
  size_t used_ = kBatch;  // so many of the table, from its beginning, were not made ready since they were used
  PacketBuffer* buffers_[kBatch] = {};
  PathAddress paths_[kBatch];
  int64_t waited_us_[kBatch] = {};
  std::unique_ptr<Control> control_;
};

}  // namespace parley
