// Tables written by the control part.
#include <algorithm>
#include <cstring>

#include "parley/engine/worker.h"

namespace parley {
namespace {

template <typename T>
void erase_value(std::vector<T>& values, const T& value) {
  const auto found = std::find(values.begin(), values.end(), value);
  if (found == values.end()) return;
  *found = values.back();
  values.pop_back();
}

IceCredentials make_credentials(const IceData& ice) {
  return {ice.local_ufrag, ice.remote_ufrag, StunKey(ice.local_password)};
}

uint64_t mix(uint64_t h, uint64_t v) { return (h ^ v) * 0x9fb21c651e98df25ULL; }

}  // namespace

void Worker::apply(Command& command) {
  switch (command.type) {
    case CommandType::kOpenPeer: return open_peer(command);
    case CommandType::kSendTo: {
      const auto& bytes = std::get<std::vector<uint8_t>>(command.data);
      return send_to(command.path, bytes.data(), bytes.size());
    }
    case CommandType::kInstallPath: return install_path(command.path, command.handle, command.worker);
    case CommandType::kRemovePath: return remove_path(command.path, command.handle, command.worker);
    case CommandType::kOpenTrack: return open_track(command.handle, *std::get<std::unique_ptr<TrackData>>(command.data));
    case CommandType::kOpenSlot: return open_slot(command.handle, *std::get<std::unique_ptr<SlotData>>(command.data));
    default: break;
  }
  switch (command.type) {
    case CommandType::kRestartIce:
    case CommandType::kRetirePreviousIce:
    case CommandType::kAddPath:
    case CommandType::kSelectPath:
    case CommandType::kSetSrtpKeys:
    case CommandType::kClosePeer:
    case CommandType::kPathClosed:
    case CommandType::kSetPeerCodecs:
    case CommandType::kSetPacingRate: {
      Peer* peer = peers_.find(command.handle);
      if (peer == nullptr) {
        ++stale_commands_;
        return;
      }
      if (command.type == CommandType::kRestartIce) {
        restart_ice(*peer, *std::get<std::unique_ptr<IceData>>(command.data));
      } else if (command.type == CommandType::kRetirePreviousIce) {
        peer->previous_ice.reset();
      } else if (command.type == CommandType::kAddPath) {
        add_path(*peer, command.path);
      } else if (command.type == CommandType::kSelectPath) {
        select_path(*peer, command.path);
      } else if (command.type == CommandType::kSetSrtpKeys) {
        set_keys(*peer, *std::get<std::unique_ptr<DtlsSrtpKeys>>(command.data));
      } else if (command.type == CommandType::kSetPeerCodecs) {
        set_codecs(*peer, *std::get<std::unique_ptr<CodecsData>>(command.data));
      } else if (command.type == CommandType::kSetPacingRate) {
        peer->pacing.bucket.set_rate(std::get<PacingData>(command.data).bitrate_bps, now_us_);
      } else if (command.type == CommandType::kPathClosed) {
        for (size_t i = 0; i < peer->paths.size(); ++i) {
          if (!(peer->paths[i] == command.path)) continue;
          drop_path(*peer, i, false);
          const EventRing::Piece pieces[] = {{&peer->handle, sizeof(peer->handle)},
                                             {&command.path, sizeof(command.path)}};
          add_event(EventType::kPathClosed, pieces, 2);
          break;
        }
      } else {
        close_peer(*peer, command.flag);
      }
      return;
    }
    case CommandType::kSetTrackPaused:
    case CommandType::kRequestKeyFrame:
    case CommandType::kCloseTrack:
    case CommandType::kSubscribe:
    case CommandType::kUnsubscribe:
    case CommandType::kReplicaOpened:
    case CommandType::kReplicaClosed: {
      Track* track = tracks_.find(command.handle);
      const bool replica_command =
          command.type == CommandType::kReplicaOpened || command.type == CommandType::kReplicaClosed;
      if (track == nullptr || (track->peer == nullptr) != replica_command) {
        if (command.type == CommandType::kSubscribe) {
          Command answer;
          answer.type = CommandType::kReplicaClosed;
          answer.handle = command.handle;
          shared_.workers[command.worker]->post(std::move(answer));
        } else {
          ++stale_commands_;
        }
        return;
      }
      if (command.type == CommandType::kSetTrackPaused) {
        // A resumed video begins with a key frame: what was missed cannot be decoded around.
        if (track->paused && !command.flag && track->video && (!track->slots.empty() || track->remote_workers != 0)) {
          request_key_frame(*track);
        }
        track->paused = command.flag;
      } else if (command.type == CommandType::kRequestKeyFrame) {
        request_key_frame(*track);
      } else if (command.type == CommandType::kCloseTrack) {
        close_track(*track);
      } else if (command.type == CommandType::kSubscribe) {
        track->remote_workers |= uint64_t{1} << command.worker;
        Command answer;
        answer.type = CommandType::kReplicaOpened;
        answer.handle = track->handle;
        answer.data = ReplicaData{track->video, track->paused, track->stream_id};
        shared_.workers[command.worker]->post(std::move(answer));
      } else if (command.type == CommandType::kUnsubscribe) {
        track->remote_workers &= ~(uint64_t{1} << command.worker);
      } else if (command.type == CommandType::kReplicaOpened) {
        const auto& data = std::get<ReplicaData>(command.data);
        track->video = data.video;
        track->stream_id = data.stream_id;
        track->ready = true;
      } else {
        drop_replica(*track);
      }
      return;
    }
    case CommandType::kBindSlot:
    case CommandType::kCloseSlot: {
      Slot* slot = slots_.find(command.handle);
      if (slot == nullptr) {
        ++stale_commands_;
      } else if (command.type == CommandType::kBindSlot) {
        bind_slot(*slot, *std::get<std::unique_ptr<BindData>>(command.data));
      } else {
        close_slot(*slot);
      }
      return;
    }
    default: return;
  }
}

// ---- peers and paths

void Worker::open_peer(Command& command) {
  auto& data = *std::get<std::unique_ptr<OpenPeerData>>(command.data);
  auto* peer = new Peer;
  peer->handle = command.handle;
  peer->counters = data.counters;
  peer->ice = make_credentials(data.ice);
  peers_.insert(peer);
  if (peer_count_++ == 0) next_group_us_ = now_us_;
  report_groups_[handle_index(peer->handle) % report_groups_.size()].push_back(peer->handle);
}

void Worker::restart_ice(Peer& peer, const IceData& ice) {
  peer.previous_ice = std::make_unique<IceCredentials>(std::move(peer.ice));
  peer.ice = make_credentials(ice);
}

void Worker::install_path(const PathAddress& path, Handle peer, uint16_t owner) {
  PathEntry& entry = paths_.insert(path);
  entry.peer = peer;
  entry.owner = owner;
  if (path.is_tcp() && tcp_ != nullptr) tcp_->adopt(path.connection);
}

void Worker::remove_path(const PathAddress& path, Handle peer, uint16_t owner) {
  const PathEntry* entry = paths_.find(path);
  // Somebody else may have taken the address over meanwhile.
  if (entry == nullptr || entry->peer != peer || entry->owner != owner) return;
  paths_.erase(path);
  if (path.is_tcp() && tcp_ != nullptr) tcp_->orphan(path.connection);
}

void Worker::add_path(Peer& peer, const PathAddress& path) {
  for (const PathAddress& known : peer.paths) {
    if (known == path) return;
  }
  if (peer.paths.size() == Peer::kMaxPaths) drop_path(peer, peer.selected == 0 ? 1 : 0, true);
  peer.paths.push_back(path);
  if (path.worker == config_.index) {
    // An address that another peer had is this one's now; that peer keeps its list until it notices by consent.
    install_path(path, peer.handle, config_.index);
    return;
  }
  Command command;
  command.type = CommandType::kInstallPath;
  command.handle = peer.handle;
  command.worker = config_.index;
  command.path = path;
  shared_.workers[path.worker]->post(std::move(command));
}

void Worker::drop_path(Peer& peer, size_t index, bool tell_table) {
  const PathAddress path = peer.paths[index];
  peer.paths.erase(peer.paths.begin() + static_cast<ptrdiff_t>(index));
  if (peer.selected == static_cast<int>(index)) {
    peer.selected = -1;
  } else if (peer.selected > static_cast<int>(index)) {
    --peer.selected;
  }
  if (!tell_table) return;
  if (path.worker == config_.index) return remove_path(path, peer.handle, config_.index);
  Command command;
  command.type = CommandType::kRemovePath;
  command.handle = peer.handle;
  command.worker = config_.index;
  command.path = path;
  shared_.workers[path.worker]->post(std::move(command));
}

void Worker::select_path(Peer& peer, const PathAddress& path) {
  for (size_t i = 0; i < peer.paths.size(); ++i) {
    if (peer.paths[i] == path) {
      peer.selected = static_cast<int>(i);
      return;
    }
  }
  ++stale_commands_;
}

void Worker::send_to(const PathAddress& path, const uint8_t* data, size_t size) {
  if (!path.is_tcp()) {
    senders_[path.socket]->send(path, data, size);
    return;
  }
  if (path.worker == config_.index) {
    tcp_->send(path.connection, data, size);
    return;
  }
  // The peer migrated to TCP after it had settled here: its packets take a detour.
  Command command;
  command.type = CommandType::kSendTo;
  command.path = path;
  command.data = std::vector<uint8_t>(data, data + size);
  shared_.workers[path.worker]->post(std::move(command));
}

void Worker::set_keys(Peer& peer, const DtlsSrtpKeys& keys) {
  peer.send = SrtpSendContext::create(keys.local);
  peer.receive = SrtpReceiveContext::create(keys.remote);
  if (!peer.send || !peer.receive) {
    peer.send.reset();
    peer.receive.reset();
  }
  // Slots that were bound before have waited for this.
  for (Slot* slot : peer.slots) {
    if (slot->wanted != nullptr && slot->video) request_key_frame(*slot->wanted);
  }
}

void Worker::set_codecs(Peer& peer, const CodecsData& data) {
  peer.codecs = PeerCodecs();
  peer.extensions.clear();
  peer.two_byte_extensions = false;
  uint64_t signature = 1;
  for (const CodecEntry& codec : data.codecs) {
    if (codec.payload_type > 127 || peer.codecs.entries.size() >= 127) continue;
    peer.codecs.index[codec.payload_type] = static_cast<uint8_t>(peer.codecs.entries.size());
    if (codec.rtx_payload_type != 0 && codec.rtx_payload_type < 128) {
      peer.codecs.rtx_of[codec.rtx_payload_type] = codec.payload_type;
    }
    peer.codecs.entries.push_back(codec);
  }
  for (const ExtensionEntry& entry : data.extensions) {
    peer.extensions.set(entry.id, entry.extension);
    if (entry.id > 14) peer.two_byte_extensions = true;
  }
  for (size_t i = 0; i < kExtensionCount; ++i) {
    signature = mix(signature, peer.extensions.id(static_cast<Extension>(i)) + 1u);
    signature ^= signature >> 31;
  }
  peer.extension_signature = signature;
  for (Slot* slot : peer.slots) {
    sign_slot(*slot);
    if (slot->source != nullptr) keep_transport_numbers(peer);
  }
}

void Worker::close_peer(Peer& peer, bool moved) {
  while (!peer.slots.empty()) close_slot(*peer.slots.back());
  while (!peer.tracks.empty()) close_track(*peer.tracks.back());
  while (!peer.paths.empty()) drop_path(peer, peer.paths.size() - 1, true);
  erase_value(report_groups_[handle_index(peer.handle) % report_groups_.size()], peer.handle);
  if (peer.in_nack_list) erase_value(nack_peers_, &peer);
  if (peer.in_twcc_list) erase_value(twcc_peers_, &peer);
  if (peer.in_pacing_list) erase_value(paced_peers_, &peer);
  if (!moved) released_now_.peers.push_back(peer.handle);
  peers_.erase(&peer);
  --peer_count_;
  delete &peer;
}

// ---- tracks

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

// ---- slots

void Worker::sign_slot(Slot& slot) {
  slot.signature = mix(slot.peer->extension_signature, slot.mid.size() + 1);
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
