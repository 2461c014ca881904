// RTCP: reports both ways, NACK, key frame requests, transport-wide feedback.
#include <algorithm>
#include <cstring>

#include "parley/engine/worker.h"
#include "parley/wire/rtcp.h"

namespace parley {
namespace {

// We send no media of our own, so our reports and requests carry a number nobody else uses.
constexpr uint32_t kOurSsrc = 1;
constexpr std::string_view kCname = "parley";
// Under an MTU with the SRTCP trailer.
constexpr size_t kMaxCompound = 1150;
constexpr size_t kCapacity = 1400;
// Of so many slots reports are carried by media: they fit into a segment.
constexpr size_t kCarriedSlots = 4;
// Far enough, and something may still be added to it.
constexpr int64_t kNeverUs = INT64_MAX / 2;

}  // namespace

void Worker::on_rtcp(Peer& peer, PacketBuffer& packet) {
  const SrtpResult result = peer.receive->unprotect_rtcp(packet.data(), packet.length);
  if (!result.ok()) {
    const bool replay = result.error == SrtpError::kReplayed || result.error == SrtpError::kTooOld;
    counter_add(peer.counters[replay ? peer_field::kReplays : peer_field::kAuthFailures], 1);
    ++(replay ? replayed_ : unauthenticated_);
    return;
  }
  RtcpIterator iterator({packet.data(), result.size});
  RtcpPacket part;
  const auto slot_of = [&peer](uint32_t ssrc) -> Slot* {
    for (Slot* slot : peer.slots) {
      if (slot->ssrc == ssrc) return slot;
    }
    return nullptr;
  };
  while (iterator.next(part)) {
    if (part.type == RtcpType::kSr || part.type == RtcpType::kRr) {
      SenderInfo info;
      if (part.type == RtcpType::kSr && read_sender_info(part, info)) on_sender_report(peer, info);
      ReportBlock block;
      for (size_t i = 0; i < part.count && read_report_block(part, i, block); ++i) on_report_block(peer, block);
    } else if (part.type == RtcpType::kBye) {
      read_byes(part, [this, &peer](uint32_t ssrc) { on_bye(peer, ssrc); });
    } else if (part.type == RtcpType::kRtpfb || part.type == RtcpType::kPsfb) {
      FeedbackHeader header;
      if (!read_feedback(part, header)) continue;
      if (part.type == RtcpType::kRtpfb && part.count == kFmtTransportCc) {
        counter_add(peer.counters[peer_field::kTwccReceived], 1);
        on_transport_feedback(peer, part);
      } else if (part.type == RtcpType::kRtpfb && part.count == kFmtNack) {
        Slot* slot = slot_of(header.media_ssrc);
        if (slot == nullptr) continue;
        counter_add(slot->counters[slot_field::kNacksReceived], 1);
        read_nacks(part, [this, &peer, slot](uint16_t sequence) { repair(peer, *slot, sequence); });
      } else if (part.type == RtcpType::kPsfb && part.count == kFmtPli) {
        if (Slot* slot = slot_of(header.media_ssrc)) on_slot_key_frame_request(*slot);
      } else if (part.type == RtcpType::kPsfb && part.count == kFmtFir) {
        read_firs(part, [this, &slot_of](uint32_t ssrc, uint8_t) {
          if (Slot* slot = slot_of(ssrc)) on_slot_key_frame_request(*slot);
        });
      }
    }
  }
  if (iterator.malformed()) ++malformed_;
}

// Reduced here to a line per burst; what goes up waits until the main thread looks, so that it is not woken for each of 20,000 reports.
void Worker::on_transport_feedback(Peer& peer, const RtcpPacket& part) {
  TwccView view;
  if (peer.twcc_sent == nullptr || !read_twcc(part, view)) return;
  TwccSummary summary;
  const size_t count = peer.twcc_sent->on_feedback(view, now_us_, groups_scratch_, summary);
  // Told before, or never sent: nothing to learn, and no way to keep the main thread busy.
  if (summary.packets + summary.lost == 0) return;
  double* c = peer.counters;
  counter_add(c[peer_field::kFeedbackPackets], summary.packets);
  counter_add(c[peer_field::kFeedbackBytes], summary.bytes);
  counter_add(c[peer_field::kFeedbackLost], summary.lost);
  const auto delay_us = static_cast<uint32_t>(std::clamp<int64_t>(summary.feedback_delay_us, 0, UINT32_MAX));
  if (delay_us > 0) counter_set(c[peer_field::kFeedbackDelayUs], delay_us);
  if (!shared_.feedback_wanted.load(std::memory_order_relaxed)) return;
  const FeedbackRecord record{delay_us,
                              handle_index(peer.handle),
                              static_cast<uint32_t>(handle_generation(peer.handle)),
                              static_cast<double>(now_us_),
                              summary.packets,
                              summary.bytes,
                              summary.lost,
                              static_cast<uint32_t>(count)};
  static_assert(sizeof(TwccGroup) == 16, "as events.h tells it");
  const EventRing::Piece pieces[] = {{&record, sizeof(record)}, {groups_scratch_.data(), count * sizeof(TwccGroup)}};
  if (!feedback_.push(pieces, 2)) ++feedback_dropped_;
}

void Worker::on_sender_report(Peer& peer, const SenderInfo& info) {
  for (const SsrcEntry& entry : peer.ssrcs) {
    if (entry.ssrc != info.ssrc || entry.rtx) continue;
    Source::Receiving& in = *entry.source->receiving;
    in.stats.on_sender_report(info.ntp, now_us_);
    in.clock.on_sender_report(info.ntp, info.rtp_timestamp);
    peer.clock.on_sender_report(ntp_to_us(info.ntp), now_us_);
    return;
  }
}

void Worker::on_report_block(Peer& peer, const ReportBlock& block) {
  for (Slot* slot : peer.slots) {
    if (slot->ssrc != block.ssrc) continue;
    counter_set(slot->counters[slot_field::kLossRatio], block.fraction_lost / 256.0);
    if (block.last_sr == 0) return;
    // RFC 3550 6.4.1: A - LSR - DLSR, in 1/65536 s.
    const auto now = static_cast<uint32_t>(us_to_ntp(now_us_ + config_.ntp_offset_us) >> 16);
    const auto round_trip = static_cast<int32_t>(now - block.last_sr - block.delay_since_last_sr);
    if (round_trip < 0 || round_trip > 10 * 65536) return;
    const int64_t sample_us = int64_t{round_trip} * 1'000'000 / 65536;
    peer.rtt_us = peer.rtt_us == 0 ? sample_us : peer.rtt_us + (sample_us - peer.rtt_us) / 8;
    counter_set(peer.counters[peer_field::kRttUs], static_cast<double>(std::max<int64_t>(peer.rtt_us, 1)));
    return;
  }
}

void Worker::on_bye(Peer& peer, uint32_t ssrc) {
  for (const SsrcEntry& entry : peer.ssrcs) {
    if (entry.ssrc != ssrc || entry.rtx) continue;
    // Said again and again it is no news.
    if (entry.source->receiving->ended) return;
    entry.source->receiving->ended = true;
    Track& track = *entry.source->track;
    for (const auto& source : track.sources) {
      if (source->receiving->last_packet_us != 0 && !source->receiving->ended) return;
    }
    if (!may_tell(peer)) return;
    const EventRing::Piece pieces[] = {{&track.handle, sizeof(track.handle)}};
    add_event(EventType::kTrackEnded, pieces, 1);
    return;
  }
}

// ---- key frames

void Worker::on_slot_key_frame_request(Slot& slot) {
  counter_add(slot.counters[slot_field::kKeyFrameRequests], 1);
  Track* track = slot.current != nullptr ? slot.current : slot.wanted;
  if (track != nullptr && slot.video) request_key_frame(*track);
}

void Worker::request_key_frame(Track& track) {
  track.key_frame_requests.request();
  if (track.in_key_frame_list) return;
  track.in_key_frame_list = true;
  key_frame_tracks_.push_back(&track);
}

void Worker::send_key_frame_requests() {
  for (size_t i = 0; i < key_frame_tracks_.size();) {
    Track& track = *key_frame_tracks_[i];
    bool done = !track.key_frame_requests.wanted();
    if (!done && track.peer == nullptr) {
      Command command;
      command.type = CommandType::kRequestKeyFrame;
      command.handle = track.handle;
      shared_.workers[track.home]->post(std::move(command));
      track.key_frame_requests.on_key_frame();
      done = true;
    }
    if (done) {
      track.in_key_frame_list = false;
      key_frame_tracks_[i] = key_frame_tracks_.back();
      key_frame_tracks_.pop_back();
      continue;
    }
    ++i;
    Source* source = track.forwarded;
    for (size_t k = 0; k < track.sources.size() && source == nullptr; ++k) {
      if (track.sources[k]->ssrc != 0) source = track.sources[k].get();
    }
    Peer& peer = *track.peer;
    if (source == nullptr || !peer.send || peer.selected < 0 || !track.key_frame_requests.due(now_us_)) continue;
    bool pli = false;
    bool fir = false;
    for (const CodecEntry& codec : peer.codecs.entries) {
      if (!track.accepts(codec.payload_type)) continue;
      pli = pli || codec.pli;
      fir = fir || codec.fir;
    }
    uint8_t packet[256];
    RtcpWriter writer({packet, 128});
    writer.receiver_report(kOurSsrc, {});
    if (pli || !fir) {
      writer.pli(kOurSsrc, source->ssrc);
    } else {
      writer.fir(kOurSsrc, source->ssrc, source->receiving->fir_sequence++);
    }
    counter_add(track.counters[track_field::kKeyFrameRequests], 1);
    send_rtcp(peer, packet, writer.size(), sizeof(packet));
  }
}

// ---- what goes to publishers

void Worker::send_nacks() {
  for (size_t i = 0; i < nack_peers_.size();) {
    Peer& peer = *nack_peers_[i];
    bool pending = false;
    uint8_t packet[kCapacity];
    RtcpWriter writer({packet, kMaxCompound});
    bool begun = false;
    for (Track* track : peer.tracks) {
      for (auto& source : track->sources) {
        Source::Receiving& in = *source->receiving;
        if (in.nack.idle()) continue;
        nack_scratch_.clear();
        in.nack.collect(now_us_, peer.rtt_us, nack_scratch_);
        pending = pending || !in.nack.idle();
        if (nack_scratch_.empty()) continue;
        if (!begun) begun = writer.receiver_report(kOurSsrc, {});
        if (writer.nack(kOurSsrc, source->ssrc, nack_scratch_)) {
          counter_add(track->counters[track_field::kNacksSent], 1);
        }
      }
    }
    if (begun) send_rtcp(peer, packet, writer.size(), sizeof(packet));
    if (pending) {
      ++i;
      continue;
    }
    peer.in_nack_list = false;
    nack_peers_[i] = nack_peers_.back();
    nack_peers_.pop_back();
  }
}

void Worker::send_transport_feedback() {
  twcc_due_us_ = kNeverUs;
  for (size_t i = 0; i < twcc_peers_.size();) {
    Peer& peer = *twcc_peers_[i];
    if (peer.twcc->due(now_us_)) {
      while (peer.twcc->take_report(now_us_, twcc_scratch_)) {
        uint8_t packet[kCapacity];
        RtcpWriter writer({packet, kCapacity - kSrtpMaxOverhead});
        writer.receiver_report(kOurSsrc, {});
        if (!writer.transport_cc(kOurSsrc, peer.twcc_ssrc, twcc_scratch_)) break;
        send_rtcp(peer, packet, writer.size(), sizeof(packet));
        counter_add(peer.counters[peer_field::kTwccSent], 1);
      }
    }
    if (peer.twcc->pending()) {
      twcc_due_us_ = std::min(twcc_due_us_, peer.twcc->due_us(now_us_));
      ++i;
      continue;
    }
    peer.in_twcc_list = false;
    twcc_peers_[i] = twcc_peers_.back();
    twcc_peers_.pop_back();
  }
}

// ---- once a second

void Worker::send_sender_report(Slot& slot) {
  uint8_t packet[256];
  RtcpWriter writer({packet, 200});
  SenderInfo info{slot.ssrc, us_to_ntp(now_us_ + config_.ntp_offset_us), slot.rewriter.rtp_time(now_us_), slot.packets,
                  slot.bytes};
  writer.sender_report(info, {});
  writer.sdes_cname(slot.ssrc, kCname);
  send_rtcp(*slot.peer, packet, writer.size(), sizeof(packet));
}

// Whoever is only sent media gets its reports behind the next of it, as the last datagram of the same message: a message more for each
// of thousands of viewers costs more than what it says. When none has gone by the next turn, they leave by themselves.
void Worker::report(Peer& peer) {
  for (Track* track : peer.tracks) {
    // Whoever was switched away may still ask for the last packets.
    if (track->slots.empty() && track->left_us != 0 && now_us_ - track->left_us > PacketHistory::kKeepUs) {
      for (auto& source : track->sources) source->history.clear();
      track->left_us = 0;
    }
    uint64_t lost = 0;
    for (auto& source : track->sources) lost += source->receiving->nack.lost();
    counter_set(track->counters[track_field::kLost], static_cast<double>(lost));
    // Silence with DTX sends nothing: the level falls by itself.
    if (!track->video && !track->sources.empty()) {
      track->audio_level.decay();
      counter_set(track->counters[track_field::kAudioLevel], track->audio_level.level());
    }
  }
  counter_set(peer.counters[peer_field::kPacingDelayUs], static_cast<double>(peer.longest_wait_us));
  peer.longest_wait_us = 0;
  if (!peer.send || peer.selected < 0) return;
  const bool with_media = peer.sent_media && !peer.owed_reports && peer.tracks.empty() && peer.slots.size() <= kCarriedSlots;
  peer.sent_media = false;
  peer.owed_reports = with_media;
  if (!with_media) send_reports(peer);
}

// Written to `packet`, unprotected, when protected they take no more than `room`; 0: they take more, or there is nothing to tell.
size_t Worker::owed_reports(Peer& peer, std::span<uint8_t> packet, size_t room) {
  RtcpWriter writer(packet);
  const uint64_t ntp = us_to_ntp(send_us_ + config_.ntp_offset_us);
  for (Slot* slot : peer.slots) {
    if (slot->source == nullptr) continue;
    const SenderInfo info{slot->ssrc, ntp, slot->rewriter.rtp_time(send_us_), slot->packets, slot->bytes};
    writer.sender_report(info, {});
    writer.sdes_cname(slot->ssrc, kCname);
  }
  return writer.size() + kSrtpMaxOverhead <= room ? writer.size() : 0;
}

void Worker::send_reports(Peer& peer) {
  uint8_t packet[kCapacity];
  RtcpWriter writer({packet, kMaxCompound});
  const uint64_t ntp = us_to_ntp(now_us_ + config_.ntp_offset_us);
  for (Slot* slot : peer.slots) {
    if (slot->source == nullptr) continue;
    if (writer.size() + 60 > kMaxCompound) {
      send_rtcp(peer, packet, writer.size(), sizeof(packet));
      writer = RtcpWriter({packet, kMaxCompound});
    }
    const SenderInfo info{slot->ssrc, ntp, slot->rewriter.rtp_time(now_us_), slot->packets, slot->bytes};
    writer.sender_report(info, {});
    writer.sdes_cname(slot->ssrc, kCname);
  }
  ReportBlock blocks[24];
  size_t count = 0;
  for (Track* track : peer.tracks) {
    for (auto& source : track->sources) {
      if (count == std::size(blocks) || !source->receiving->stats.started()) continue;
      // A layer that has been silent for long says nothing.
      if (now_us_ - source->receiving->last_packet_us > 5'000'000) continue;
      blocks[count++] = source->receiving->stats.make_block(source->ssrc, now_us_);
    }
  }
  if (count > 0) {
    if (writer.size() + 8 + count * 24 + 24 > kMaxCompound) {
      send_rtcp(peer, packet, writer.size(), sizeof(packet));
      writer = RtcpWriter({packet, kMaxCompound});
    }
    writer.receiver_report(kOurSsrc, {blocks, count});
    writer.sdes_cname(kOurSsrc, kCname);
  }
  send_rtcp(peer, packet, writer.size(), sizeof(packet));
}

}  // namespace parley
