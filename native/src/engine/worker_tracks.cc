// Tables of what is received: tracks with their sources, and replicas of other workers' tracks.
#include <algorithm>

#include "engine/unordered.h"
#include "parley/engine/worker.h"

namespace parley {

Source& Worker::add_source(Track& track, uint32_t ssrc, uint32_t rtx_ssrc, const std::string& rid) {
  auto source = std::make_unique<Source>();
  source->key = next_source_key_++;
  source->ssrc = ssrc;
  source->rtx_ssrc = rtx_ssrc;
  source->rid = rid;
  source->track = &track;
  if (track.peer != nullptr) {
    source->receiving = std::make_unique<Source::Receiving>();
    if (ssrc != 0) track.peer->ssrcs.push_back({ssrc, false, source.get()});
    if (rtx_ssrc != 0) track.peer->ssrcs.push_back({rtx_ssrc, true, source.get()});
  }
  sources_[source->key] = source.get();
  track.sources.push_back(std::move(source));
  return *track.sources.back();
}

void Worker::drop_source(Source& source) {
  Track& track = *source.track;
  sources_.erase(source.key);
  for (Slot* slot : track.slots) {
    if (slot->source == &source) slot->source = nullptr;
  }
  if (track.forwarded == &source) track.forwarded = nullptr;
  if (track.peer != nullptr) {
    std::erase_if(track.peer->ssrcs, [&source](const SsrcEntry& entry) { return entry.source == &source; });
    track.peer->last_ssrc = 0;
  }
  for (size_t i = 0; i < batch_size_; ++i) {
    if (batch_[i].source == &source) batch_[i].source = nullptr;
  }
  std::erase_if(track.sources, [&source](const auto& own) { return own.get() == &source; });
}

void Worker::open_track(Handle handle, const TrackData& data) {
  Peer* peer = peers_.find(data.peer);
  if (peer == nullptr) {
    ++stale_commands_;
    released_now_.tracks.push_back(handle);
    return;
  }
  auto* track = new Track;
  track->handle = handle;
  track->peer = peer;
  track->home = config_.index;
  track->video = data.video;
  track->ready = true;
  track->stream_id = data.stream_id;
  track->mid = data.mid;
  track->counters = data.counters;
  for (const uint8_t payload_type : data.payload_types) {
    track->payload_types[(payload_type >> 6) & 1] |= uint64_t{1} << (payload_type & 63);
  }
  track->key_frame_requests.set_interval_us(data.key_frame_interval_us);
  tracks_.insert(track);
  peer->tracks.push_back(track);
  for (const EncodingData& encoding : data.encodings) {
    // A layer without an SSRC is made when its rid is seen.
    if (encoding.ssrc != 0) add_source(*track, encoding.ssrc, encoding.rtx_ssrc, encoding.rid);
  }
}

void Worker::close_track(Track& track) {
  for (uint64_t bits = track.remote_workers; bits != 0; bits &= bits - 1) {
    Command command;
    command.type = CommandType::kReplicaClosed;
    command.handle = track.handle;
    shared_.workers[static_cast<size_t>(__builtin_ctzll(bits))]->post(std::move(command));
  }
  released_now_.tracks.push_back(track.handle);
  erase_value(track.peer->tracks, &track);
  drop_replica(track);
}

void Worker::drop_replica(Track& track) {
  track.closing = true;
  while (!track.slots.empty()) {
    Slot& slot = *track.slots.back();
    if (slot.wanted != nullptr && slot.wanted != &track) {
      // It was on its way to another track, and goes on waiting for that one's key frame.
      leave(slot, &track);
      counter_set(slot.counters[slot_field::kStreamId], 0);
    } else {
      unbind(slot);
    }
  }
  while (!track.sources.empty()) drop_source(*track.sources.back());
  if (track.in_key_frame_list) erase_value(key_frame_tracks_, &track);
  if (track.batch_first >= 0) erase_value(batch_tracks_, &track);
  tracks_.erase(&track);
  delete &track;
}

Track* Worker::replica(Handle handle, uint16_t home) {
  if (Track* known = tracks_.find(handle)) return known;
  if (home == config_.index) return nullptr;
  auto* track = new Track;
  track->handle = handle;
  track->home = home;
  tracks_.insert(track);
  Command command;
  command.type = CommandType::kSubscribe;
  command.handle = handle;
  command.worker = config_.index;
  shared_.workers[home]->post(std::move(command));
  return track;
}

}  // namespace parley
