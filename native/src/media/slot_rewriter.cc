#include "parley/media/slot_rewriter.h"

#include <algorithm>

namespace parley {
namespace {

// A video frame may come up to 5 ms sooner or later than its neighbours say; nobody sees it.
constexpr int64_t kVideoStepUs = 5'000;
// 1 ms in 100 ms: NetEQ stretches or shrinks by that without a sound.
constexpr int64_t kAudioStepUs = 1'000;
constexpr int64_t kAudioStepEveryUs = 100'000;
// Below this the sum of clock drift and jitter of the reports is noise.
constexpr int64_t kDeadBandUs = 2'000;
// In its first two seconds a stream may jump: forward when a report tells that its packets came early, and hold its time until the truth has
// caught up when its first packets were old (a publisher sends at once what it queued before its path was there). At 1 ms in 100 ms sound
// would be parted from the picture for a minute.
constexpr int64_t kFreshUs = 2'000'000;
constexpr int64_t kJumpFromUs = 20'000;
// Without a report it takes more: arrival is known no better.
constexpr int64_t kArrivalJumpFromUs = 30'000;

bool newer(uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b) > 0; }
bool newer15(uint16_t a, uint16_t b) { return ((a - b) & 0x7fff) != 0 && ((a - b) & 0x7fff) < 0x4000; }
bool newer16(uint16_t a, uint16_t b) { return static_cast<int16_t>(static_cast<uint16_t>(a - b)) > 0; }

}  // namespace

void SlotRewriter::init(uint32_t clock_rate_hz, bool audio, uint64_t first_index, uint32_t timestamp_base) {
  rate_ = clock_rate_hz == 0 ? 90'000 : clock_rate_hz;
  audio_ = audio;
  last_index_ = std::max<uint64_t>(first_index, 1) - 1;
  base_ = timestamp_base;
}

uint32_t SlotRewriter::rtp_time(int64_t node_us) const {
  // In two parts, or a node that runs for years would overflow.
  const int64_t seconds = node_us / 1'000'000;
  const int64_t rest = node_us % 1'000'000;
  return base_ + static_cast<uint32_t>(seconds * rate_ + rest * rate_ / 1'000'000);
}

SlotEpoch& SlotRewriter::push(const SlotEpoch& epoch) {
  epochs_[epoch_count_ % kEpochs] = epoch;
  ++epoch_count_;
  return current();
}

SlotOutput SlotRewriter::begin(uint32_t track, const SlotInput& in, int64_t now_us) {
  const bool first = !started();
  SlotEpoch epoch;
  epoch.track = track;
  epoch.first_out = last_index_ + 1;
  epoch.sequence_delta = static_cast<int64_t>(epoch.first_out) - static_cast<int64_t>(in.sequence);
  uint32_t out = rtp_time(in.capture_us);
  // The new publisher's picture may be older than the last one of the old; time never goes back. 1 ms is the least step.
  if (!first && !newer(out, last_timestamp_)) out = last_timestamp_ + rate_ / 1000;
  epoch.timestamp_delta = out - in.timestamp;
  if (!first) {
    if (in.has_picture_id) epoch.picture_id_delta = static_cast<uint16_t>(last_picture_id_ + 1 - in.picture_id);
    if (in.has_tl0) epoch.tl0_delta = static_cast<uint8_t>(last_tl0_ + 1 - in.tl0);
    if (in.has_frame_number) epoch.frame_number_delta = static_cast<uint16_t>(last_frame_number_ + 1 - in.frame_number);
  }
  begun_us_ = now_us;
  step_us_ = now_us;
  by_report_ = in.by_report;
  newest_in_timestamp_ = in.timestamp;
  SlotEpoch& now = push(epoch);
  const SlotOutput output{epoch.first_out, out, &now};
  last_timestamp_ = out;
  last_index_ = output.index;
  last_picture_id_ = static_cast<uint16_t>(in.picture_id + now.picture_id_delta) & 0x7fff;
  last_frame_number_ = static_cast<uint16_t>(in.frame_number + now.frame_number_delta);
  last_tl0_ = static_cast<uint8_t>(in.tl0 + now.tl0_delta);
  return output;
}

void SlotRewriter::rewind(uint64_t next_index) {
  if (next_index == 0 || next_index > last_index_) return;
  last_index_ = next_index - 1;
  // What is taken off here is overwritten before anything older; until then its numbers are beyond those find() looks for.
  for (size_t i = 0; i < kEpochs && epoch_count_ > 0 && current().first_out >= next_index; ++i) --epoch_count_;
}

