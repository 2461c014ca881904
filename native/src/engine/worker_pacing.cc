// What a receiver's rate does not allow at once waits here and leaves in slices (docs/decisions/0009).
#include <algorithm>

#include "parley/engine/worker.h"

namespace parley {
namespace {

// One tick for everybody who waits, so that one wake-up serves all; slices of it keep runs of packets together.
constexpr int64_t kTickUs = 5'000;
// Of one receiver in one tick: a run of UDP_SEGMENT has no more.
constexpr size_t kMaxSlice = UdpSender::kMaxSegments;

}  // namespace

// Sound leaves at once and is paid for; of video what the bucket still covers, the rest waits in order.
void Worker::hold_back(Peer& peer) {
  auto& pacing = peer.pacing;
  const auto video = std::stable_partition(out_.begin(), out_.end(), [](const OutPacket& out) { return !out.slot->video; });
  for (auto it = out_.begin(); it != video; ++it) pacing.bucket.spend(it->size);
  auto kept = video;
  while (kept != out_.end() && pacing.idle() && pacing.bucket.may_send(now_us_)) pacing.bucket.spend((kept++)->size);
  for (auto it = kept; it != out_.end(); ++it) {
    PacedPacket waiting;
    waiting.packet = it->in->packet;
    waiting.slot = it->slot;
    waiting.index = it->index;
    waiting.timestamp = it->timestamp;
    waiting.stream_id = it->in->stream_id;
    waiting.picture_id_delta = it->picture_id_delta;
    waiting.frame_number_delta = it->frame_number_delta;
    waiting.tl0_delta = it->tl0_delta;
    waiting.payload_type = it->payload_type;
    pacing.push(std::move(waiting), it->slot->handle, it->size, now_us_);
  }
  counter_add(peer.counters[peer_field::kPacedPackets], static_cast<double>(out_.end() - kept));
  out_.erase(kept, out_.end());
  if (pacing.idle()) return;
  list_paced(peer);
  give_up_overflow(peer);
  counter_set(peer.counters[peer_field::kPacedBytes], static_cast<double>(pacing.queued_bytes()));
}

// A repetition that was asked for: at once, or before the video that waits.
void Worker::repair(Peer& peer, Slot& slot, uint16_t sequence) {
  if (peer.pacing.idle() && peer.pacing.bucket.may_send(now_us_)) {
    // RTCP is handled in the time of its arrival, which may be some milliseconds ago.
    note_send_time(monotonic_us());
    retransmit(peer, slot, sequence);
  } else if (peer.pacing.push_repair({&slot, sequence})) {
    list_paced(peer);
  }
}

void Worker::list_paced(Peer& peer) {
  if (peer.in_pacing_list) return;
  peer.in_pacing_list = true;
  if (paced_peers_.empty()) next_pacing_us_ = now_us_ + kTickUs;
  paced_peers_.push_back(&peer);
}

void Worker::run_pacing() {
  next_pacing_us_ = now_us_ + kTickUs;
  note_send_time(now_us_);
  for (size_t i = 0; i < paced_peers_.size();) {
    Peer& peer = *paced_peers_[i];
    // Without a path it waits, until it is too late for it.
    give_up_overflow(peer);
    if (peer.send && peer.selected >= 0) send_paced(peer);
    counter_set(peer.counters[peer_field::kPacedBytes], static_cast<double>(peer.pacing.queued_bytes()));
    if (!peer.pacing.idle()) {
      ++i;
      continue;
    }
    peer.in_pacing_list = false;
    paced_peers_[i] = paced_peers_.back();
    paced_peers_.pop_back();
  }
}

void Worker::send_paced(Peer& peer) {
  auto& pacing = peer.pacing;
  const auto may_send = [this, &pacing] { return pacing.bucket.may_send(now_us_); };
  pacing.take_repairs(may_send, [this, &peer](const PacedRepair& wanted) { retransmit(peer, *wanted.slot, wanted.sequence); });
  if (paced_batch_.empty()) paced_batch_.resize(kMaxSlice);
  out_.clear();
  while (out_.size() < kMaxSlice && pacing.has_video() && !pacing.has_repairs() && may_send()) {
    auto entry = pacing.pop();
    peer.longest_wait_us = std::max(peer.longest_wait_us, now_us_ - entry.queued_us);
    BatchPacket& in = paced_batch_[out_.size()];
    PacedPacket& waiting = entry.item;
    in.packet = std::move(waiting.packet);
    in.source = nullptr;
    in.stream_id = waiting.stream_id;
    build_block(peer, *waiting.slot, in);
    OutPacket out;
    out.in = &in;
    out.slot = waiting.slot;
    out.index = waiting.index;
    out.timestamp = waiting.timestamp;
    out.picture_id_delta = waiting.picture_id_delta;
    out.frame_number_delta = waiting.frame_number_delta;
    out.tl0_delta = waiting.tl0_delta;
    out.payload_type = waiting.payload_type;
    const size_t payload = media_meta(*in.packet).rtp.payload_size;
    out.size = static_cast<uint16_t>(kRtpFixedSize + 4 + in.block_size + payload + srtp_rtp_tag_size(peer.send->profile()));
    pacing.bucket.spend(out.size);
    out_.push_back(out);
  }
  send_out(peer);
  for (size_t i = 0; i < out_.size(); ++i) paced_batch_[i].packet.reset();
  out_.clear();
}

// More waits than is still worth showing: the slot with the most of it is given up until its next key frame. None of what is dropped was
// encrypted, so its numbers are given out again and the receiver sees no gap to complain about.
void Worker::give_up_overflow(Peer& peer) {
  while (peer.pacing.overflows(now_us_)) {
    Slot* slot = nullptr;
    const size_t dropped = peer.pacing.drop_flow(peer.pacing.largest_flow(), [&slot](const auto& entry) {
      slot = entry.item.slot;
      slot->packets -= 1;
      slot->bytes -= media_meta(*entry.item.packet).rtp.payload_size;
    });
    if (slot == nullptr) return;
    slot->rewriter.rewind(slot->sent_end);
    slot->source = nullptr;
    counter_add(peer.counters[peer_field::kPacingDrops], static_cast<double>(dropped));
    if (slot->wanted != nullptr) request_key_frame(*slot->wanted);
  }
}

// The slot goes, and so does what waits for it.
void Worker::forget_paced(Slot& slot) {
  slot.peer->pacing.drop_flow(slot.handle, [](const auto&) {});
  slot.peer->pacing.drop_repairs([&slot](const PacedRepair& wanted) { return wanted.slot == &slot; });
}

}  // namespace parley
