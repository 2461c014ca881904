// From the batch to the subscribers: subscribers outside, packets inside, one UDP_SEGMENT message per run of sizes.
#include <algorithm>
#include <bit>
#include <cstring>

#include "engine/out_packet.h"

namespace parley {
namespace {

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
// With thousands of subscribers each one's state is in no cache when its turn comes. A pointer is followed some subscribers after what it
// lies in was asked for: each takes about as long as memory does.
constexpr size_t kAhead = 2;
// What reports that leave with media take at most.
constexpr size_t kMaxReports = 512;
void expect_slot(const std::vector<Slot*>& slots, size_t i) {
  if (slots.size() <= kNearPeers) return;
  if (i + 4 * kAhead < slots.size()) prefetch(slots[i + 4 * kAhead]);
  if (i + 2 * kAhead < slots.size()) slots[i + 2 * kAhead]->peer->expect_pass();
}
void expect_pass(const std::vector<Peer*>& peers, size_t i) {
  if (peers.size() <= kNearPeers) return;
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
  // A key frame may be the first picture of hundreds: their reports do not stand in the way of the others' packets.
  for (Slot* slot : begun_slots_) send_sender_report(*slot);
  begun_slots_.clear();
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
  begun_slots_.push_back(&slot);
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
      total += send_run(peer, path, begin, end, largest);
      begin = end;
    }
  }
  peer.sent_media = true;
  counter_add(peer.counters[peer_field::kTxPackets], static_cast<double>(out_.size()));
  counter_add(peer.counters[peer_field::kTxBytes], static_cast<double>(total));
}

// The reports that are owed, when a message with one segment more can take them: all before it are of one size then. Otherwise 0.
size_t Worker::carry_reports(Peer& peer, size_t last_size, size_t count, size_t segment, std::span<uint8_t> packet) {
  const bool room = count < UdpSender::kMaxSegments && segment * (count + 1) <= UdpSender::kMaxMessageBytes;
  return room && segment - last_size <= kMaxPadding ? owed_reports(peer, packet, segment) : 0;
}

// Returns the bytes that were handed over.
size_t Worker::send_run(Peer& peer, const PathAddress& path, size_t begin, size_t end, size_t segment) {
  UdpSender& sender = *senders_[path.socket];
  const size_t count = end - begin;
  uint8_t reports[kMaxReports];
  const bool owed = peer.owed_reports && end == out_.size() && sender.segmentation();
  const size_t reports_size = owed ? carry_reports(peer, out_[end - 1].size, count, segment, reports) : 0;
  const size_t room = segment * (count + (reports_size > 0));
  uint8_t* at = sender.reserve(room);
  size_t used = 0;
  for (size_t i = begin; i < end; ++i) {
    const bool last = i + 1 == end && reports_size == 0;
    const size_t size = protect_out(peer, out_[i], at + used, room - used, last ? 0 : segment - out_[i].size, &tags_);
    if (size == 0) {
      // Only when the cryptographic library refuses: what is there goes out, the rest of the run by itself.
      if (used > 0) sender.commit(path, used, segment);
      return used + (i + 1 < end ? send_run(peer, path, i + 1, end, segment) : 0);
    }
    used += size;
  }
  if (reports_size > 0) {
    std::memcpy(at + used, reports, reports_size);
    const SrtpResult result = peer.send->protect_rtcp(at + used, reports_size, room - used);
    if (result.ok()) used += result.size;
    counter_add(peer.counters[peer_field::kTxPackets], result.ok() ? 1 : 0);
    peer.owed_reports = false;
  }
  sender.commit(path, used, count > 1 || reports_size > 0 ? segment : 0);
  return used;
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
