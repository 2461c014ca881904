#include "parley/engine/worker.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "parley/net/udp_steering.h"

namespace parley {
namespace {

// Reports go out once in 64 ticks of 16 ms: everybody's turn comes about once a second, and nobody scans all peers.
constexpr size_t kReportGroups = 64;
constexpr int64_t kGroupTickUs = 16'000;
constexpr int64_t kSweepUs = 1'000'000;
constexpr int64_t kNackTickUs = 5'000;
constexpr int64_t kFeedbackTickUs = 10'000;
// Publishers are looked at for feedback that is due so often, not after each packet of each of them.
constexpr int64_t kTwccLookUs = 5'000;
// 1 MiB holds some 700 large events; a main thread that is away for longer has lost checks that come again anyway.
constexpr size_t kEventRingBytes = 1 << 20;
constexpr int kEpollEvents = 64;
constexpr long kEpollPwait2 = 441;
constexpr uint64_t kTagEvent = uint64_t{1} << 40;
constexpr uint64_t kTagTcp = uint64_t{1} << 41;
// While a burst is held, when nobody knows how long it takes, or it takes longer; and what is not worth going to sleep for.
constexpr int64_t kDozeUs = 150;
constexpr int64_t kShortDozeUs = 20;

}  // namespace

int64_t monotonic_us() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1'000;
}

Worker::Worker(PlaneShared& shared, const WorkerConfig& config)
    : shared_(shared),
      config_(config),
      pool_(config.max_packets),
      receiver_(std::make_unique<UdpReceiver>(pool_, config.index)),
      rings_(new PacketRing[config.workers]),
      events_(kEventRingBytes),
      feedback_(kFeedbackRingBytes),
      counters_(new double[plane_field::kStride]()),
      paths_(config.path_seed),
      report_groups_(kReportGroups) {
  epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  event_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kTagEvent;
  epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, event_fd_, &event);
  batch_.resize(UdpReceiver::kBatch * 2);
}

Worker::~Worker() {
  stop();
  clear();
  tcp_.reset();
  sockets_.clear();
  rtcp_sockets_.clear();
  ::close(event_fd_);
  ::close(epoll_fd_);
}

int Worker::open_udp(const std::string& ip, uint16_t port, PathAddress* local, const char** what) {
  UdpSocket socket;
  // With time stamps: what is read by the clock came before.
  const int error = socket.open({ip, port, true, true}, what);
  if (error != 0) return error;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = sockets_.size();
  epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, socket.fd(), &event);
  *local = socket.local();
  UdpSocket rtcp;
  const int rtcp_error = rtcp.open({ip, local->local_port, true, true}, what);
  if (rtcp_error != 0) return rtcp_error;
  sockets_.push_back(std::move(socket));
  rtcp_sockets_.push_back(std::move(rtcp));
  drained_us_.resize(sockets_.size() * 2);
  return 0;
}

bool Worker::steer_reports(size_t socket, uint32_t seed) {
  const UdpSocket& first = sockets_[socket];
  return parley::steer_reports(first.fd(), first.local().family, config_.workers, seed);
}

int Worker::open_tcp(const std::string& ip, uint16_t port, PathAddress* local, const char** what) {
  if (tcp_ == nullptr) tcp_ = std::make_unique<TcpServer>(epoll_fd_, kTagTcp, *this, config_.tcp);
  return tcp_->listen(ip, port, 0, local, what);
}

void Worker::start() {
  watch_rtcp(EPOLL_CTL_ADD);
  for (UdpSocket& socket : sockets_) {
    senders_.push_back(std::make_unique<UdpSender>(socket, sent_, config_.segmentation));
    senders_.back()->set_tag_batch(&tags_);
  }
  thread_ = std::thread([this] { run(); });
}

void Worker::stop() {
  if (!thread_.joinable()) return;
  stopping_.store(true);
  end_sleep();
  thread_.join();
}

void Worker::clear() {
  inbox_.drain([](std::vector<Command>&) {});
  for (size_t i = 0; i < config_.workers; ++i) {
    RingItem item;
    while (rings_[i].pop(item)) PacketRef drop(item.packet);
  }
  for (BatchPacket& packet : batch_) packet.packet.reset();
  std::vector<Peer*> peers;
  peers_.each([&peers](Peer* peer) { peers.push_back(peer); });
  for (Peer* peer : peers) close_peer(*peer, false);
  std::vector<Track*> replicas;
  tracks_.each([&replicas](Track* track) { replicas.push_back(track); });
  for (Track* track : replicas) drop_replica(*track);
}

