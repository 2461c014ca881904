// Many viewers, some publishers, and the floor's drained sockets, on threads of their own. Called from one thread (JavaScript's); every
// call takes a lock that the threads hold for less than a few milliseconds.
//
// Viewers and the floor's sockets are drained once a millisecond, all that is there; what viewers got is looked at afterwards. Latency is
// from the publisher's send call to the kernel's receive time stamp, so that the client's own pace does not count.
#pragma once

#include <sys/epoll.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "parley/load/fan_out_watch.h"
#include "parley/load/floor.h"
#include "parley/load/floor_relay.h"
#include "parley/load/load_inbox.h"
#include "parley/load/load_publisher.h"
#include "parley/load/load_schedule.h"
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

  // Only measured subscribers are in the states and the snapshot; the others are company.
  uint32_t add_subscriber(LoadPeerOptions options, bool measured = true);
  // What an answer promised to a subscriber.
  void set_slots(uint32_t id, std::span<const LoadSlot> slots);
  uint32_t add_publisher(LoadPeerOptions options, LoadPublisherOptions streams);
  // 0 or an errno.
  int connect(uint32_t id, const LoadRemote& remote);
  void remove(uint32_t id);
  LoadState state(uint32_t id);

  void set_drop_ratio(double ratio);
  void set_sending(bool sending);
  // Publishers get real-time scheduling, so that what competes with them does not come between a packet's time stamp and its send call. False:
  // not allowed.
  bool raise_publishers();
  // Every packet of every camera goes to so many subscribers; 0: not watched.
  void watch_fan_out(uint32_t viewers);
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
    uint64_t overflows = 0;  // datagrams lost in the viewers' own sockets
    int64_t p50_us = 0, p99_us = 0, p999_us = 0, max_us = 0;
    // See FanOutWatch.
    int64_t last_p50_us = 0, last_p99_us = 0, last_p999_us = 0, last_max_us = 0;
    int64_t frame_p50_us = 0, frame_p99_us = 0;
    uint64_t fan_outs = 0, incomplete_fan_outs = 0;
    // How late the cameras were against their pattern.
    int64_t late_p99_us = 0, late_max_us = 0;
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
  // Of the floor's sockets.
  uint64_t sink_overflows();
  FloorSender& floor() { return floor_; }
  FloorRelay& relay() { return relay_; }

 private:
  struct Drain;
  void run_subscribers();
  void run_publishers();
  LoadPublisherCounters published() const;
  void receive(Drain& drain, LoadPeer& peer, int64_t now_us);
  void drain_sink(Drain& drain, int fd);
  void drain_ready(Drain& drain, std::span<const epoll_event> ready);
  void deliver_until(int64_t until_us);

  std::shared_ptr<const DtlsCertificate> certificate_;
  std::mutex subscribers_lock_;
  std::mutex publishers_lock_;
  struct Subscriber {
    std::unique_ptr<LoadSubscriber> peer;
    bool measured = true;
    bool gro = false;
    uint64_t overflows_before = 0;
  };
  struct Publisher {
    std::unique_ptr<LoadPublisher> peer;
    int64_t due_us = 0;
  };
  std::unordered_map<uint32_t, Subscriber> subscribers_;
  std::unordered_map<uint32_t, Publisher> publishers_;
  LoadSchedule<LoadPeer> schedule_;
  LoadInbox inbox_;
  LoadTotals totals_;
  LoadTotals other_totals_;
  FanOutWatch fan_out_;
  FanOutWatch no_fan_out_;
  uint32_t fan_out_viewers_ = 0;
  LatencyHistogram lateness_;
  LoadPublisherCounters published_before_;
  double drop_ratio_ = 0;
  std::vector<int> sinks_;
  std::atomic<uint64_t> sink_datagrams_{0};
  FloorSender floor_;
  FloorRelay relay_;
  uint32_t next_id_ = 1;
  uint64_t seed_;
  int epoll_ = -1;
  int publisher_epoll_ = -1;
  std::atomic<bool> ending_{false};
  std::thread subscriber_thread_;
  std::thread publisher_thread_;
};

}  // namespace parley
