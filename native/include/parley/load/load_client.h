// Many viewers, some publishers, and the floor's drained sockets, on threads of their own. Called from one thread (JavaScript's); every
// call takes a lock that the threads hold for less than a few milliseconds.
//
// Viewers are drained once a millisecond, as many packets as are there. Latency is from the publisher's send call to the kernel's receive
// time stamp, so that the client's own pace does not count.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "parley/load/floor.h"
#include "parley/load/load_publisher.h"
#include "parley/load/load_subscriber.h"

namespace parley {

struct LoadStates {
  uint32_t connecting = 0;
  uint32_t connected = 0;
  uint32_t with_media = 0;  // audio and video have come
  uint32_t failed = 0;
};

class LoadClient {
 public:
  LoadClient();
  // Ends the threads, closes the sockets.
  ~LoadClient();
  LoadClient(const LoadClient&) = delete;
  LoadClient& operator=(const LoadClient&) = delete;

  // For the offers; all peers share one certificate.
  const DtlsFingerprint& fingerprint() const { return certificate_->fingerprint(); }

  uint32_t add_subscriber(LoadPeerOptions options);
  uint32_t add_publisher(LoadPeerOptions options, LoadPublisherOptions streams);
  // 0 or an errno.
  int connect(uint32_t id, const LoadRemote& remote);
  void remove(uint32_t id);
  LoadState state(uint32_t id);

  void set_drop_ratio(double ratio);
  void set_sending(bool sending);
  // Counters of subscribers and publishers begin anew.
  void begin_window();
  LoadStates subscriber_states();
  // Sums since the window began, with what is missing now.
  struct Snapshot {
    uint64_t distinct = 0, duplicates = 0, dropped = 0, rtx_received = 0, repaired = 0, nack_messages = 0, nacked_packets = 0;
    uint64_t receiver_reports = 0, transport_reports = 0, sender_reports = 0, key_frame_requests = 0;
    uint64_t wire_bytes = 0, payload_bytes = 0;
    uint64_t missing = 0;
    uint64_t authentication_failures = 0;
    int64_t p50_us = 0, p99_us = 0;
    uint64_t latencies = 0;
    // The longest time that any subscriber was without media since its first packet of the window, up to now.
    int64_t longest_gap_us = 0;
    LoadPublisherCounters published;
    int64_t connect_p50_us = 0, connect_p99_us = 0;
  };
  Snapshot snapshot();

  // `count` sockets that take datagrams of `from_port` and throw them away. Empty when sockets ran out.
  std::vector<uint16_t> open_sinks(const std::string& ip, size_t count, uint16_t from_port, bool gro);
  void close_sinks();
  uint64_t sink_datagrams() const { return sink_datagrams_.load(std::memory_order_relaxed); }
  FloorSender& floor() { return floor_; }

 private:
  struct Drain;
  void run_subscribers();
  void run_publishers();
  void receive(Drain& drain, LoadPeer& peer, int64_t now_us);
  void drain_sink(Drain& drain, int fd);

  std::shared_ptr<const DtlsCertificate> certificate_;
  std::mutex subscribers_lock_;
  std::mutex publishers_lock_;
  std::unordered_map<uint32_t, std::unique_ptr<LoadSubscriber>> subscribers_;
  std::unordered_map<uint32_t, std::unique_ptr<LoadPublisher>> publishers_;
  LoadTotals totals_;
  LoadPublisherCounters published_before_;
  double drop_ratio_ = 0;
  std::vector<int> sinks_;
  std::atomic<uint64_t> sink_datagrams_{0};
  FloorSender floor_;
  uint32_t next_id_ = 1;
  uint64_t seed_;
  int epoll_ = -1;
  std::atomic<bool> ending_{false};
  std::thread subscriber_thread_;
  std::thread publisher_thread_;
};

}  // namespace parley
