// Peers as the main thread knows them: their worker, their paths until one is selected, what waits for that.
#include "parley/engine/plane.h"

#include <algorithm>

namespace parley {

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

}  // namespace parley
