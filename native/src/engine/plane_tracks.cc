// Tracks as the main thread knows them.
#include "parley/engine/plane.h"

#include <algorithm>

#include "engine/unordered.h"

namespace parley {

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

}  // namespace parley
