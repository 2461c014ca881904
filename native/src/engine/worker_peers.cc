// A peer's tables: ICE, paths, keys, codecs.
#include "engine/unordered.h"
#include "parley/engine/worker.h"

namespace parley {
namespace {

IceCredentials make_credentials(const IceData& ice) {
  return {ice.local_ufrag, ice.remote_ufrag, StunKey(ice.local_password)};
}

}  // namespace

void Worker::open_peer(Command& command) {
  auto& data = *std::get<std::unique_ptr<OpenPeerData>>(command.data);
  auto* peer = new Peer;
  peer->handle = command.handle;
  peer->counters = data.counters;
  peer->ice = make_credentials(data.ice);
  peers_.insert(peer);
  if (peer_count_++ == 0) next_group_us_ = now_us_;
  await_checks();
  report_groups_[handle_index(peer->handle) % report_groups_.size()].push_back(peer->handle);
}

void Worker::restart_ice(Peer& peer, const IceData& ice) {
  peer.previous_ice = std::make_unique<IceCredentials>(std::move(peer.ice));
  peer.ice = make_credentials(ice);
  await_checks();
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
    signature = sign(signature, peer.extensions.id(static_cast<Extension>(i)) + 1u);
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

}  // namespace parley