// The timestamp delta for a frame that begins now.
uint32_t SlotRewriter::slew(const SlotInput& in, int64_t now_us) const {
  const uint32_t delta = current().timestamp_delta;
  const auto error_ticks = static_cast<int32_t>(rtp_time(in.capture_us) - (in.timestamp + delta));
  const int64_t error_us = int64_t{error_ticks} * 1'000'000 / rate_;
  if (now_us - begun_us_ < kFreshUs) {
    const bool first_report = in.by_report && !by_report_;
    if (error_us < -kArrivalJumpFromUs || error_us > (first_report ? kJumpFromUs : kArrivalJumpFromUs)) {
      // RTP time never goes back, nor do two frames share one: 1 ms is the least step.
      const uint32_t least = last_timestamp_ + rate_ / 1000;
      const uint32_t wanted = rtp_time(in.capture_us);
      return (newer(wanted, least) ? wanted : least) - in.timestamp;
    }
  }
  if (audio_ && now_us - step_us_ < kAudioStepEveryUs) return delta;
  if (error_us > -kDeadBandUs && error_us < kDeadBandUs) return delta;
  const int64_t limit = audio_ ? kAudioStepUs : kVideoStepUs;
  const int64_t step_us = std::clamp(error_us, -limit, limit);
  return delta + static_cast<uint32_t>(step_us * rate_ / 1'000'000);
}

SlotOutput SlotRewriter::next(const SlotInput& in, int64_t now_us) {
  SlotEpoch* epoch = &current();
  const int64_t index = static_cast<int64_t>(in.sequence) + epoch->sequence_delta;
  if (index > static_cast<int64_t>(last_index_)) {
    if (newer(in.timestamp, newest_in_timestamp_)) {
      // Only where the packet before has been seen is this surely the first of its frame: a late one of the same frame, or one
      // sent again, must get the same offset, and offsets are found by the outgoing number.
      if (index == static_cast<int64_t>(last_index_) + 1) {
        const uint32_t delta = slew(in, now_us);
        if (delta != epoch->timestamp_delta && newer(in.timestamp + delta, last_timestamp_)) {
          SlotEpoch changed = *epoch;
          changed.first_out = static_cast<uint64_t>(index);
          changed.timestamp_delta = delta;
          epoch = &push(changed);
          step_us_ = now_us;
        }
        by_report_ = by_report_ || in.by_report;
      }
      newest_in_timestamp_ = in.timestamp;
    }
    last_index_ = static_cast<uint64_t>(index);
  } else {
    // Out of order: with the offsets of its own stretch, or from before the track began.
    uint64_t found = 0;
    if (index < 0) return {};
    const SlotEpoch* own = find(static_cast<uint16_t>(index), found);
    if (own == nullptr || found != static_cast<uint64_t>(index) || own->sequence_delta != epoch->sequence_delta ||
        own->track != epoch->track) {
      return {};
    }
    return {found, in.timestamp + own->timestamp_delta, own};
  }
  const SlotOutput output{static_cast<uint64_t>(index), in.timestamp + epoch->timestamp_delta, epoch};
  note(in, output);
  return output;
}

void SlotRewriter::note(const SlotInput& in, const SlotOutput& out) {
  if (newer(out.timestamp, last_timestamp_)) last_timestamp_ = out.timestamp;
  if (in.has_picture_id) {
    const auto id = static_cast<uint16_t>((in.picture_id + out.epoch->picture_id_delta) & 0x7fff);
    if (newer15(id, last_picture_id_)) last_picture_id_ = id;
  }
  if (in.has_frame_number) {
    const auto number = static_cast<uint16_t>(in.frame_number + out.epoch->frame_number_delta);
    if (newer16(number, last_frame_number_)) last_frame_number_ = number;
  }
  if (in.has_tl0) {
    const auto tl0 = static_cast<uint8_t>(in.tl0 + out.epoch->tl0_delta);
    if (static_cast<int8_t>(static_cast<uint8_t>(tl0 - last_tl0_)) > 0) last_tl0_ = tl0;
  }
}

const SlotEpoch* SlotRewriter::find(uint16_t out_sequence, uint64_t& out_index) const {
  if (!started()) return nullptr;
  const auto back = static_cast<uint16_t>(static_cast<uint16_t>(last_index_) - out_sequence);
  if (back >= 0x8000 || back > last_index_) return nullptr;
  out_index = last_index_ - back;
  const uint64_t oldest = epoch_count_ > kEpochs ? epoch_count_ - kEpochs : 0;
  for (uint64_t i = epoch_count_; i > oldest; --i) {
    const SlotEpoch& epoch = epochs_[(i - 1) % kEpochs];
    if (epoch.first_out <= out_index) return &epoch;
  }
  return nullptr;
}

}  // namespace parley