void Worker::post(Command&& command) {
  std::vector<Command> commands;
  commands.push_back(std::move(command));
  post(std::move(commands));
}

void Worker::post(std::vector<Command>&& commands) {
  const bool can_all_wait = std::ranges::all_of(commands, can_wait, &Command::type);
  inbox_.push(std::move(commands));
  if (can_all_wait ? parking_.rouse_sleeper() : parking_.rouse()) end_sleep();
}

void Worker::wake_for_ring() {
  if (parking_.rouse_for_packets()) end_sleep();
}

void Worker::end_sleep() {
  const uint64_t one = 1;
  (void)!::write(event_fd_, &one, sizeof(one));
}

void Worker::set_priority() {
  pthread_setname_np(pthread_self(), ("parley-" + std::to_string(config_.index)).c_str());
  const bool any = config_.scheduling == Scheduling::kAuto;
  if (any || config_.scheduling == Scheduling::kFifo) {
    sched_param param{};
    param.sched_priority = 10;
    if (pthread_setschedparam(pthread_self(), SCHED_FIFO, &param) == 0) {
      scheduling_.store("fifo");
      return;
    }
  }
  if (any || config_.scheduling == Scheduling::kFifo || config_.scheduling == Scheduling::kNice) {
    const auto thread = static_cast<id_t>(syscall(SYS_gettid));
    if (setpriority(PRIO_PROCESS, thread, -15) == 0) {
      scheduling_.store("nice");
      return;
    }
  }
  scheduling_.store("normal");
}

int64_t Worker::timeout_us(int64_t now_us) const {
  // Then all else is in step with it: nothing here is hurt by a millisecond.
  if (media_pace_.timed()) return std::max<int64_t>(media_pace_.due_us() - now_us, 0);
  int64_t due = now_us + 1'000'000;
  if (command_pace_.nap_until_us() > now_us) due = std::min(due, command_pace_.nap_until_us());
  if (hold_until_us_ != 0) due = std::min(due, hold_until_us_);
  if (rtcp_pace_.timed()) due = std::min(due, rtcp_pace_.due_us());
  // Ours are in no hurry: they leave when the worker reads those of others anyway.
  if (peer_count_ > 0) due = std::min(due, next_group_us_ + (rtcp_pace_.timed() ? RtcpPace::kMaxStepUs : 0));
  if (tcp_ != nullptr) due = std::min(due, next_sweep_us_);
  if (!nack_peers_.empty()) due = std::min(due, next_nack_us_);
  if (!paced_peers_.empty()) due = std::min(due, next_pacing_us_);
  if (tell_due_us_ != 0) due = std::min(due, tell_due_us_);
  // With many publishers each has its own time: it is sent when the worker is awake anyway, or a bit later for several.
  if (!twcc_peers_.empty()) due = std::min(due, std::max(next_twcc_us_, twcc_due_us_ + kFeedbackTickUs));
  if (!key_frame_tracks_.empty()) due = std::min(due, now_us + kFeedbackTickUs);
  return std::max<int64_t>(due - now_us, 0);
}

