// The numbers of a slot: one SSRC and one clock for life, whoever is sent through it.
//
// Out time = base + clock rate x capture time in the node's clock. The offset from the publisher's timestamps is fixed when a
// track begins and then follows the true one in small steps between frames, so that players notice nothing.
// A retransmission must look as the packet did at first, so the offsets of the last stretches ("epochs") are kept.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "parley/wire/prefetch.h"

namespace parley {

// What changes between an incoming packet and the outgoing one, for a stretch of packets.
struct SlotEpoch {
  uint64_t first_out = 0;  // out index of its first packet
  int64_t sequence_delta = 0;  // out index - extended incoming sequence
  uint32_t track = 0;  // the caller's key of the track
  uint32_t timestamp_delta = 0;
  uint16_t picture_id_delta = 0;
  uint16_t frame_number_delta = 0;
  uint8_t tl0_delta = 0;
};

// What the rewriter has to know of an incoming packet.
struct SlotInput {
  uint64_t sequence = 0;  // extended
  uint32_t timestamp = 0;
  int64_t capture_us = 0;  // TrackClock::capture_us
  bool by_report = false;  // that time comes from a sender report
  bool has_picture_id = false;
  uint16_t picture_id = 0;
  bool has_tl0 = false;
  uint8_t tl0 = 0;
  bool has_frame_number = false;
  uint16_t frame_number = 0;
};

struct SlotOutput {
  uint64_t index = 0;  // roll-over counter << 16 | sequence number
  uint32_t timestamp = 0;
  const SlotEpoch* epoch = nullptr;
};

class alignas(kCacheLine) SlotRewriter {
 public:
  // `first_index` below 2^15, so that no receiver guesses a wrong roll-over counter (RFC 3711 3.3.1); or what an SSRC goes on with.
  void init(uint32_t clock_rate_hz, bool audio, uint64_t first_index, uint32_t timestamp_base);

  // The packet begins a new track (or the first): numbers go on from what was sent.
  SlotOutput begin(uint32_t track, const SlotInput& in, int64_t now_us);
  // A further packet of the current track; `output.epoch` null: from before it began, to be dropped.
  SlotOutput next(const SlotInput& in, int64_t now_us);
  // Numbers from `next_index` on were given out and never sent: they are given out again. What comes next must begin() anew.
  // `next_index` must be beyond everything that was encrypted: an index twice under one key breaks GCM (RFC 7714 8.4).
  void rewind(uint64_t next_index);
  // The epoch of a packet that was sent, by its sequence number; null when it was not or is too old.
  const SlotEpoch* find(uint16_t out_sequence, uint64_t& out_index) const;

  // Ahead of next(), some steps after the object's first line was asked for.
  void expect() const { prefetch(&epochs_[(epoch_count_ - 1) % kEpochs]); }

  bool started() const { return epoch_count_ > 0; }
  uint32_t track() const { return started() ? current().track : 0; }
  uint64_t last_index() const { return last_index_; }
  // For sender reports: the slot's RTP time of an instant.
  uint32_t rtp_time(int64_t node_us) const;

 private:
  // Steps come at most every 33 ms (video) or 100 ms (audio): this covers more than the second that NACKs reach back.
  static constexpr size_t kEpochs = 64;

  SlotEpoch& current() { return epochs_[(epoch_count_ - 1) % kEpochs]; }
  const SlotEpoch& current() const { return epochs_[(epoch_count_ - 1) % kEpochs]; }
  SlotEpoch& push(const SlotEpoch& epoch);
  void note(const SlotInput& in, const SlotOutput& out);
  uint32_t slew(const SlotInput& in, int64_t now_us) const;

  uint64_t epoch_count_ = 0;
  uint64_t last_index_ = 0;
  int64_t step_us_ = 0;
  int64_t begun_us_ = 0;
  uint32_t rate_ = 90'000;
  uint32_t base_ = 0;
  uint32_t last_timestamp_ = 0;     // highest sent
  uint32_t newest_in_timestamp_ = 0;
  uint16_t last_picture_id_ = 0;
  uint16_t last_frame_number_ = 0;
  uint8_t last_tl0_ = 0;
  bool audio_ = false;
  bool by_report_ = false;
  std::array<SlotEpoch, kEpochs> epochs_{};
};

}  // namespace parley
