// From a datagram to a packet of a track in the batch.
#include <algorithm>
#include <cstring>

#include "parley/engine/worker.h"
#include "parley/wire/bytes.h"

namespace parley {
namespace {

// A publisher with more is a fault or an attack: four layers of a dozen tracks, each with RTX.
constexpr size_t kMaxSsrcs = 128;
// Layers that begin anew with another SSRC, of one publisher.
constexpr int32_t kNewSourcesPerSecond = 5;
constexpr int32_t kNewSourcesBurst = 50;
// A layer that was silent for so long gives its place to the next one.
constexpr int64_t kForwardedSilentUs = 1'000'000;

std::string_view extension_text(const uint8_t* data, const RtpHeader& rtp, Extension extension) {
  const ExtensionValue& value = rtp.extension(extension);
  if (value.offset == 0) return {};
  return {reinterpret_cast<const char*>(data) + value.offset, value.size};
}

}  // namespace

void Worker::on_datagram(PacketRef& packet, const PathAddress& path, const PathEntry* entry) {
  if (entry == nullptr) {
    on_stranger(path, packet->data(), packet->length);
    return;
  }
  if (entry->owner == config_.index) {
    if (Peer* peer = peers_.find(entry->peer)) on_peer_datagram(*peer, path, packet);
    return;
  }
  raw_meta(*packet).path = path;
  media_pace_.on_wanted(now_us_);
  const uint16_t owner = entry->owner;
  RingItem item;
  item.packet = packet.get();
  item.handle = entry->peer;
  item.raw = true;
  if (shared_.workers[owner]->ring(config_.index).push(item)) {
    packet.release();
    workers_to_wake_ |= uint64_t{1} << owner;
    ++forwarded_elsewhere_;
  } else {
    ++queue_drops_;
  }
}

void Worker::on_peer_datagram(Peer& peer, const PathAddress& path, PacketRef& packet) {
  const uint8_t first = packet->data()[0];
  counter_add(peer.counters[peer_field::kRxBytes], packet->length);
  counter_add(peer.counters[peer_field::kRxPackets], 1);
  // RFC 7983 7.
  if (first >= 128 && first <= 191) {
    if (!peer.receive) return;
    if (is_rtcp({packet->data(), packet->length})) {
      on_rtcp(peer, *packet);
    } else {
      on_rtp(peer, packet);
    }
    return;
  }
  if (first <= 3) return on_stun(peer, path, packet->data(), packet->length);
  if (first >= 20 && first <= 63) {
    if (!may_tell(peer)) return;
    const EventRing::Piece pieces[] = {
        {&peer.handle, sizeof(peer.handle)}, {&path, sizeof(path)}, {packet->data(), packet->length}};
    add_event(EventType::kDtls, pieces, 3);
    return;
  }
  ++malformed_;
}

void Worker::on_rtp(Peer& peer, PacketRef& packet) {
  const SrtpRtpResult result = peer.receive->unprotect_rtp(packet->data(), packet->length);
  if (!result.ok()) {
    const bool replay = result.error == SrtpError::kReplayed || result.error == SrtpError::kTooOld;
    counter_add(peer.counters[replay ? peer_field::kReplays : peer_field::kAuthFailures], 1);
    ++(replay ? replayed_ : unauthenticated_);
    return;
  }
  packet->length = static_cast<uint16_t>(result.size);
  auto* meta = new (packet->meta) MediaMeta;
  if (!parse_rtp({packet->data(), packet->length}, peer.extensions, meta->rtp)) {
    ++malformed_;
    return;
  }
  const ExtensionValue& transport = meta->rtp.extension(Extension::kTransportCc);
  if (transport.offset != 0 && transport.size == 2) {
    if (peer.twcc == nullptr) peer.twcc = std::make_unique<TwccRecorder>();
    peer.twcc->on_packet(load16(packet->data() + transport.offset), packet->arrival_us);
    peer.twcc_ssrc = meta->rtp.ssrc;
    if (!peer.in_twcc_list) {
      peer.in_twcc_list = true;
      twcc_peers_.push_back(&peer);
      twcc_due_us_ = std::min(twcc_due_us_, peer.twcc->due_us(now_us_));
    }
  }
  bool rtx = false;
  Source* source = find_source(peer, packet->data(), meta->rtp, &rtx);
  if (source == nullptr) return;
  if (rtx && !unwrap_rtx(peer, *source, *packet, meta->rtp)) return;
  on_media(peer, *source, packet, rtx);
}

Source* Worker::find_source(Peer& peer, const uint8_t* data, const RtpHeader& rtp, bool* rtx) {
  const auto& ssrcs = peer.ssrcs;
  // Packets come in runs of one SSRC.
  if (peer.last_ssrc < ssrcs.size() && ssrcs[peer.last_ssrc].ssrc == rtp.ssrc) {
    *rtx = ssrcs[peer.last_ssrc].rtx;
    return ssrcs[peer.last_ssrc].source;
  }
  for (size_t i = 0; i < ssrcs.size(); ++i) {
    if (ssrcs[i].ssrc == rtp.ssrc) {
      peer.last_ssrc = i;
      *rtx = ssrcs[i].rtx;
      return ssrcs[i].source;
    }
  }
  *rtx = peer.codecs.rtx_of[rtp.payload_type & 0x7f] != PeerCodecs::kNone;
  return identify(peer, data, rtp, *rtx);
}

Source* Worker::identify(Peer& peer, const uint8_t* data, const RtpHeader& rtp, bool rtx) {
  if (peer.ssrcs.size() >= kMaxSsrcs) return nullptr;
  const uint8_t payload_type = rtx ? peer.codecs.rtx_of[rtp.payload_type & 0x7f] : rtp.payload_type;
  const std::string_view mid = extension_text(data, rtp, Extension::kMid);
  Track* track = nullptr;
  if (!mid.empty()) {
    for (Track* candidate : peer.tracks) {
      if (candidate->mid == mid) track = candidate;
    }
  } else {
    // RFC 8843 9.2: by payload type, when exactly one has it.
    for (Track* candidate : peer.tracks) {
      if (!candidate->accepts(payload_type)) continue;
      if (track != nullptr) return nullptr;
      track = candidate;
    }
  }
  if (track == nullptr || !track->accepts(payload_type)) return nullptr;
  const std::string rid(extension_text(data, rtp, rtx ? Extension::kRepairedRid : Extension::kRid));
  Source* source = nullptr;
  for (auto& candidate : track->sources) {
    if (rid.empty() ? (track->sources.size() == 1 || (rtx && candidate->rtx_ssrc == 0)) : candidate->rid == rid) {
      source = candidate.get();
      break;
    }
  }
  if (rtx) {
    if (source == nullptr || source->ssrc == 0) return nullptr;
    if (source->rtx_ssrc != 0) {
      std::erase_if(peer.ssrcs, [source](const SsrcEntry& e) { return e.rtx && e.source == source; });
    }
    source->rtx_ssrc = rtp.ssrc;
    peer.ssrcs.push_back({rtp.ssrc, true, source});
    return source;
  }
  // The layer began anew with another SSRC: its numbers have nothing to do with those of before.
  if (source != nullptr && source->receiving->last_packet_us != 0) {
    // A browser does so when its track is replaced. Each time costs memory for a history, and the viewers begin anew.
    if (!peer.new_sources.take(now_us_, kNewSourcesPerSecond, kNewSourcesBurst)) return nullptr;
    if (track->forwarded == source) track->forwarded = nullptr;
    const std::string same_rid = source->rid;
    drop_source(*source);
    return &add_source(*track, rtp.ssrc, 0, same_rid);
  }
  if (source != nullptr) {
    const uint32_t rtx_ssrc = source->rtx_ssrc;
    const std::string same_rid = source->rid.empty() ? rid : source->rid;
    drop_source(*source);
    return &add_source(*track, rtp.ssrc, rtx_ssrc, same_rid);
  }
  if (track->sources.size() >= 8) return nullptr;
  return &add_source(*track, rtp.ssrc, 0, rid);
}

bool Worker::unwrap_rtx(Peer& peer, Source& source, PacketBuffer& packet, RtpHeader& rtp) {
  // RFC 4588 4: two bytes of the original sequence number before the payload. An empty one is a probe for bandwidth.
  if (rtp.payload_size < 2 || source.ssrc == 0) return false;
  const uint8_t payload_type = peer.codecs.rtx_of[rtp.payload_type & 0x7f];
  if (payload_type == PeerCodecs::kNone) return false;
  const uint16_t sequence = load16(packet.data() + rtp.header_size);
  std::memmove(packet.data() + 2, packet.data(), rtp.header_size);
  packet.offset = static_cast<uint16_t>(packet.offset + 2);
  packet.length = static_cast<uint16_t>(packet.length - 2);
  rtp.payload_size = static_cast<uint16_t>(rtp.payload_size - 2);
  rtp.sequence = sequence;
  rtp.payload_type = payload_type;
  rtp.ssrc = source.ssrc;
  return true;
}

bool Worker::choose_forwarded(Track& track, Source& source, const MediaMeta& meta) {
  if (track.forwarded == &source) return true;
  // The first layer that can be begun with; another one only after that has gone.
  const bool silent = track.forwarded == nullptr ||
                      now_us_ - track.forwarded->receiving->last_packet_us > kForwardedSilentUs;
  if (!silent) return false;
  if (track.video && !meta.begins) {
    request_key_frame(track);
    // The request goes to the layer that is alive.
    if (track.forwarded == nullptr) track.forwarded = &source;
    return track.forwarded == &source;
  }
  track.forwarded = &source;
  return true;
}

void Worker::on_media(Peer& peer, Source& source, PacketRef& packet, bool repaired) {
  MediaMeta& meta = media_meta(*packet);
  Track& track = *source.track;
  Source::Receiving& in = *source.receiving;
  const CodecEntry* codec = peer.codecs.find(meta.rtp.payload_type);
  if (codec == nullptr || !track.accepts(meta.rtp.payload_type)) return;
  if (!in.announced) {
    in.announced = true;
    if (may_tell(peer)) {
      const EventRing::Piece pieces[] = {
          {&track.handle, sizeof(track.handle)}, {&source.ssrc, 4}, {source.rid.data(), source.rid.size()}};
      add_event(EventType::kSsrc, pieces, 3);
    }
  }
  if (in.clock_rate_hz != codec->clock_rate_hz) {
    in.clock_rate_hz = codec->clock_rate_hz;
    in.clock.set_rate(codec->clock_rate_hz);
  }
  const uint64_t sequence = in.sequence.peek(meta.rtp.sequence);
  // A repair fills a gap; it never says what comes next.
  if (repaired && (!in.sequence.started() || sequence > in.sequence.highest())) return;
  if (in.taken.check(sequence) != ReplayVerdict::kFresh) return;
  in.taken.accept(sequence);
  in.sequence.unwrap(meta.rtp.sequence);
  const bool first = !in.stats.started();
  double* c = track.counters;
  if (repaired) {
    counter_add(c[track_field::kRtxReceived], 1);
  } else {
    in.stats.on_packet(sequence, meta.rtp.timestamp, codec->clock_rate_hz, packet->arrival_us);
    in.clock.on_packet(meta.rtp.timestamp, packet->arrival_us);
  }
  if (codec->nack) {
    const bool was_idle = in.nack.idle();
    in.nack.on_packet(sequence, now_us_);
    if (was_idle && !in.nack.idle() && !peer.in_nack_list) {
      peer.in_nack_list = true;
      nack_peers_.push_back(&peer);
      next_nack_us_ = std::min(next_nack_us_, now_us_ + NackTracker::kFirstAfterUs);
      if (next_nack_us_ < now_us_) next_nack_us_ = now_us_ + NackTracker::kFirstAfterUs;
    }
    if (in.nack.take_overflow() && track.video) request_key_frame(track);
  }
  if (!repaired && track.video) {
    in.burst.on_packet(meta.rtp.timestamp, packet->arrival_us, idle_us_);
    meta.more_soon = !meta.rtp.marker && in.burst.bursts();
  }
  in.last_packet_us = packet->arrival_us;
  in.ended = false;
  counter_add(c[track_field::kPackets], 1);
  counter_add(c[track_field::kBytes], meta.rtp.payload_size);
  counter_set(c[track_field::kPayloadType], meta.rtp.payload_type);
  counter_set(c[track_field::kLastPacketMs], static_cast<double>(now_us_) / 1000.0);
  counter_set(c[track_field::kJitter], in.stats.jitter());
  meta.codec = codec->codec;
  const uint8_t* payload = packet->data() + meta.rtp.header_size;
  if (track.video) {
    meta.info = inspect_payload(codec->codec, {payload, meta.rtp.payload_size});
    // Bare IDRs are a beginning where parameter sets travel in the session description.
    if (meta.info.key_frame) in.parameter_sets_seen = true;
    meta.begins = meta.info.key_frame || (meta.info.bare_key_frame && !in.parameter_sets_seen);
    if (meta.begins) {
      counter_add(c[track_field::kKeyFrames], 1);
      track.key_frame_requests.on_key_frame();
    }
  } else {
    meta.begins = true;
    const ExtensionValue& level = meta.rtp.extension(Extension::kAudioLevel);
    if (level.offset != 0 && level.size >= 1) {
      track.audio_level.on_packet(packet->data()[level.offset]);
      counter_set(c[track_field::kAudioLevel], track.audio_level.level());
    }
  }
  SlotInput& input = meta.input;
  input.sequence = sequence;
  input.timestamp = meta.rtp.timestamp;
  input.capture_us = in.clock.capture_us(meta.rtp.timestamp, peer.clock);
  input.by_report = in.clock.by_report(meta.rtp.timestamp, peer.clock);
  input.has_picture_id = meta.info.picture_id_offset != 0;
  input.picture_id = meta.info.picture_id;
  input.has_tl0 = meta.info.tl0_offset != 0;
  input.tl0 = meta.info.tl0;
  const ExtensionValue& descriptor = meta.rtp.extension(Extension::kDependencyDescriptor);
  input.has_frame_number = descriptor.offset != 0 && descriptor.size >= kDependencyMandatorySize;
  if (input.has_frame_number) {
    input.frame_number = load16(packet->data() + descriptor.offset + kDependencyFrameNumberOffset);
  }
  // A video that begins without a key frame (its beginning got lost, or we came late) is asked for one when somebody waits.
  if (first && track.video && !meta.begins && !track.slots.empty()) request_key_frame(track);
  if (!choose_forwarded(track, source, meta) || track.paused) return;
  if (track.remote_workers != 0 || !track.slots.empty()) media_pace_.on_wanted(now_us_);
  for (uint64_t bits = track.remote_workers; bits != 0; bits &= bits - 1) {
    const auto worker = static_cast<size_t>(__builtin_ctzll(bits));
    PacketRef copy(packet);
    RingItem item;
    item.packet = copy.get();
    item.handle = track.handle;
    item.source = source.key;
    if (shared_.workers[worker]->ring(config_.index).push(item)) {
      copy.release();
      // What does not wait for the rest of its frame, and ends no wait of ours, is told of at once.
      const bool at_once = track.slots.empty() && !meta.more_soon;
      (at_once ? workers_to_wake_ : workers_with_batch_) |= uint64_t{1} << worker;
      ++forwarded_elsewhere_;
    } else {
      ++queue_drops_;
    }
  }
  if (track.slots.empty()) return;
  // Only what was sent is ever repeated, so of a track that nobody gets nothing is kept, and its buffers stay warm.
  source.history.insert(sequence, packet, now_us_);
  add_to_batch(track, source, std::move(packet));
}

void Worker::add_to_batch(Track& track, Source& source, PacketRef packet) {
  if (batch_size_ == batch_.size()) fan_out();
  const auto index = static_cast<int32_t>(batch_size_++);
  BatchPacket& entry = batch_[static_cast<size_t>(index)];
  entry.packet = std::move(packet);
  entry.source = &source;
  entry.next = -1;
  entry.stream_id = track.stream_id;
  entry.block_signature = 0;
  if (track.batch_first < 0) {
    track.batch_first = index;
    batch_tracks_.push_back(&track);
  } else {
    batch_[static_cast<size_t>(track.batch_last)].next = index;
  }
  track.batch_last = index;
}

void Worker::on_tcp_frame(const PathAddress& path, const uint8_t* data, size_t size) {
  ++rx_datagrams_;
  rx_bytes_ += size;
  PacketBuffer* buffer = size <= kPacketCapacity ? pool_.acquire() : nullptr;
  if (buffer == nullptr) {
    ++malformed_;
    return;
  }
  PacketRef packet(buffer);
  std::memcpy(buffer->data(), data, size);
  buffer->length = static_cast<uint16_t>(size);
  buffer->arrival_us = now_us_;
  PathAddress named = path;
  named.worker = config_.index;
  on_datagram(packet, named, paths_.find(named));
}

void Worker::on_tcp_closed(const PathAddress& path) {
  PathAddress named = path;
  named.worker = config_.index;
  const PathEntry* entry = paths_.find(named);
  if (entry == nullptr) return;
  Command command;
  command.type = CommandType::kPathClosed;
  command.handle = entry->peer;
  command.path = named;
  const uint16_t owner = entry->owner;
  paths_.erase(named);
  // To ourselves too: commands are never applied in the middle of a batch.
  shared_.workers[owner]->post(std::move(command));
}

}  // namespace parley
