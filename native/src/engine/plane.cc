#include "parley/engine/plane.h"

#include <time.h>

#include <algorithm>
#include <cstring>

#include "engine/random_value.h"

namespace parley {
namespace {

// Seconds from 1900 to 1970.
constexpr int64_t kNtpEpochUs = 2'208'988'800LL * 1'000'000;
// A bit per worker in a track's list of subscribers.
constexpr uint16_t kMaxThreads = 64;

int64_t unix_us() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1'000;
}

}  // namespace

Plane::Plane(std::function<void()> wake)
    : wake_(std::move(wake)), own_counters_(new double[plane_field::kStride]()) {}

Plane::~Plane() { stop(); }

std::string Plane::start(const PlaneConfig& config) {
  WorkerConfig worker;
  worker.workers = std::clamp<uint16_t>(config.threads, 1, kMaxThreads);
  worker.ufrag_key = config.ufrag_key;
  worker.path_seed = random_value<uint64_t>();
  worker.segmentation = config.segmentation && udp_segment_supported();
  worker.scheduling = config.scheduling;
  worker.max_packets = config.max_packets;
  worker.tcp = config.tcp_limits;
  worker.ntp_offset_us = unix_us() - monotonic_us() + kNtpEpochUs;
  segmentation_ = worker.segmentation;
  for (uint16_t i = 0; i < worker.workers; ++i) {
    worker.index = i;
    workers.push_back(std::make_unique<Worker>(*this, worker));
  }
  std::string failure;
  uint16_t udp_port = config.udp_port;
  uint16_t tcp_port = config.tcp_port;
  for (const std::string& ip : config.bind) {
    PathAddress local;
    const char* what = "";
    // SO_REUSEPORT would let a second program of this user share the port, and take half of the clients: so first look whether
    // the port is free without it.
    {
      UdpSocket probe;
      const int error = probe.open({ip, udp_port, false}, &what);
      if (error != 0) {
        failure = std::string(what) + " UDP " + ip + " port " + std::to_string(udp_port) + ": " + strerror(error);
        break;
      }
      udp_port = probe.local().local_port;
    }
    // All workers open theirs before any packet may come, or the kernel would spread flows anew.
    for (auto& each : workers) {
      const int error = each->open_udp(ip, udp_port, &local, &what);
      if (error != 0) {
        failure = std::string(what) + " UDP " + ip + " port " + std::to_string(udp_port) + ": " + strerror(error);
        break;
      }
      udp_port = local.local_port;
    }
    if (!failure.empty()) break;
    if (!workers[0]->steer_reports(sockets_, random_value<uint32_t>())) {
      for (auto& each : workers) each->drop_rtcp_socket(sockets_);
    }
    endpoints_.push_back({false, local.family, ip_to_string(local.family, local.local_ip), local.local_port});
    ++sockets_;
  }
  for (const std::string& ip : config.bind) {
    if (!config.tcp || !failure.empty()) break;
    PathAddress local;
    const char* what = "";
    const int error = workers[0]->open_tcp(ip, tcp_port, &local, &what);
    if (error != 0) {
      failure = std::string(what) + " TCP " + ip + " port " + std::to_string(tcp_port) + ": " + strerror(error);
      break;
    }
    tcp_port = local.local_port;
    endpoints_.push_back({true, local.family, ip_to_string(local.family, local.local_ip), local.local_port});
  }
  if (!failure.empty() || sockets_ == 0) {
    workers.clear();
    endpoints_.clear();
    return failure.empty() ? "no address to bind" : failure;
  }
  pending_.resize(workers.size());
  for (auto& each : workers) each->start();
  running_ = true;
  return "";
}

void Plane::stop() {
  if (!running_) return;
  running_ = false;
  pending_.clear();
  // native/TEARDOWN.md: first all threads, then what they share.
  for (auto& worker : workers) worker->stop();
  for (auto& worker : workers) worker->clear();
  workers.clear();
}

bool Plane::valid_path(const PathAddress& path) const {
  if (path.worker >= workers.size() || (path.family != 4 && path.family != 6)) return false;
  return path.is_tcp() ? path.worker == 0 : path.protocol == 0 && path.socket < sockets_;
}

void Plane::stale() {
  ++stale_commands_;
  counter_set(own_counters_[plane_field::kStaleCommands], static_cast<double>(stale_commands_));
}

Plane::PeerRecord* Plane::peer_of(Handle handle) {
  PeerRecord* record = running_ ? peers_.find(handle) : nullptr;
  if (record == nullptr && running_) stale();
  return record;
}

Command Plane::make(CommandType type, Handle handle) const {
  Command command;
  command.type = type;
  command.handle = handle;
  return command;
}

void Plane::to_worker(int worker, Command&& command) {
  pending_[static_cast<size_t>(worker)].push_back(std::move(command));
}

void Plane::to_media(PeerRecord& record, Command&& command) {
  if (record.settled) {
    to_worker(record.home, std::move(command));
  } else {
    record.waiting.push_back(std::move(command));
  }
}

void Plane::flush() {
  if (!running_) return;
  for (size_t i = 0; i < pending_.size(); ++i) {
    if (pending_[i].empty()) continue;
    workers[i]->post(std::move(pending_[i]));
    pending_[i].clear();
  }
}

void Plane::drain_events(std::vector<uint8_t>& out) {
  if (!running_) return;
  for (auto& worker : workers) {
    worker->events().drain(out);
    worker->released().drain([this](Worker::Released& gone) {
      for (const Handle peer : gone.peers) peers_.release(peer);
      for (const Handle track : gone.tracks) tracks_.release(track);
      for (const Handle slot : gone.slots) slots_.release(slot);
    });
  }
}

void Plane::want_feedback(bool wanted) {
  feedback_wanted.store(wanted, std::memory_order_relaxed);
  if (wanted || !running_) return;
  std::vector<uint8_t> unwanted;
  for (auto& worker : workers) worker->feedback().drain(unwanted);
}

size_t Plane::drain_feedback(size_t worker, uint8_t* out) {
  return running_ && worker < workers.size() ? workers[worker]->feedback().drain(out) : 0;
}

}  // namespace parley
