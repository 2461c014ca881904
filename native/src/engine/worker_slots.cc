// Tables of what is sent: slots, and what they are bound to.
#include "engine/unordered.h"
#include "parley/engine/worker.h"

namespace parley {

void Worker::sign_slot(Slot& slot) {
  slot.signature = sign(slot.peer->extension_signature, slot.mid.size() + 1);
  slot.signature ^= slot.signature >> 29;
  slot.signature |= 1;  // 0 stands for "no block yet"
  // Plain repetitions happen only where a NACK may come and no RTX stream takes it.
  bool nack = false;
  for (const CodecEntry& codec : slot.peer->codecs.entries) {
    const bool audio = codec.codec == Codec::kOpus || codec.codec == Codec::kRed;
    if (codec.nack && audio != slot.video) nack = true;
  }
  if (nack && slot.rtx_ssrc == 0 && slot.sent == nullptr) {
    slot.sent = std::make_unique<std::array<SentExtras, 256>>();
  }
}

void Worker::open_slot(Handle handle, const SlotData& data) {
  Peer* peer = peers_.find(data.peer);
  if (peer == nullptr) {
    ++stale_commands_;
    released_now_.slots.push_back(handle);
    return;
  }
  auto* slot = new Slot;
  slot->handle = handle;
  slot->peer = peer;
  slot->mid = data.mid.substr(0, 16);
  slot->video = data.video;
  slot->ssrc = data.ssrc;
  slot->rtx_ssrc = data.rtx_ssrc;
  slot->clock_rate_hz = data.clock_rate_hz == 0 ? 90'000 : data.clock_rate_hz;
  slot->rtx_index = data.first_rtx_sequence & 0x7fff;
  slot->counters = data.counters;
  uint64_t first_index = data.first_sequence & 0x7fff;
  // An SSRC that was used under these keys goes on counting: the same index twice would break GCM (RFC 7714 8.4).
  for (const auto& [ssrc, next] : peer->used_indices) {
    if (ssrc == slot->ssrc) first_index = next;
    if (ssrc == slot->rtx_ssrc) slot->rtx_index = next;
  }
  slot->rewriter.init(slot->clock_rate_hz, !data.video, first_index, data.timestamp_base);
  slot->sent_end = slot->rewriter.last_index() + 1;
  slots_.insert(slot);
  peer->slots.push_back(slot);
  sign_slot(*slot);
}

void Worker::leave(Slot& slot, Track* track) {
  if (track == nullptr) return;
  erase_value(track->slots, &slot);
  if (slot.current == track) {
    slot.current = nullptr;
    slot.source = nullptr;
  }
  if (slot.wanted == track) slot.wanted = nullptr;
  if (track->slots.empty()) track->left_us = now_us_;
  // We may be in the middle of a batch that still names it.
  if (track->peer == nullptr && track->slots.empty() && !track->closing) idle_replicas_.push_back(track->handle);
}

void Worker::drop_idle_replicas() {
  for (const Handle handle : idle_replicas_) {
    Track* track = tracks_.find(handle);
    if (track == nullptr || track->peer != nullptr || !track->slots.empty()) continue;
    Command command;
    command.type = CommandType::kUnsubscribe;
    command.handle = handle;
    command.worker = config_.index;
    shared_.workers[track->home]->post(std::move(command));
    drop_replica(*track);
  }
  idle_replicas_.clear();
}

void Worker::unbind(Slot& slot) {
  Track* wanted = slot.wanted;
  Track* current = slot.current;
  leave(slot, wanted);
  if (current != wanted) leave(slot, current);
  slot.wanted = nullptr;
  slot.current = nullptr;
  slot.source = nullptr;
  counter_set(slot.counters[slot_field::kStreamId], 0);
}

void Worker::bind_slot(Slot& slot, const BindData& data) {
  Track* track = data.track == 0 ? nullptr : replica(data.track, data.track_worker);
  slot.mapped = {Slot::kNoPayloadType, Slot::kNoPayloadType};
  if (track == nullptr) {
    if (data.track != 0) ++stale_commands_;
    unbind(slot);
    slot.payload_types.clear();
    return;
  }
  if (track == slot.wanted) {
    slot.payload_types = data.payload_types;
    return;
  }
  if (track != slot.current) track->slots.push_back(&slot);
  Track* before = slot.wanted;
  if (before == slot.current) slot.old_payload_types = std::move(slot.payload_types);
  slot.wanted = track;
  slot.payload_types = data.payload_types;
  if (track == slot.current) slot.old_payload_types.clear();
  if (before != nullptr && before != slot.current) leave(slot, before);
  // A key frame that comes before the keys is lost, and the next request would wait for the interval: set_keys asks.
  if (slot.video && slot.current != track && slot.peer->send) request_key_frame(*track);
}

void Worker::close_slot(Slot& slot) {
  unbind(slot);
  forget_paced(slot);
  released_now_.slots.push_back(slot.handle);
  const auto remember = [&slot](uint32_t ssrc, uint64_t next) {
    for (auto& [known, index] : slot.peer->used_indices) {
      if (known == ssrc) {
        index = next;
        return;
      }
    }
    slot.peer->used_indices.emplace_back(ssrc, next);
  };
  if (slot.rewriter.started()) remember(slot.ssrc, slot.rewriter.last_index() + 1);
  if (slot.rtx_ssrc != 0 && slot.rewriter.started()) remember(slot.rtx_ssrc, slot.rtx_index);
  erase_value(slot.peer->slots, &slot);
  slot.peer->work.remove(&slot);
  slots_.erase(&slot);
  delete &slot;
}

}  // namespace parley
