// Slots as the main thread knows them, and binding them to tracks, perhaps of another worker.
#include "parley/engine/plane.h"

#include <algorithm>

#include "engine/random_value.h"
#include "engine/unordered.h"

namespace parley {

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

}  // namespace parley
