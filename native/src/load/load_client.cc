#include "parley/load/load_client.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "parley/net/path_address.h"

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

namespace parley {
namespace {

constexpr int64_t kTickUs = 1'000;
constexpr size_t kBatch = 32;
// More than the sockets of 2,000 viewers are sent in some milliseconds; and few enough to stay in the cache when the thread is behind for long.
constexpr size_t kInboxDatagrams = 4'096;
// A coalesced message is at most one UDP datagram's worth.
constexpr size_t kBuffer = 65'536;
constexpr uint64_t kSinkTag = uint64_t{1} << 32;
// Above so many cameras one wake-up sends what several of them have due, or waking would be all the thread does.
constexpr size_t kManyPublishers = 50;
constexpr int64_t kManyStepUs = 50;

void sleep_until(int64_t us) {
  timespec t{static_cast<time_t>(us / 1'000'000), static_cast<long>(us % 1'000'000 * 1'000)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, nullptr);
}

}  // namespace

// Buffers of one recvmmsg.
struct LoadClient::Drain {
  Drain() : bytes(kBatch * kBuffer) {
    std::memset(messages, 0, sizeof(messages));
    for (size_t i = 0; i < kBatch; ++i) {
      vectors[i] = {bytes.data() + i * kBuffer, kBuffer};
      messages[i].msg_hdr.msg_iov = &vectors[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
  }
  int receive(int fd) {
    for (size_t i = 0; i < kBatch; ++i) {
      messages[i].msg_hdr.msg_control = control[i];
      messages[i].msg_hdr.msg_controllen = sizeof(control[i]);
    }
    return recvmmsg(fd, messages, kBatch, MSG_DONTWAIT, nullptr);
  }
  // Kernel's time stamp (microseconds, realtime; 0 none) and the size of coalesced segments (0: one datagram).
  void ancillary(size_t i, int64_t& received_us, size_t& segment) {
    received_us = 0;
    segment = 0;
    msghdr& m = messages[i].msg_hdr;
    for (cmsghdr* c = CMSG_FIRSTHDR(&m); c != nullptr; c = CMSG_NXTHDR(&m, c)) {
      if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
        timespec t;
        std::memcpy(&t, CMSG_DATA(c), sizeof(t));
        received_us = int64_t{t.tv_sec} * 1'000'000 + t.tv_nsec / 1'000;
      } else if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
        int size = 0;
        std::memcpy(&size, CMSG_DATA(c), sizeof(size));
        segment = static_cast<size_t>(size);
      }
    }
  }

  std::vector<uint8_t> bytes;
  mmsghdr messages[kBatch];
  iovec vectors[kBatch];
  alignas(cmsghdr) uint8_t control[kBatch][128];
};

LoadClient::LoadClient() : certificate_(DtlsCertificate::generate()), inbox_(kInboxDatagrams), seed_(static_cast<uint64_t>(load_realtime_us())) {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  publisher_epoll_ = epoll_create1(EPOLL_CLOEXEC);
  subscriber_thread_ = std::thread([this] { run_subscribers(); });
  publisher_thread_ = std::thread([this] { run_publishers(); });
}

LoadClient::~LoadClient() {
  ending_.store(true, std::memory_order_release);
  subscriber_thread_.join();
  publisher_thread_.join();
  if (floor_.running()) floor_.finish();
  close_sinks();
  subscribers_.clear();
  publishers_.clear();
  if (epoll_ >= 0) ::close(epoll_);
  if (publisher_epoll_ >= 0) ::close(publisher_epoll_);
}

uint32_t LoadClient::add_subscriber(LoadPeerOptions options, bool measured) {
  const std::lock_guard lock(subscribers_lock_);
  const uint32_t id = next_id_++;
  const bool gro = options.gro;
  auto peer = std::make_unique<LoadSubscriber>(certificate_, std::move(options), seed_ += 0x1234567, measured ? totals_ : other_totals_,
                                               measured ? fan_out_ : no_fan_out_);
  peer->set_drop_ratio(drop_ratio_);
  subscribers_.emplace(id, Subscriber{std::move(peer), measured, gro});
  return id;
}

void LoadClient::set_slots(uint32_t id, std::span<const LoadSlot> slots) {
  const std::lock_guard lock(subscribers_lock_);
  const auto it = subscribers_.find(id);
  if (it != subscribers_.end()) it->second.peer->set_slots(slots);
}

uint32_t LoadClient::add_publisher(LoadPeerOptions options, LoadPublisherOptions streams) {
  const std::lock_guard both(subscribers_lock_);
  const std::lock_guard lock(publishers_lock_);
  const uint32_t id = next_id_++;
  publishers_.emplace(id, Publisher{std::make_unique<LoadPublisher>(certificate_, std::move(options), streams, seed_ += 0x1234567)});
  return id;
}

int LoadClient::connect(uint32_t id, const LoadRemote& remote) {
  const int64_t now = load_monotonic_us();
  const auto begin = [&](LoadPeer& peer, int epoll) {
    const int error = peer.connect(remote, now);
    if (error != 0) return error;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = id;
    return epoll_ctl(epoll, EPOLL_CTL_ADD, peer.fd(), &event) == 0 ? 0 : errno;
  };
  {
    const std::lock_guard lock(subscribers_lock_);
    const auto it = subscribers_.find(id);
    if (it != subscribers_.end()) {
      const int error = begin(*it->second.peer, epoll_);
      if (error == 0) schedule_.add(*it->second.peer);
      return error;
    }
  }
  const std::lock_guard lock(publishers_lock_);
  const auto it = publishers_.find(id);
  return it == publishers_.end() ? ENOENT : begin(*it->second.peer, publisher_epoll_);
}

void LoadClient::remove(uint32_t id) {
  const int64_t now = load_monotonic_us();
  {
    const std::lock_guard lock(subscribers_lock_);
    const auto it = subscribers_.find(id);
    if (it != subscribers_.end()) {
      it->second.peer->close(now);
      schedule_.remove(*it->second.peer);
      inbox_.forget(*it->second.peer);
      subscribers_.erase(it);
      return;
    }
  }
  const std::lock_guard lock(publishers_lock_);
  const auto it = publishers_.find(id);
  if (it == publishers_.end()) return;
  it->second.peer->close(now);
  publishers_.erase(it);
}

LoadState LoadClient::state(uint32_t id) {
  {
    const std::lock_guard lock(subscribers_lock_);
    const auto it = subscribers_.find(id);
    if (it != subscribers_.end()) return it->second.peer->state();
  }
  const std::lock_guard lock(publishers_lock_);
  const auto it = publishers_.find(id);
  return it == publishers_.end() ? LoadState::kClosed : it->second.peer->state();
}

void LoadClient::set_drop_ratio(double ratio) {
  const std::lock_guard lock(subscribers_lock_);
  drop_ratio_ = ratio;
  for (auto& [id, each] : subscribers_) each.peer->set_drop_ratio(ratio);
}

void LoadClient::set_sending(bool sending) {
  const std::lock_guard lock(publishers_lock_);
  for (auto& [id, each] : publishers_) {
    each.peer->set_sending(sending);
    each.due_us = 0;
  }
}

bool LoadClient::raise_publishers() {
  sched_param param{};
  param.sched_priority = 5;
  return pthread_setschedparam(publisher_thread_.native_handle(), SCHED_FIFO, &param) == 0;
}

void LoadClient::watch_fan_out(uint32_t viewers) {
  const std::lock_guard lock(subscribers_lock_);
  fan_out_viewers_ = viewers;
  fan_out_.begin(viewers);
}

LoadPublisherCounters LoadClient::published() const {
  LoadPublisherCounters sum;
  for (const auto& [id, each] : publishers_) {
    const auto& c = each.peer->counters();
    sum.packets += c.packets;
    sum.nacked += c.nacked;
    sum.retransmitted += c.retransmitted;
    sum.key_frame_requests += c.key_frame_requests;
    sum.key_frames += c.key_frames;
    sum.transport_reports += c.transport_reports;
    sum.receiver_reports += c.receiver_reports;
  }
  return sum;
}

void LoadClient::begin_window() {
  {
    const std::lock_guard lock(subscribers_lock_);
    for (auto& [id, each] : subscribers_) {
      each.peer->begin_window();
      each.overflows_before = each.peer->overflows();
    }
    LatencyHistogram histogram = std::move(totals_.latency);
    histogram.clear();
    totals_ = {};
    totals_.latency = std::move(histogram);
    fan_out_.begin(fan_out_viewers_);
  }
  const std::lock_guard lock(publishers_lock_);
  lateness_.clear();
  published_before_ = published();
}

LoadStates LoadClient::subscriber_states() {
  const std::lock_guard lock(subscribers_lock_);
  LoadStates states;
  for (const auto& [id, each] : subscribers_) {
    if (!each.measured) continue;
    switch (each.peer->state()) {
      case LoadState::kConnected:
        ++states.connected;
        states.with_media += each.peer->has_media();
        break;
      case LoadState::kFailed:
      case LoadState::kClosed:
        ++states.failed;
        break;
      case LoadState::kNew:
      case LoadState::kChecking:
      case LoadState::kHandshaking:
        ++states.connecting;
        break;
    }
  }
  return states;
}

LoadClient::Snapshot LoadClient::snapshot() {
  Snapshot s;
  {
    const std::lock_guard lock(subscribers_lock_);
    s.distinct = totals_.distinct;
    s.duplicates = totals_.duplicates;
    s.dropped = totals_.dropped;
    s.rtx_received = totals_.rtx_received;
    s.repaired = totals_.repaired;
    s.nack_messages = totals_.nack_messages;
    s.nacked_packets = totals_.nacked_packets;
    s.receiver_reports = totals_.receiver_reports;
    s.transport_reports = totals_.transport_reports;
    s.sender_reports = totals_.sender_reports;
    s.key_frame_requests = totals_.key_frame_requests;
    s.wire_bytes = totals_.wire_bytes;
    s.payload_bytes = totals_.payload_bytes;
    s.p50_us = totals_.latency.percentile_us(0.5);
    s.p99_us = totals_.latency.percentile_us(0.99);
    s.p999_us = totals_.latency.percentile_us(0.999);
    s.max_us = totals_.latency.max_us();
    s.last_p50_us = fan_out_.last().percentile_us(0.5);
    s.last_p99_us = fan_out_.last().percentile_us(0.99);
    s.last_p999_us = fan_out_.last().percentile_us(0.999);
    s.last_max_us = fan_out_.last().max_us();
    s.frame_p50_us = fan_out_.frame().percentile_us(0.5);
    s.frame_p99_us = fan_out_.frame().percentile_us(0.99);
    s.fan_outs = fan_out_.last().count();
    s.incomplete_fan_outs = fan_out_.incomplete();
    s.latencies = totals_.latency.count();
    s.longest_gap_us = totals_.longest_gap_us;
    const int64_t now = load_realtime_us();
    std::vector<int64_t> connects;
    for (const auto& [id, each] : subscribers_) {
      if (!each.measured) continue;
      const LoadSubscriber& peer = *each.peer;
      s.missing += peer.missing();
      s.longest_gap_us = std::max(s.longest_gap_us, peer.open_gap_us(now));
      s.authentication_failures += peer.authentication_failures();
      s.overflows += peer.overflows() - each.overflows_before;
      if (peer.state() == LoadState::kConnected) connects.push_back(peer.connect_time_us());
    }
    if (!connects.empty()) {
      std::sort(connects.begin(), connects.end());
      s.connect_p50_us = connects[connects.size() / 2];
      s.connect_p99_us = connects[connects.size() * 99 / 100];
    }
  }
  const std::lock_guard lock(publishers_lock_);
  s.late_p99_us = lateness_.percentile_us(0.99);
  s.late_max_us = lateness_.max_us();
  s.published = published();
  s.published.packets -= published_before_.packets;
  s.published.nacked -= published_before_.nacked;
  s.published.retransmitted -= published_before_.retransmitted;
  s.published.key_frame_requests -= published_before_.key_frame_requests;
  s.published.key_frames -= published_before_.key_frames;
  s.published.transport_reports -= published_before_.transport_reports;
  s.published.receiver_reports -= published_before_.receiver_reports;
  return s;
}

std::vector<uint16_t> LoadClient::open_sinks(const std::string& ip, size_t count, uint16_t from_port, bool gro) {
  close_sinks();
  const std::lock_guard lock(subscribers_lock_);
  std::vector<uint16_t> ports;
  sockaddr_storage local, from;
  socklen_t length = 0;
  if (!parse_sockaddr(ip, 0, &local, &length) || !parse_sockaddr(ip, from_port, &from, &length)) return {};
  for (size_t i = 0; i < count; ++i) {
    const int fd = ::socket(local.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return {};
    sinks_.push_back(fd);
    const int bytes = 512 * 1024;
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    // The same options as a viewer's socket.
    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
    if (gro) setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on));
    sockaddr_storage own;
    socklen_t own_length = sizeof(own);
    if (::bind(fd, reinterpret_cast<sockaddr*>(&local), length) != 0 || ::connect(fd, reinterpret_cast<sockaddr*>(&from), length) != 0 ||
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &own_length) != 0) {
      return {};
    }
    ports.push_back(ntohs(reinterpret_cast<sockaddr_in*>(&own)->sin_port));
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = kSinkTag | static_cast<uint32_t>(fd);
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }
  return ports;
}

void LoadClient::close_sinks() {
  const std::lock_guard lock(subscribers_lock_);
  for (int fd : sinks_) ::close(fd);
  sinks_.clear();
}

uint64_t LoadClient::sink_overflows() {
  const std::lock_guard lock(subscribers_lock_);
  uint64_t sum = 0;
  for (const int fd : sinks_) sum += socket_overflows(fd);
  return sum;
}

void LoadClient::receive(Drain& drain, LoadPeer& peer, int64_t now_us) {
  int n = static_cast<int>(kBatch);
  while (n == static_cast<int>(kBatch) && peer.fd() >= 0) {
    n = drain.receive(peer.fd());
    for (int i = 0; i < n; ++i) {
      const auto k = static_cast<size_t>(i);
      int64_t received_us = 0;
      size_t segment = 0;
      drain.ancillary(k, received_us, segment);
      uint8_t* data = static_cast<uint8_t*>(drain.vectors[k].iov_base);
      const size_t size = drain.messages[k].msg_len;
      if (segment == 0) segment = size;
      for (size_t at = 0; at < size; at += segment) peer.on_datagram(data + at, std::min(segment, size - at), now_us, received_us);
    }
  }
}

void LoadClient::drain_sink(Drain& drain, int fd) {
  int n = static_cast<int>(kBatch);
  while (n == static_cast<int>(kBatch)) {
    n = drain.receive(fd);
    for (int i = 0; i < n; ++i) {
      int64_t received_us = 0;
      size_t segment = 0;
      drain.ancillary(static_cast<size_t>(i), received_us, segment);
      const size_t size = drain.messages[static_cast<size_t>(i)].msg_len;
      sink_datagrams_.fetch_add(segment == 0 ? 1 : (size + segment - 1) / segment, std::memory_order_relaxed);
    }
  }
}

void LoadClient::drain_ready(Drain& drain, std::span<const epoll_event> ready) {
  for (const epoll_event& event : ready) {
    if ((event.data.u64 & kSinkTag) != 0) {
      drain_sink(drain, static_cast<int>(event.data.u64 & 0xffffffff));
      continue;
    }
    const auto it = subscribers_.find(static_cast<uint32_t>(event.data.u64));
    if (it == subscribers_.end()) continue;
    LoadPeer& peer = *it->second.peer;
    if (it->second.gro) {
      receive(drain, peer, load_monotonic_us());
      schedule_.renew(peer);
    } else {
      inbox_.take(peer, load_monotonic_us());
    }
  }
}

// At least something, so that a thread that never gets done with it within its millisecond goes on as well.
void LoadClient::deliver_until(int64_t until_us) {
  do {
    LoadPeer* peer = inbox_.deliver();
    if (peer == nullptr) return;
    schedule_.renew(*peer);
  } while (load_monotonic_us() < until_us);
}

void LoadClient::run_subscribers() {
  prctl(PR_SET_NAME, "load-viewers");
  prctl(PR_SET_TIMERSLACK, 1'000);
  Drain drain;
  std::vector<epoll_event> events(4'096);
  while (!ending_.load(std::memory_order_acquire)) {
    const int64_t begun = load_monotonic_us();
    {
      const std::lock_guard lock(subscribers_lock_);
      const int n = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 0);
      drain_ready(drain, std::span(events).first(static_cast<size_t>(std::max(n, 0))));
      deliver_until(begun + kTickUs);
      schedule_.tick(load_monotonic_us());
    }
    sleep_until(std::max(begun + kTickUs, load_monotonic_us() + 20));
  }
}

void LoadClient::run_publishers() {
  prctl(PR_SET_NAME, "load-publisher");
  prctl(PR_SET_TIMERSLACK, 1'000);
  Drain drain;
  std::vector<epoll_event> events(1'024);
  int64_t next_tick = 0;
  while (!ending_.load(std::memory_order_acquire)) {
    const int64_t begun = load_monotonic_us();
    int64_t wake = begun + kTickUs;
    {
      const std::lock_guard lock(publishers_lock_);
      for (auto& [id, each] : publishers_) {
        if (each.peer->fd() < 0) continue;
        if (each.due_us <= load_monotonic_us()) each.due_us = each.peer->send_due(load_monotonic_us(), lateness_);
        wake = std::min(wake, each.due_us);
      }
      if (begun >= next_tick) {
        next_tick = begun + kTickUs;
        const int n = epoll_wait(publisher_epoll_, events.data(), static_cast<int>(events.size()), 0);
        for (int i = 0; i < n; ++i) {
          const auto it = publishers_.find(static_cast<uint32_t>(events[static_cast<size_t>(i)].data.u64));
          if (it != publishers_.end()) receive(drain, *it->second.peer, begun);
        }
        for (auto& [id, each] : publishers_) {
          if (each.peer->fd() >= 0) each.peer->on_tick(begun);
        }
      }
      if (publishers_.size() > kManyPublishers) wake = std::max(wake, begun + kManyStepUs);
    }
    sleep_until(wake);
  }
}

}  // namespace parley