void Worker::doze(int64_t us) {
  pollfd command{event_fd_, POLLIN, 0};
  const timespec timeout{0, us * 1'000};
  ppoll(&command, 1, &timeout, nullptr);
}

int Worker::wait(epoll_event* events, int count, int64_t timeout_us) {
  if (precise_wait_) {
    // Microseconds need epoll_pwait2 (Linux 5.11); called by number, as older C libraries do not know it.
    timespec timeout{timeout_us / 1'000'000, timeout_us % 1'000'000 * 1'000};
    const long ready = syscall(kEpollPwait2, epoll_fd_, events, count, &timeout, nullptr, 0);
    if (ready >= 0 || (errno != ENOSYS && errno != EPERM)) return static_cast<int>(ready);
    precise_wait_ = false;
  }
  return epoll_wait(epoll_fd_, events, count, static_cast<int>((timeout_us + 999) / 1'000));
}

bool Worker::nothing_waits() const {
  bool nothing = inbox_.empty();
  for (size_t i = 0; i < config_.workers && nothing; ++i) nothing = rings_[i].empty();
  return nothing;
}

void Worker::fall_asleep(epoll_event* events, int& ready) {
  const int64_t begun_us = monotonic_us();
  const int64_t due_us = begun_us + timeout_us(begun_us);
  int64_t sleep_us = due_us - begun_us;
  // What comes while a burst is held would only be held too: one wake-up when its frame should be whole, and then for what comes late.
  if (hold_until_us_ != 0 && sleep_us > kShortDozeUs) {
    const int64_t rest_us = whole_at_us_ - begun_us;
    const int64_t doze_us = std::min(rest_us > kShortDozeUs ? rest_us : kDozeUs, sleep_us);
    parking_.doze();
    if (inbox_.empty()) doze(doze_us);
    sleep_us = std::max<int64_t>(due_us - monotonic_us(), 0);
  }
  parking_.fall_asleep(sleep_us <= kNapUs);
  ready = wait(events, kEpollEvents, nothing_waits() ? sleep_us : 0);
  parking_.woke_up();
  now_us_ = monotonic_us();
  idle_us_ += now_us_ - begun_us;
}

void Worker::run() {
  set_priority();
  now_us_ = monotonic_us();
  next_group_us_ = now_us_ + kGroupTickUs;
  epoll_event events[kEpollEvents];
  while (!stopping_.load(std::memory_order_relaxed)) {
    int ready = 0;
    fall_asleep(events, ready);
    // Commands change what the batch names, so what is held leaves first.
    if (hold_until_us_ != 0 && !inbox_.empty()) fan_out();
    take_commands();
    take_rings();
    bool rtcp = false;
    bool media = media_pace_.worth(now_us_);
    size_t datagrams = media ? read_media() : 0;
    for (int i = 0; i < ready; ++i) {
      const uint64_t tag = events[i].data.u64;
      if (tag == kTagEvent) {
        uint64_t count;
        (void)!::read(event_fd_, &count, sizeof(count));
      } else if (tag == kRtcpTag) {
        rtcp = true;
      } else if (tag >= kTagTcp) {
        tcp_->on_event(static_cast<int>(tag - kTagTcp), events[i].events, now_us_);
      } else {
        media = true;
        datagrams += receive_udp(tag);
      }
    }
    if (media && media_pace_.on_read(now_us_, datagrams)) watch_media();
    if (!holds_batch()) fan_out();
    if (rtcp || rtcp_pace_.worth(now_us_)) {
      flush_senders();
      read_rtcp();
    }
    run_timers(now_us_);
    flush_senders();
    publish_counters();
    if (tell_due_us_ != 0 && now_us_ >= tell_due_us_) {
      tell_due_us_ = 0;
      shared_.wake_main();
    }
  }
}

void Worker::take_commands() {
  bool could_wait = false;
  inbox_.drain([this, &could_wait](std::vector<Command>& commands) {
    for (Command& command : commands) {
      could_wait |= can_wait(command.type);
      apply(command);
    }
  });
  if (could_wait) command_pace_.on_commands(now_us_);
}

void Worker::run_timers(int64_t now_us) {
  if (!nack_peers_.empty() && now_us >= next_nack_us_) {
    send_nacks();
    next_nack_us_ = now_us + kNackTickUs;
  }
  if (!paced_peers_.empty() && now_us >= next_pacing_us_) run_pacing();
  if (!key_frame_tracks_.empty()) send_key_frame_requests();
  if (!twcc_peers_.empty() && now_us >= next_twcc_us_) {
    send_transport_feedback();
    next_twcc_us_ = now_us + kTwccLookUs;
  }
  while (now_us >= next_group_us_) {
    if (now_us - next_group_us_ > 2'000'000) next_group_us_ = now_us;  // after a suspension
    for (const Handle handle : report_groups_[next_group_]) {
      if (Peer* peer = peers_.find(handle)) report(*peer);
    }
    next_group_ = (next_group_ + 1) % kReportGroups;
    next_group_us_ += kGroupTickUs;
  }
  if (tcp_ != nullptr && now_us >= next_sweep_us_) {
    tcp_->sweep(now_us);
    next_sweep_us_ = now_us + kSweepUs;
  }
  if (!idle_replicas_.empty()) drop_idle_replicas();
  if (!released_now_.peers.empty() || !released_now_.tracks.empty() || !released_now_.slots.empty()) {
    released_.push(std::move(released_now_));
    released_now_ = Released();
  }
}

void Worker::take_rings() {
  for (size_t i = 0; i < config_.workers; ++i) {
    RingItem item;
    for (size_t taken = 0; taken < 512 && rings_[i].pop(item); ++taken) {
      PacketRef packet(item.packet);
      if (item.raw) {
        if (Peer* peer = peers_.find(item.handle)) {
          const PathAddress path = raw_meta(*packet).path;
          on_peer_datagram(*peer, path, packet);
        }
        continue;
      }
      Track* track = tracks_.find(item.handle);
      if (track == nullptr || track->peer != nullptr) continue;
      Source* source = nullptr;
      for (auto& candidate : track->sources) {
        if (candidate->ssrc == item.source) source = candidate.get();
      }
      if (source == nullptr) {
        // Here the SSRC's place holds the key at the publisher's worker. Layers come and go: a few are enough to remember.
        if (track->sources.size() >= 4) drop_source(*track->sources.front());
        source = &add_source(*track, item.source, 0, "");
      }
      source->history.insert(media_meta(*packet).input.sequence, packet, now_us_);
      add_to_batch(*track, *source, std::move(packet));
    }
  }
}

void Worker::flush_senders() {
  for (auto& sender : senders_) sender->flush();
  wake_workers(workers_to_wake_);
}

void Worker::wake_workers(uint64_t& which) {
  for (uint64_t bits = which; bits != 0; bits &= bits - 1) {
    shared_.workers[static_cast<size_t>(__builtin_ctzll(bits))]->wake_for_ring();
  }
  which = 0;
}

void Worker::publish_counters() {
  double* c = counters_.get();
  counter_set(c[plane_field::kRxDatagrams], static_cast<double>(rx_datagrams_));
  counter_set(c[plane_field::kRxBytes], static_cast<double>(rx_bytes_));
  uint64_t datagrams = sent_.datagrams;
  uint64_t bytes = sent_.bytes;
  if (tcp_ != nullptr) {
    datagrams += tcp_->counters().sent_frames;
    bytes += tcp_->counters().sent_bytes;
  }
  counter_set(c[plane_field::kTxDatagrams], static_cast<double>(datagrams));
  counter_set(c[plane_field::kTxBytes], static_cast<double>(bytes));
  counter_set(c[plane_field::kSendCalls], static_cast<double>(sent_.calls));
  counter_set(c[plane_field::kSendMessages], static_cast<double>(sent_.messages));
  const uint64_t tcp_drops = tcp_ != nullptr ? tcp_->counters().dropped_frames : 0;
  counter_set(c[plane_field::kSendErrors], static_cast<double>(sent_.errors + tcp_drops));
  counter_set(c[plane_field::kStrangers], static_cast<double>(strangers_));
  counter_set(c[plane_field::kForgedUfrags], static_cast<double>(forged_ufrags_));
  counter_set(c[plane_field::kMalformed], static_cast<double>(malformed_));
  counter_set(c[plane_field::kReplayed], static_cast<double>(replayed_));
  counter_set(c[plane_field::kUnauthenticated], static_cast<double>(unauthenticated_));
  counter_set(c[plane_field::kEventsDropped], static_cast<double>(events_dropped_));
  counter_set(c[plane_field::kFeedbackDropped], static_cast<double>(feedback_dropped_));
  counter_set(c[plane_field::kStaleCommands], static_cast<double>(stale_commands_));
  counter_set(c[plane_field::kForwardedElsewhere], static_cast<double>(forwarded_elsewhere_));
  counter_set(c[plane_field::kQueueDrops], static_cast<double>(queue_drops_ + receiver_->starved()));
}

void Worker::add_event(EventType type, const EventRing::Piece* pieces, size_t count, int64_t within_us) {
  EventRing::Piece all[5];
  all[0] = {&type, 1};
  for (size_t i = 0; i < count; ++i) all[i + 1] = pieces[i];
  if (!events_.push(all, count + 1)) {
    ++events_dropped_;
    return;
  }
  tell_within(within_us);
}

void Worker::tell_within(int64_t within_us) {
  const int64_t due_us = now_us_ + within_us;
  if (tell_due_us_ == 0 || due_us < tell_due_us_) tell_due_us_ = due_us;
}

// Events that a client causes, valid keys or not, cost JavaScript's time: a handshake needs some ten datagrams, nominations
// and new streams are rare.
bool Worker::may_tell(Peer& peer) {
  constexpr int32_t kPerSecond = 50;
  constexpr int32_t kBurst = 200;
  if (peer.events.take(now_us_, kPerSecond, kBurst)) return true;
  ++events_dropped_;
  return false;
}

}  // namespace parley
