#include "parley/engine/plane.h"

#include <openssl/rand.h>
#include <time.h>

#include <algorithm>
#include <cstring>

#include "engine/unordered.h"

namespace parley {
namespace {

// Seconds from 1900 to 1970.
constexpr int64_t kNtpEpochUs = 2'208'988'800LL * 1'000'000;
// A bit per worker in a track's list of subscribers.
constexpr uint16_t kMaxThreads = 64;

template <typename T>
T random_value() {
  T value{};
  RAND_bytes(reinterpret_cast<unsigned char*>(&value), sizeof(value));
  return value;
}

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

// ---- peers

Handle Plane::open_peer(IceData ice) {
  if (!running_) return 0;
  const Handle handle = peers_.open();
  if (handle == 0) return 0;
  PeerRecord& record = *peers_.find(handle);
  record.ice = std::move(ice);
  double* counters = peer_counters_.at(handle_index(handle));
  std::fill(counters, counters + peer_field::kStride, 0.0);
  counter_set(counters[peer_field::kHandle], static_cast<double>(handle));
  return handle;
}

void Plane::make_home(Handle handle, PeerRecord& record, int worker) {
  record.home = worker;
  Command open = make(CommandType::kOpenPeer, handle);
  auto data = std::make_unique<OpenPeerData>();
  data->ice = record.previous_ice != nullptr ? *record.previous_ice : record.ice;
  data->counters = peer_counters_.at(handle_index(handle));
  open.data = std::move(data);
  to_worker(worker, std::move(open));
  if (record.previous_ice != nullptr) {
    Command restart = make(CommandType::kRestartIce, handle);
    restart.data = std::make_unique<IceData>(record.ice);
    to_worker(worker, std::move(restart));
  }
  for (const PathAddress& path : record.paths) {
    Command add = make(CommandType::kAddPath, handle);
    add.path = path;
    to_worker(worker, std::move(add));
  }
}

void Plane::restart_ice(Handle peer, IceData ice) {
  PeerRecord* record = peer_of(peer);
  if (record == nullptr) return;
  record->previous_ice = std::make_unique<IceData>(std::move(record->ice));
  record->ice = std::move(ice);
  if (record->home == kNowhere) return;
  Command command = make(CommandType::kRestartIce, peer);
  command.data = std::make_unique<IceData>(record->ice);
  to_worker(record->home, std::move(command));
}

void Plane::retire_previous_ice(Handle peer) {
  PeerRecord* record = peer_of(peer);
  if (record == nullptr) return;
  record->previous_ice.reset();
  if (record->home != kNowhere) to_worker(record->home, make(CommandType::kRetirePreviousIce, peer));
}

void Plane::add_path(Handle peer, const PathAddress& path) {
  PeerRecord* record = peer_of(peer);
  if (record == nullptr) return;
  if (!valid_path(path)) return stale();
  if (!record->settled) {
    // Kept for a move; the worker keeps the true list.
    if (std::find(record->paths.begin(), record->paths.end(), path) == record->paths.end()) {
      if (record->paths.size() == Peer::kMaxPaths) record->paths.erase(record->paths.begin());
      record->paths.push_back(path);
    }
    if (record->home == kNowhere) return make_home(peer, *record, path.worker);
  }
  Command command = make(CommandType::kAddPath, peer);
  command.path = path;
  to_worker(record->home, std::move(command));
}

void Plane::select_path(Handle peer, const PathAddress& path) {
  PeerRecord* record = peer_of(peer);
  if (record == nullptr) return;
  if (!valid_path(path) || record->home == kNowhere) return stale();
  if (!record->settled) {
    if (record->home != path.worker) {
      Command close = make(CommandType::kClosePeer, peer);
      close.flag = true;
      to_worker(record->home, std::move(close));
      make_home(peer, *record, path.worker);
    }
    settle(peer, *record);
  }
  Command command = make(CommandType::kSelectPath, peer);
  command.path = path;
  to_worker(record->home, std::move(command));
}

void Plane::settle(Handle handle, PeerRecord& record) {
  record.settled = true;
  record.paths.clear();
  for (Command& command : record.waiting) to_worker(record.home, std::move(command));
  record.waiting.clear();
  for (const Handle slot : record.slots) {
    SlotRecord* found = slots_.find(slot);
    if (found != nullptr && found->track != 0) send_bind(slot, *found);
  }
  for (const Handle track : record.tracks) {
    TrackRecord* found = tracks_.find(track);
    if (found == nullptr) continue;
    std::vector<Handle> waiting;
    waiting.swap(found->waiting_slots);
    for (const Handle slot : waiting) {
      SlotRecord* bound = slots_.find(slot);
      if (bound != nullptr && bound->track == track) send_bind(slot, *bound);
    }
  }
  (void)handle;
}

void Plane::send_to(const PathAddress& path, const uint8_t* data, size_t size) {
  if (!running_) return;
  if (!valid_path(path) || size > kPacketCapacity) return stale();
  Command command = make(CommandType::kSendTo, 0);
  command.path = path;
  command.data = std::vector<uint8_t>(data, data + size);
  to_worker(path.worker, std::move(command));
}

void Plane::set_srtp_keys(Handle peer, const DtlsSrtpKeys& keys) {
  PeerRecord* record = peer_of(peer);
  if (record == nullptr) return;
  Command command = make(CommandType::kSetSrtpKeys, peer);
  command.data = std::make_unique<DtlsSrtpKeys>(keys);
  to_media(*record, std::move(command));
}

void Plane::set_peer_codecs(Handle peer, CodecsData codecs) {
  PeerRecord* record = peer_of(peer);
  if (record == nullptr) return;
  Command command = make(CommandType::kSetPeerCodecs, peer);
  command.data = std::make_unique<CodecsData>(std::move(codecs));
  to_media(*record, std::move(command));
}

void Plane::set_pacing_rate(Handle peer, uint64_t bitrate_bps) {
  PeerRecord* record = peer_of(peer);
  if (record == nullptr) return;
  Command command = make(CommandType::kSetPacingRate, peer);
  command.data = PacingData{bitrate_bps};
  to_media(*record, std::move(command));
}

void Plane::close_peer(Handle peer) {
  PeerRecord* record = peer_of(peer);
  if (record == nullptr) return;
  for (const Handle track : record->tracks) {
    if (TrackRecord* found = tracks_.find(track)) forget_track(track, *found);
  }
  for (const Handle slot : record->slots) {
    if (SlotRecord* found = slots_.find(slot)) forget_slot(slot, *found);
  }
  // No worker has heard of these.
  for (const Command& command : record->waiting) {
    if (command.type == CommandType::kOpenTrack) tracks_.release(command.handle);
    if (command.type == CommandType::kOpenSlot) slots_.release(command.handle);
  }
  record->waiting.clear();
  counter_set(peer_counters_.at(handle_index(peer))[peer_field::kHandle], 0);
  const int home = record->home;
  peers_.close(peer);
  if (home == kNowhere) {
    peers_.release(peer);
  } else {
    to_worker(home, make(CommandType::kClosePeer, peer));
  }
}

// ---- tracks

Handle Plane::open_track(Handle peer, TrackData track) {
  PeerRecord* record = peer_of(peer);
  if (record == nullptr) return 0;
  const Handle handle = tracks_.open();
  if (handle == 0) return 0;
  tracks_.find(handle)->peer = peer;
  record->tracks.push_back(handle);
  double* counters = track_counters_.at(handle_index(handle));
  std::fill(counters, counters + track_field::kStride, 0.0);
  counter_set(counters[track_field::kHandle], static_cast<double>(handle));
  track.peer = peer;
  track.counters = counters;
  Command command = make(CommandType::kOpenTrack, handle);
  command.data = std::make_unique<TrackData>(std::move(track));
  to_media(*record, std::move(command));
  return handle;
}

void Plane::set_track_paused(Handle track, bool paused) {
  TrackRecord* record = running_ ? tracks_.find(track) : nullptr;
  if (record == nullptr) return stale();
  Command command = make(CommandType::kSetTrackPaused, track);
  command.flag = paused;
  to_media(*peers_.find(record->peer), std::move(command));
}

void Plane::request_key_frame(Handle track) {
  TrackRecord* record = running_ ? tracks_.find(track) : nullptr;
  if (record == nullptr) return stale();
  to_media(*peers_.find(record->peer), make(CommandType::kRequestKeyFrame, track));
}

void Plane::forget_track(Handle handle, TrackRecord& record) {
  counter_set(track_counters_.at(handle_index(handle))[track_field::kHandle], 0);
  record.waiting_slots.clear();
  tracks_.close(handle);
}

void Plane::close_track(Handle track) {
  TrackRecord* record = running_ ? tracks_.find(track) : nullptr;
  if (record == nullptr) return stale();
  PeerRecord& peer = *peers_.find(record->peer);
  erase_value(peer.tracks, track);
  forget_track(track, *record);
  to_media(peer, make(CommandType::kCloseTrack, track));
}

// ---- slots

Handle Plane::open_slot(Handle peer, SlotData slot) {
  PeerRecord* record = peer_of(peer);
  if (record == nullptr) return 0;
  const Handle handle = slots_.open();
  if (handle == 0) return 0;
  slots_.find(handle)->peer = peer;
  record->slots.push_back(handle);
  double* counters = slot_counters_.at(handle_index(handle));
  std::fill(counters, counters + slot_field::kStride, 0.0);
  counter_set(counters[slot_field::kHandle], static_cast<double>(handle));
  slot.peer = peer;
  slot.counters = counters;
  slot.first_sequence = random_value<uint16_t>();
  slot.first_rtx_sequence = random_value<uint16_t>();
  slot.timestamp_base = random_value<uint32_t>();
  Command command = make(CommandType::kOpenSlot, handle);
  command.data = std::make_unique<SlotData>(std::move(slot));
  to_media(*record, std::move(command));
  return handle;
}

void Plane::bind_slot(Handle slot, Handle track, std::vector<PayloadTypeMap> payload_types) {
  SlotRecord* record = running_ ? slots_.find(slot) : nullptr;
  if (record == nullptr) return stale();
  if (track != 0 && tracks_.find(track) == nullptr) {
    // The publisher closed meanwhile: bound to a track that is gone is bound to nothing.
    stale();
    track = 0;
  }
  record->track = track;
  record->payload_types = std::move(payload_types);
  if (peers_.find(record->peer)->settled) send_bind(slot, *record);
}

void Plane::send_bind(Handle handle, SlotRecord& record) {
  const PeerRecord& peer = *peers_.find(record.peer);
  auto data = std::make_unique<BindData>();
  if (record.track != 0) {
    TrackRecord* track = tracks_.find(record.track);
    if (track == nullptr) {
      record.track = 0;
    } else {
      const PeerRecord& publisher = *peers_.find(track->peer);
      if (!publisher.settled) {
        auto& waiting = track->waiting_slots;
        if (std::find(waiting.begin(), waiting.end(), handle) == waiting.end()) waiting.push_back(handle);
        return;
      }
      data->track_worker = static_cast<uint16_t>(publisher.home);
      // The other worker must know the track before this one asks it for packets.
      auto& first = pending_[static_cast<size_t>(publisher.home)];
      if (publisher.home != peer.home && !first.empty()) {
        workers[static_cast<size_t>(publisher.home)]->post(std::move(first));
        first.clear();
      }
    }
  }
  data->track = record.track;
  data->payload_types = record.payload_types;
  Command command = make(CommandType::kBindSlot, handle);
  command.data = std::move(data);
  to_worker(peer.home, std::move(command));
}

void Plane::forget_slot(Handle handle, SlotRecord& record) {
  counter_set(slot_counters_.at(handle_index(handle))[slot_field::kHandle], 0);
  record.track = 0;
  slots_.close(handle);
}

void Plane::close_slot(Handle slot) {
  SlotRecord* record = running_ ? slots_.find(slot) : nullptr;
  if (record == nullptr) return stale();
  PeerRecord& peer = *peers_.find(record->peer);
  erase_value(peer.slots, slot);
  forget_slot(slot, *record);
  to_media(peer, make(CommandType::kCloseSlot, slot));
}

// ---- batches

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
