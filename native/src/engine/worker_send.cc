// From the batch to the subscribers: subscribers outside, packets inside, one UDP_SEGMENT message per run of sizes.
#include <algorithm>
#include <bit>
#include <cstring>

#include "parley/engine/worker.h"
#include "parley/wire/bytes.h"

namespace parley {
namespace {

// Padding a packet by so much costs less than a message of its own (about a microsecond); Chromium's bursts differ by 1.
constexpr size_t kMaxPadding = 20;
// Room in front of the payload: fixed header, one CSRC, extension block.
constexpr size_t kHeaderRoom = kRtpFixedSize + 4 + ExtensionWriter::kMaxBlock;
constexpr size_t kMaxOut = kHeaderRoom + kPacketCapacity + kMaxPadding + kSrtpMaxOverhead;
// 1,000 repetitions a second are half of a 10 Mb/s stream: more loss than that is not cured by repeating.
constexpr int32_t kRepeatsPerSecond = 1'000;
constexpr int32_t kRepeatsBurst = 300;
// The next packet of a burst comes within the step, or the burst has a hole; all of it within two steps. A pass over the
// subscribers takes about 2 us for each, so with many of them a longer wait still ends sooner than a pass more would.
constexpr int64_t kHoldStepUs = 250;
constexpr int64_t kHoldMaxStepUs = 1'000;
constexpr int64_t kPassPerSubscriberUs = 2;
// Nobody waits for the news that a slot shows another stream: slots that are switched together are told of together.
constexpr int64_t kSlotStartedWaitUs = 50'000;
// A message saved for each of fewer subscribers is not worth a wake-up.
constexpr size_t kHoldSubscribers = 4;
constexpr size_t kHoldPackets = 48;
// Send times are read anew after so many subscribers: a pass over hundreds takes milliseconds.
constexpr size_t kSubscribersPerClock = 16;
// Bytes in which a payload descriptor's running numbers lie.
constexpr size_t kPatchRoom = 64;

// RFC 3550 5.1: the last byte counts the padding.
struct PaddingTable {
  uint8_t bytes[kMaxPadding + 1][kMaxPadding] = {};
  constexpr PaddingTable() {
    for (size_t n = 1; n <= kMaxPadding; ++n) bytes[n][n - 1] = static_cast<uint8_t>(n);
  }
};
constexpr PaddingTable kPadding;

constexpr Extension kForwarded[] = {
    Extension::kAudioLevel,       Extension::kVideoOrientation,     Extension::kPlayoutDelay, Extension::kAbsCaptureTime,
    Extension::kVideoContentType, Extension::kDependencyDescriptor, Extension::kVideoTiming,
};

int map_payload_type(const std::vector<PayloadTypeMap>& map, uint8_t from) {
  for (const PayloadTypeMap& entry : map) {
    if (entry.from == from) return entry.to;
  }
  return -1;
}

// With thousands of subscribers each one's state is in no cache when its turn comes. A pointer is followed some subscribers after what it
// lies in was asked for: each takes about as long as memory does.
constexpr size_t kAhead = 2;
void expect_slot(const std::vector<Slot*>& slots, size_t i) {
  if (i + 4 * kAhead < slots.size()) prefetch(slots[i + 4 * kAhead]);
  if (i + 2 * kAhead < slots.size()) slots[i + 2 * kAhead]->peer->expect_pass();
}
void expect_pass(const std::vector<Peer*>& peers, size_t i) {
  if (i + 3 * kAhead < peers.size()) peers[i + 3 * kAhead]->expect_pass();
  if (i + 2 * kAhead < peers.size()) peers[i + 2 * kAhead]->expect_slots();
  if (i + kAhead < peers.size()) peers[i + kAhead]->expect_numbers();
}

}  // namespace

// A frame is of use only when its last packet is there. So while all that is in the batch is frames whose rest comes any
// moment, it is held for some hundred microseconds: no frame is complete later for it, and one message per subscriber
// carries what would have been three. Audio, ends of frames and streams that come packet by packet are never held.
bool Worker::holds_batch() {
  if (batch_size_ == 0 || !precise_wait_ || batch_size_ > kHoldPackets) return false;
  size_t subscribers = 0;
  whole_at_us_ = 0;
  for (const Track* track : batch_tracks_) {
    const BatchPacket& last = batch_[static_cast<size_t>(track->batch_last)];
    if (!media_meta(*last.packet).more_soon) return false;
    const Source* source = last.source;
    if (source != nullptr && source->receiving != nullptr) whole_at_us_ = std::max(whole_at_us_, source->receiving->burst.whole_at_us());
    // The kernel spreads peers evenly over the threads, and a pass more would be one more for each of them.
    subscribers += track->slots.size() * (1 + static_cast<size_t>(std::popcount(track->remote_workers)));
  }
  if (subscribers < kHoldSubscribers) return false;
  const int64_t now_us = monotonic_us();
  if (hold_until_us_ == 0) held_since_us_ = now_us;
  // Nothing came when it should have.
  if (hold_until_us_ != 0 && batch_size_ == held_packets_ && now_us >= hold_until_us_) return false;
  held_packets_ = batch_size_;
  const int64_t pass_us = static_cast<int64_t>(subscribers) * kPassPerSubscriberUs;
  const int64_t step_us = std::clamp(pass_us, kHoldStepUs, kHoldMaxStepUs);
  hold_until_us_ = std::min(std::max(now_us + step_us, whole_at_us_), held_since_us_ + 2 * step_us);
  return now_us < hold_until_us_;
}

void Worker::fan_out() {
  hold_until_us_ = 0;
  // Before our own pass: theirs runs beside it. They get all of what was held at once, too.
  wake_workers(workers_with_batch_);
  if (batch_size_ == 0) return;
  note_send_time(now_us_);
  // The last datagram of a message may be shorter than the others: sound after a picture needs none of its own.
  std::stable_partition(batch_tracks_.begin(), batch_tracks_.end(), [](const Track* track) { return track->video; });
  for (Track* track : batch_tracks_) {
    for (size_t i = 0; i < track->slots.size(); ++i) {
      expect_slot(track->slots, i);
      Slot* slot = track->slots[i];
      Peer& peer = *slot->peer;
      if (!peer.send || peer.selected < 0) continue;
      if (!peer.dirty) {
        peer.dirty = true;
        dirty_peers_.push_back(&peer);
      }
      peer.work.push(slot, track);
    }
  }
  for (size_t i = 0; i < dirty_peers_.size(); ++i) {
    expect_pass(dirty_peers_, i);
    Peer* peer = dirty_peers_[i];
    if ((i + 1) % kSubscribersPerClock == 0) note_send_time(monotonic_us());
    flush_peer(*peer);
    peer->dirty = false;
    peer->work.clear();
  }
  dirty_peers_.clear();
  for (Track* track : batch_tracks_) track->batch_first = track->batch_last = -1;
  batch_tracks_.clear();
  for (size_t i = 0; i < batch_size_; ++i) batch_[i].packet.reset();
  batch_size_ = 0;
}

void Worker::keep_transport_numbers(Peer& peer) {
  if (peer.twcc_sent != nullptr || peer.extensions.id(Extension::kTransportCc) == 0) return;
  peer.twcc_sent = std::make_unique<TwccSender>();
}

void Worker::note_send_time(int64_t now_us) {
  // Never back: a repetition may have left since the pass began.
  send_us_ = std::max(send_us_, now_us);
  // 6.18 fixed point seconds.
  abs_send_time_ = static_cast<uint32_t>((static_cast<uint64_t>(send_us_) << 18) / 1'000'000) & 0xffffff;
}

void Worker::begin_slot(Slot& slot, Track& track, Source& source) {
  Track* before = slot.current;
  slot.current = &track;
  slot.source = &source;
  slot.report_due = true;
  keep_transport_numbers(*slot.peer);
  if (before != nullptr && before != &track) leave(slot, before);
  slot.old_payload_types.clear();
  counter_set(slot.counters[slot_field::kStreamId], track.stream_id);
  if (before != &track) {
    const EventRing::Piece pieces[] = {{&slot.handle, sizeof(slot.handle)}, {&track.handle, sizeof(track.handle)}};
    add_event(EventType::kSlotStarted, pieces, 2, kSlotStartedWaitUs);
  }
}

void Worker::collect(Peer& peer, Slot& slot, Track& track) {
  const size_t tag = srtp_rtp_tag_size(peer.send->profile());
  size_t packets = 0;
  size_t bytes = 0;
  for (int32_t i = track.batch_first; i >= 0;) {
    BatchPacket& in = batch_[static_cast<size_t>(i)];
    i = in.next;
    if (in.source == nullptr || !track.ready) continue;
    const MediaMeta& meta = media_meta(*in.packet);
    const bool goes_on = slot.source == in.source;
    if (!goes_on && (slot.wanted != &track || !meta.begins)) continue;
    const bool old = goes_on && slot.wanted != &track;
    int payload_type = slot.mapped.to;
    if (old) {
      payload_type = map_payload_type(slot.old_payload_types, meta.rtp.payload_type);
    } else if (slot.mapped.from != meta.rtp.payload_type) {
      payload_type = map_payload_type(slot.payload_types, meta.rtp.payload_type);
      if (payload_type >= 0) slot.mapped = {meta.rtp.payload_type, static_cast<uint8_t>(payload_type)};
    }
    if (payload_type < 0) continue;
    SlotOutput to;
    if (goes_on) {
      to = slot.rewriter.next(meta.input, now_us_);
    } else {
      to = slot.rewriter.begin(in.source->key, meta.input, now_us_);
      begin_slot(slot, track, *in.source);
    }
    if (to.epoch == nullptr) continue;
    if (in.block_signature != slot.signature) build_block(peer, slot, in);
    OutPacket out;
    out.in = &in;
    out.slot = &slot;
    out.index = to.index;
    out.timestamp = to.timestamp;
    out.picture_id_delta = to.epoch->picture_id_delta;
    out.frame_number_delta = to.epoch->frame_number_delta;
    out.tl0_delta = to.epoch->tl0_delta;
    out.payload_type = static_cast<uint8_t>(payload_type);
    out.size = static_cast<uint16_t>(kRtpFixedSize + 4 + in.block_size + meta.rtp.payload_size + tag);
    out_bytes_ += out.size;
    out_.push_back(out);
    slot.last_payload_type = out.payload_type;
    ++packets;
    bytes += meta.rtp.payload_size;
  }
  if (packets == 0) return;
  slot.packets += static_cast<uint32_t>(packets);
  slot.bytes += static_cast<uint32_t>(bytes);
  counter_add(slot.counters[slot_field::kPackets], static_cast<double>(packets));
  counter_add(slot.counters[slot_field::kBytes], static_cast<double>(bytes));
}

void Worker::flush_peer(Peer& peer) {
  out_.clear();
  out_bytes_ = 0;
  for (size_t i = 0; i < peer.work.size(); ++i) collect(peer, *peer.work[i].slot, *peer.work[i].track);
  if (!out_.empty()) {
    if (!peer.pacing.pass(out_bytes_, now_us_)) hold_back(peer);
    send_out(peer);
  }
  for (size_t i = 0; i < peer.work.size(); ++i) {
    if (peer.work[i].slot->report_due) send_sender_report(*peer.work[i].slot);
  }
}

// What is in out_, as few messages as its sizes allow.
void Worker::send_out(Peer& peer) {
  if (out_.empty()) return;
  const PathAddress path = *peer.selected_path();
  size_t total = 0;
  if (path.is_tcp()) {
    uint8_t packet[kMaxOut];
    for (const OutPacket& out : out_) {
      const size_t size = protect_out(peer, out, packet, sizeof(packet), 0);
      if (size == 0) continue;
      send_to(path, packet, size);
      total += size;
    }
  } else {
    const bool runs = senders_[path.socket]->segmentation();
    for (size_t begin = 0; begin < out_.size();) {
      size_t largest = out_[begin].size;
      size_t smallest = largest;
      size_t end = begin + 1;
      while (runs && end < out_.size() && end - begin < UdpSender::kMaxSegments) {
        const size_t size = out_[end].size;
        const size_t now_largest = std::max(largest, size);
        if (now_largest - smallest > kMaxPadding && size > largest) break;
        if (now_largest * (end - begin + 1) > UdpSender::kMaxMessageBytes) break;
        ++end;
        // A shorter one may be the last of a message as it is.
        if (largest > size && largest - size > kMaxPadding) break;
        largest = now_largest;
        smallest = std::min(smallest, size);
      }
      send_run(peer, path, begin, end, largest);
      total += largest * (end - begin - 1) + out_[end - 1].size;
      begin = end;
    }
  }
  counter_add(peer.counters[peer_field::kTxPackets], static_cast<double>(out_.size()));
  counter_add(peer.counters[peer_field::kTxBytes], static_cast<double>(total));
}

void Worker::send_run(Peer& peer, const PathAddress& path, size_t begin, size_t end, size_t segment) {
  UdpSender& sender = *senders_[path.socket];
  const size_t count = end - begin;
  const size_t room = segment * count;
  uint8_t* at = sender.reserve(room);
  size_t used = 0;
  for (size_t i = begin; i < end; ++i) {
    const size_t padding = i + 1 < end ? segment - out_[i].size : 0;
    const size_t size = protect_out(peer, out_[i], at + used, room - used, padding, &tags_);
    if (size == 0) {
      // Only when the cryptographic library refuses: what is there goes out, the rest of the run by itself.
      if (used > 0) sender.commit(path, used, segment);
      if (i + 1 < end) send_run(peer, path, i + 1, end, segment);
      return;
    }
    used += size;
  }
  sender.commit(path, used, count > 1 ? segment : 0);
}

void Worker::build_block(Peer& peer, Slot& slot, BatchPacket& in) {
  const MediaMeta& meta = media_meta(*in.packet);
  bool two_byte = peer.two_byte_extensions;
  for (const Extension extension : kForwarded) {
    const ExtensionValue& value = meta.rtp.extension(extension);
    if (value.offset != 0 && value.size > 16 && peer.extensions.id(extension) != 0) two_byte = true;
  }
  ExtensionWriter writer(in.block, two_byte);
  in.mid_offset = in.twcc_offset = in.time_offset = in.descriptor_offset = 0;
  const auto offset_of = [&in](const uint8_t* value) { return static_cast<uint8_t>(value - in.block); };
  if (const uint8_t id = peer.extensions.id(Extension::kTransportCc); id != 0) {
    if (uint8_t* value = writer.add(id, 2)) in.twcc_offset = offset_of(value);
  }
  if (const uint8_t id = peer.extensions.id(Extension::kAbsSendTime); id != 0) {
    if (uint8_t* value = writer.add(id, 3)) in.time_offset = offset_of(value);
  }
  if (const uint8_t id = peer.extensions.id(Extension::kMid); id != 0 && !slot.mid.empty()) {
    if (uint8_t* value = writer.add(id, slot.mid.size())) in.mid_offset = offset_of(value);
  }
  for (const Extension extension : kForwarded) {
    const ExtensionValue& value = meta.rtp.extension(extension);
    const uint8_t id = peer.extensions.id(extension);
    if (value.offset == 0 || value.size == 0 || id == 0) continue;
    uint8_t* to = writer.add(id, value.size);
    if (to == nullptr) continue;
    std::memcpy(to, in.packet->data() + value.offset, value.size);
    if (extension == Extension::kDependencyDescriptor && value.size >= kDependencyMandatorySize) {
      in.descriptor_offset = offset_of(to);
    }
  }
  in.block_size = static_cast<uint16_t>(writer.finish());
  in.block_signature = slot.signature;
}

size_t Worker::write_header(Peer& peer, const OutPacket& out, uint8_t* to, size_t padding) {
  const BatchPacket& in = *out.in;
  const MediaMeta& meta = media_meta(*in.packet);
  const Slot& slot = *out.slot;
  // One CSRC: the stream's id, by which receivers know whom they hear or see.
  to[0] = static_cast<uint8_t>(0x81 | (in.block_size > 0 ? 0x10 : 0) | (padding > 0 ? 0x20 : 0));
  to[1] = static_cast<uint8_t>((meta.rtp.marker ? 0x80 : 0) | out.payload_type);
  store16(to + 2, static_cast<uint16_t>(out.index));
  store32(to + 4, out.timestamp);
  store32(to + 8, slot.ssrc);
  store32(to + 12, in.stream_id);
  uint8_t* block = to + 16;
  std::memcpy(block, in.block, in.block_size);
  if (in.twcc_offset != 0) store16(block + in.twcc_offset, peer.transport_sequence++);
  if (in.time_offset != 0) store24(block + in.time_offset, abs_send_time_);
  if (in.mid_offset != 0) std::memcpy(block + in.mid_offset, slot.mid.data(), slot.mid.size());
  if (in.descriptor_offset != 0 && out.frame_number_delta != 0) {
    store16(block + in.descriptor_offset + kDependencyFrameNumberOffset,
            static_cast<uint16_t>(meta.input.frame_number + out.frame_number_delta));
  }
  return 16 + in.block_size;
}

size_t Worker::protect_out(Peer& peer, const OutPacket& out, uint8_t* to, size_t capacity, size_t padding,
                           SrtpTagBatch* batch) {
  const BatchPacket& in = *out.in;
  const MediaMeta& meta = media_meta(*in.packet);
  const size_t header = write_header(peer, out, to, padding);
  const uint8_t* payload = in.packet->data() + meta.rtp.header_size;
  size_t payload_size = meta.rtp.payload_size;
  std::span<const uint8_t> pieces[3];
  size_t count = 0;
  uint8_t patched[kPatchRoom];
  if (out.picture_id_delta != 0 || out.tl0_delta != 0) {
    const PayloadInfo& info = meta.info;
    const size_t prefix = std::min<size_t>(std::max<size_t>(info.picture_id_offset + 2u, info.tl0_offset + 1u), payload_size);
    if (prefix <= kPatchRoom) {
      std::memcpy(patched, payload, prefix);
      if (info.picture_id_offset != 0) {
        const auto id = static_cast<uint16_t>(info.picture_id + out.picture_id_delta);
        if (info.picture_id_long) {
          store16(patched + info.picture_id_offset, static_cast<uint16_t>(0x8000 | (id & 0x7fff)));
        } else {
          patched[info.picture_id_offset] = static_cast<uint8_t>(id & 0x7f);
        }
      }
      if (info.tl0_offset != 0) patched[info.tl0_offset] = static_cast<uint8_t>(info.tl0 + out.tl0_delta);
      pieces[count++] = {patched, prefix};
      payload += prefix;
      payload_size -= prefix;
    }
  }
  pieces[count++] = {payload, payload_size};
  if (padding > 0) pieces[count++] = {kPadding.bytes[padding], padding};
  if (out.slot->sent != nullptr) {
    SentExtras& sent = (*out.slot->sent)[out.index & 0xff];
    sent.sequence = static_cast<uint16_t>(out.index);
    sent.transport_sequence = static_cast<uint16_t>(peer.transport_sequence - 1);
    sent.time_and_padding = abs_send_time_ << 8 | static_cast<uint32_t>(padding);
    sent.signature = static_cast<uint32_t>(out.slot->signature);
    sent.payload_type = out.payload_type;
    sent.valid = true;
  }
  if (out.index >= out.slot->sent_end) out.slot->sent_end = out.index + 1;
  const SrtpResult result = peer.send->protect_rtp(to, header, capacity, {pieces, count}, out.index, batch);
  if (in.twcc_offset != 0 && peer.twcc_sent != nullptr) {
    peer.twcc_sent->on_sent(static_cast<uint16_t>(peer.transport_sequence - 1), result.size, send_us_);
  }
  return result.ok() ? result.size : 0;
}

void Worker::retransmit(Peer& peer, Slot& slot, uint16_t sequence) {
  uint64_t index = 0;
  const SlotEpoch* epoch = slot.rewriter.find(sequence, index);
  // What still waits for its turn comes by itself.
  if (epoch == nullptr || peer.selected < 0 || index >= slot.sent_end) return;
  const auto found = sources_.find(epoch->track);
  if (found == sources_.end()) return;
  Source& source = *found->second;
  PacketBuffer* buffer = source.history.get(static_cast<uint64_t>(static_cast<int64_t>(index) - epoch->sequence_delta));
  if (buffer == nullptr) return;
  if (now_us_ - slot.budget_at_us > 10'000) {
    const int64_t more = std::min<int64_t>((now_us_ - slot.budget_at_us) * kRepeatsPerSecond / 1'000'000, kRepeatsBurst);
    slot.budget = static_cast<int32_t>(std::min<int64_t>(slot.budget + more, kRepeatsBurst));
    slot.budget_at_us = now_us_;
  }
  if (slot.budget <= 0) return;
  const MediaMeta& meta = media_meta(*buffer);
  int payload_type = map_payload_type(slot.payload_types, meta.rtp.payload_type);
  if (payload_type < 0) payload_type = map_payload_type(slot.old_payload_types, meta.rtp.payload_type);
  if (payload_type < 0) return;

  BatchPacket in;
  buffer->references.fetch_add(1, std::memory_order_relaxed);
  in.packet = PacketRef(buffer);
  in.source = &source;
  in.stream_id = source.track->stream_id;
  build_block(peer, slot, in);
  OutPacket out;
  out.in = &in;
  out.slot = &slot;
  out.index = index;
  out.timestamp = meta.rtp.timestamp + epoch->timestamp_delta;
  out.picture_id_delta = epoch->picture_id_delta;
  out.frame_number_delta = epoch->frame_number_delta;
  out.tl0_delta = epoch->tl0_delta;
  out.payload_type = static_cast<uint8_t>(payload_type);

  uint8_t packet[kMaxOut + 2];
  const CodecEntry* codec = peer.codecs.find(static_cast<uint8_t>(payload_type));
  const bool rtx = slot.rtx_ssrc != 0 && codec != nullptr && codec->rtx_payload_type != 0;
  size_t size = 0;
  if (rtx) {
    size = protect_rtx(peer, out, packet, sizeof(packet), codec->rtx_payload_type);
  } else {
    // Byte for byte as it was sent at first, or not at all.
    if (slot.sent == nullptr) return;
    const SentExtras sent = (*slot.sent)[index & 0xff];
    if (!sent.valid || sent.sequence != sequence) return;
    if (sent.signature != static_cast<uint32_t>(slot.signature) || sent.payload_type != out.payload_type) return;
    const uint16_t next_transport = peer.transport_sequence;
    const uint32_t time = abs_send_time_;
    peer.transport_sequence = sent.transport_sequence;
    abs_send_time_ = sent.time_and_padding >> 8;
    size = protect_out(peer, out, packet, sizeof(packet), sent.time_and_padding & 0xff);
    (*slot.sent)[index & 0xff] = sent;
    peer.transport_sequence = next_transport;
    abs_send_time_ = time;
    if (peer.twcc_sent != nullptr) peer.twcc_sent->forget(sent.transport_sequence);
  }
  if (size == 0) return;
  --slot.budget;
  peer.pacing.bucket.spend(size);
  counter_add(slot.counters[slot_field::kRtxSent], 1);
  send_protected(peer, packet, size);
}

size_t Worker::protect_rtx(Peer& peer, const OutPacket& out, uint8_t* to, size_t capacity, uint8_t payload_type) {
  // RFC 4588 4: the original sequence number in front of the payload. The payload is put together first, as the running numbers
  // in its descriptor must be those of the first sending.
  const BatchPacket& in = *out.in;
  const MediaMeta& meta = media_meta(*in.packet);
  Slot& slot = *out.slot;
  OutPacket copy = out;
  copy.payload_type = payload_type;
  const size_t header = write_header(peer, copy, to, 0);
  const uint64_t index = slot.rtx_index++;
  store16(to + 2, static_cast<uint16_t>(index));
  store32(to + 8, slot.rtx_ssrc);
  uint8_t payload[2 + kPacketCapacity];
  store16(payload, static_cast<uint16_t>(out.index));
  std::memcpy(payload + 2, in.packet->data() + meta.rtp.header_size, meta.rtp.payload_size);
  const PayloadInfo& info = meta.info;
  if (info.picture_id_offset != 0 && info.picture_id_offset + 2u <= meta.rtp.payload_size) {
    const auto id = static_cast<uint16_t>(info.picture_id + out.picture_id_delta);
    if (info.picture_id_long) {
      store16(payload + 2 + info.picture_id_offset, static_cast<uint16_t>(0x8000 | (id & 0x7fff)));
    } else {
      payload[2 + info.picture_id_offset] = static_cast<uint8_t>(id & 0x7f);
    }
  }
  if (info.tl0_offset != 0 && info.tl0_offset < meta.rtp.payload_size) {
    payload[2 + info.tl0_offset] = static_cast<uint8_t>(info.tl0 + out.tl0_delta);
  }
  const SrtpResult result =
      peer.send->protect_rtp(to, header, capacity, std::span<const uint8_t>(payload, 2u + meta.rtp.payload_size), index);
  if (in.twcc_offset != 0 && peer.twcc_sent != nullptr) {
    peer.twcc_sent->on_sent(static_cast<uint16_t>(peer.transport_sequence - 1), result.size, send_us_);
  }
  return result.ok() ? result.size : 0;
}

void Worker::send_protected(Peer& peer, const uint8_t* data, size_t size) {
  const PathAddress* path = peer.selected_path();
  if (path == nullptr) return;
  send_to(*path, data, size);
  counter_add(peer.counters[peer_field::kTxPackets], 1);
  counter_add(peer.counters[peer_field::kTxBytes], static_cast<double>(size));
}

void Worker::send_rtcp(Peer& peer, uint8_t* packet, size_t size, size_t capacity) {
  if (size == 0 || !peer.send || peer.selected < 0) return;
  const SrtpResult result = peer.send->protect_rtcp(packet, size, capacity);
  if (result.ok()) send_protected(peer, packet, result.size);
}

}  // namespace parley
