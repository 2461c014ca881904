// Sends batches through one UDP socket: messages are collected in a slab, runs of equal sizes go out as one UDP_SEGMENT message.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "parley/crypto/srtp.h"
#include "parley/net/path_address.h"
#include "parley/net/udp_socket.h"

namespace parley {

struct SendCounters {
  uint64_t datagrams = 0;
  uint64_t bytes = 0;
  uint64_t calls = 0;
  uint64_t messages = 0;
  uint64_t errors = 0;
  uint64_t would_block = 0;
};

class UdpSender {
 public:
  // sendmmsg of 8 to 32 messages is where the gain per call levels off.
  static constexpr size_t kMessages = 32;
  // The kernel takes 64 segments in older versions.
  static constexpr size_t kMaxSegments = 64;
  // One message is at most a UDP datagram of 65,507 bytes before segmentation.
  static constexpr size_t kMaxMessageBytes = 65'000;
  // Bigger than any message; small enough that what was encrypted is still in L2 when the kernel copies it.
  static constexpr size_t kSlabBytes = 192 * 1024;

  UdpSender(const UdpSocket& socket, SendCounters& counters, bool segmentation);
  ~UdpSender();
  UdpSender(const UdpSender&) = delete;
  UdpSender& operator=(const UdpSender&) = delete;

  // Space for `bytes` (at most kMaxMessageBytes) behind what was committed; flushes when the slab is full. The pointer is valid
  // until the next call.
  uint8_t* reserve(size_t bytes);
  // The first `bytes` of the reserved space go to `path`: as one datagram when segment is 0, else cut every `segment` bytes (the
  // last may be shorter). No more than kMaxSegments segments.
  void commit(const PathAddress& path, size_t bytes, size_t segment);
  // reserve + copy + commit of one datagram.
  void send(const PathAddress& path, const uint8_t* data, size_t size);
  // Finished before every flush: tags of packets in the slab that are made many at a time. May be null; must outlive this.
  void set_tag_batch(SrtpTagBatch* batch) { tags_ = batch; }
  // To be called before the thread sleeps. What the kernel does not take is dropped and counted: repair is NACK's.
  void flush();

  bool segmentation() const { return segmentation_; }
  bool empty() const { return pending_ == 0; }

 private:
  struct Control;
  struct Message {
    const PathAddress* path = nullptr;
    uint32_t offset = 0;
    uint32_t size = 0;
    uint32_t segment = 0;
  };

  void prepare(size_t index);
  // True when every piece was taken.
  bool send_segments(const Message& message);

  const UdpSocket& socket_;
  SendCounters& counters_;
  SrtpTagBatch* tags_ = nullptr;
  bool segmentation_;
  size_t pending_ = 0;
  size_t used_ = 0;
  Message messages_[kMessages];
  PathAddress paths_[kMessages];
  std::unique_ptr<Control> control_;
  std::unique_ptr<uint8_t[]> slab_;
};

}  // namespace parley
