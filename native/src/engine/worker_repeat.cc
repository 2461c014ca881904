// Sending again what a subscriber has missed: over RTX (RFC 4588), or the same packet once more.
#include "engine/out_packet.h"

namespace parley {
namespace {

// 1,000 repetitions a second are half of a 10 Mb/s stream: more loss than that is not cured by repeating.
constexpr int32_t kRepeatsPerSecond = 1'000;
constexpr int32_t kRepeatsBurst = 300;

}  // namespace

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
  // RFC 4588 4: the original sequence number in front of the payload, whose running numbers are those of the first sending.
  const BatchPacket& in = *out.in;
  Slot& slot = *out.slot;
  OutPacket copy = out;
  copy.payload_type = payload_type;
  const size_t header = write_header(peer, copy, to, 0);
  const uint64_t index = slot.rtx_index++;
  store16(to + 2, static_cast<uint16_t>(index));
  store32(to + 8, slot.rtx_ssrc);
  uint8_t original[2];
  store16(original, static_cast<uint16_t>(out.index));
  uint8_t patched[kPatchRoom];
  std::span<const uint8_t> pieces[3] = {original};
  const size_t count = 1 + payload_pieces(out, patched, pieces + 1);
  const SrtpResult result = peer.send->protect_rtp(to, header, capacity, {pieces, count}, index);
  if (in.twcc_offset != 0 && peer.twcc_sent != nullptr) {
    peer.twcc_sent->on_sent(static_cast<uint16_t>(peer.transport_sequence - 1), result.size, send_us_);
  }
  return result.ok() ? result.size : 0;
}

}  // namespace parley
