// What a worker keeps per peer, track and slot. All of it belongs to one worker; nothing here is locked.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "parley/crypto/replay_window.h"
#include "parley/crypto/srtp.h"
#include "parley/engine/commands.h"
#include "parley/engine/counters.h"
#include "parley/engine/handle.h"
#include "parley/engine/media_packet.h"
#include "parley/engine/packet_history.h"
#include "parley/engine/rate_budget.h"
#include "parley/media/audio_level.h"
#include "parley/media/burst_watch.h"
#include "parley/media/clock_map.h"
#include "parley/media/key_frame_requests.h"
#include "parley/media/nack_tracker.h"
#include "parley/media/pacing_queue.h"
#include "parley/media/receive_stats.h"
#include "parley/media/sequence.h"
#include "parley/media/slot_rewriter.h"
#include "parley/media/twcc_recorder.h"
#include "parley/media/twcc_sender.h"
#include "parley/wire/prefetch.h"
#include "parley/wire/stun.h"

namespace parley {

// What a worker touches of so many peers stays in its core's cache; asking for it ahead would cost more than it saves.
inline constexpr size_t kNearPeers = 64;

struct Peer;
struct Track;
struct Slot;

struct IceCredentials {
  std::string local_ufrag;
  std::string remote_ufrag;
  StunKey key;  // of the local password
};

// Codecs by payload type; shared by all packets of a peer, so one look-up each.
struct PeerCodecs {
  static constexpr uint8_t kNone = 0xff;
  std::array<uint8_t, 128> index{};   // into entries, kNone
  std::array<uint8_t, 128> rtx_of{};  // payload type it repairs, kNone
  std::vector<CodecEntry> entries;

  PeerCodecs() {
    index.fill(kNone);
    rtx_of.fill(kNone);
  }
  const CodecEntry* find(uint8_t payload_type) const {
    const uint8_t i = index[payload_type & 0x7f];
    return i == kNone ? nullptr : &entries[i];
  }
};

// One SSRC of a track (a simulcast layer has one each). On other workers than the publisher's only the history is used.
struct Source {
  uint32_t key = 0;  // names it in slots' epochs; never used again in this worker
  uint32_t ssrc = 0;
  uint32_t rtx_ssrc = 0;
  std::string rid;
  Track* track = nullptr;
  PacketHistory history;

  // Publisher's side only.
  struct Receiving {
    SequenceUnwrapper sequence;
    // Each number is taken once, whether first hand or repaired: two packets with one number would go out with one SRTP index,
    // which with GCM gives the key of the tag away (RFC 7714 8.4). What is older than the window is not taken at all.
    ReplayWindow<16> taken;
    SequenceUnwrapper rtx_sequence;
    NackTracker nack;
    ReceiveStats stats;
    TrackClock clock;
    uint32_t clock_rate_hz = 0;
    bool parameter_sets_seen = false;
    bool ended = false;
    bool announced = false;
    int64_t last_packet_us = 0;
    BurstWatch burst;
    uint8_t fir_sequence = 0;
  };
  std::unique_ptr<Receiving> receiving;
};

// One more number into a signature, which tells extension blocks apart.
inline uint64_t sign(uint64_t signature, uint64_t number) { return (signature ^ number) * 0x9fb21c651e98df25ULL; }

struct BatchPacket {
  PacketRef packet;
  Source* source = nullptr;
  int32_t next = -1;  // further packet of the same track in this batch
  uint32_t stream_id = 0;
  // The extension block as written for the last subscriber, taken over by the next one with the same ids.
  uint64_t block_signature = 0;
  uint16_t block_size = 0;
  uint8_t mid_offset = 0;  // of the values in the block, 0: not there
  uint8_t twcc_offset = 0;
  uint8_t time_offset = 0;
  uint8_t descriptor_offset = 0;
  uint8_t block[256];
};

// A track on its publisher's worker, or its replica on a worker with subscribers.
struct Track {
  Handle handle = 0;
  Peer* peer = nullptr;  // null: replica
  uint16_t home = 0;
  bool video = false;
  bool paused = false;
  bool ready = false;  // a replica knows its kind
  uint32_t stream_id = 0;
  std::string mid;
  std::array<uint64_t, 2> payload_types{};  // bits
  std::vector<std::unique_ptr<Source>> sources;
  Source* forwarded = nullptr;
  std::vector<Slot*> slots;  // bound or still sending
  int64_t left_us = 0;       // when the last of them went; 0: its histories are empty
  KeyFrameRequests key_frame_requests;
  AudioLevel audio_level;
  double* counters = nullptr;
  uint64_t remote_workers = 0;  // bits; publisher's side
  // Packets of the current batch, as a chain.
  int32_t batch_first = -1;
  int32_t batch_last = -1;
  bool in_key_frame_list = false;
  bool closing = false;

  bool accepts(uint8_t payload_type) const {
    return (payload_types[(payload_type >> 6) & 1] >> (payload_type & 63)) & 1;
  }
};

struct SsrcEntry {
  uint32_t ssrc = 0;
  bool rtx = false;
  Source* source = nullptr;
};

// What a plain repetition needs to look as at first (with GCM anything else would give the key of the tag away).
struct SentExtras {
  uint16_t sequence = 0;
  uint16_t transport_sequence = 0;
  uint32_t time_and_padding = 0;
  // A bind or new codecs may have changed how the header would look now.
  uint32_t signature = 0;
  uint8_t payload_type = 0;
  bool valid = false;
};

// What a pass over many subscribers needs of each lies together, at the beginning.
struct alignas(kCacheLine) Slot {
  Peer* peer = nullptr;
  double* counters = nullptr;
  Track* wanted = nullptr;   // bound
  Track* current = nullptr;  // sending; differs from `wanted` until that one's key frame
  Source* source = nullptr;  // of `current`
  uint64_t signature = 0;    // of the extension ids and the mid's length
  uint64_t sent_end = 0;     // behind the highest index that was encrypted
  uint32_t ssrc = 0;
  bool video = false;
  // The last of `payload_types` that was looked for.
  PayloadTypeMap mapped{kNoPayloadType, kNoPayloadType};
  uint8_t last_payload_type = 0;

  std::unique_ptr<std::array<SentExtras, 256>> sent;
  uint32_t packets = 0;
  uint32_t bytes = 0;
  std::string mid;
  SlotRewriter rewriter;

  Handle handle = 0;
  uint32_t rtx_ssrc = 0;
  uint32_t clock_rate_hz = 90'000;
  uint64_t rtx_index = 0;
  std::vector<PayloadTypeMap> payload_types;
  std::vector<PayloadTypeMap> old_payload_types;  // of `current` while it differs
  // Retransmission budget: a NACK flood must not become a flood of ours.
  int64_t budget_at_us = 0;
  int32_t budget = 0;

  static constexpr uint8_t kNoPayloadType = 0xff;
  // Ahead of a pass: first what everything else hangs on, then the rest.
  void expect() const { prefetch(this, 3 * kCacheLine); }
  void expect_numbers() const {
    prefetch(counters);
    rewriter.expect();
  }
};

// A packet that waits for its turn. Its number is given out already; it is encrypted when it leaves.
struct PacedPacket {
  PacketRef packet;
  Slot* slot = nullptr;
  uint64_t index = 0;
  uint32_t timestamp = 0;
  uint32_t stream_id = 0;
  uint16_t picture_id_delta = 0;
  uint16_t frame_number_delta = 0;
  uint8_t tl0_delta = 0;
  uint8_t payload_type = 0;
};
struct PacedRepair {
  Slot* slot = nullptr;
  uint16_t sequence = 0;
};

// What of the batch is for a peer. One camera with its sound lies in the object; it takes more in a meeting.
class WorkList {
 public:
  struct Work {
    Slot* slot = nullptr;
    Track* track = nullptr;
  };

  void push(Slot* slot, Track* track) {
    if (count_ < first_.size()) {
      first_[count_] = {slot, track};
    } else {
      more_.push_back({slot, track});
    }
    ++count_;
  }
  void clear() {
    more_.clear();
    count_ = 0;
  }
  void remove(const Slot* slot) {
    const WorkList before = std::move(*this);
    *this = WorkList();
    for (size_t i = 0; i < before.size(); ++i) {
      if (before[i].slot != slot) push(before[i].slot, before[i].track);
    }
  }
  size_t size() const { return count_; }
  const Work& operator[](size_t i) const { return i < first_.size() ? first_[i] : more_[i - first_.size()]; }

 private:
  size_t count_ = 0;
  std::array<Work, 2> first_;
  std::vector<Work> more_;
};

struct alignas(kCacheLine) Peer {
  static constexpr size_t kMaxPaths = 8;

  // What each pass needs, then what each datagram needs.
  Handle handle = 0;
  double* counters = nullptr;
  std::optional<SrtpSendContext> send;
  // What was sent under transport-wide numbers; there from the first slot that starts.
  std::unique_ptr<TwccSender> twcc_sent;
  int selected = -1;
  uint16_t transport_sequence = 0;
  bool two_byte_extensions = false;
  bool dirty = false;  // has work
  bool sent_media = false;    // since the last turn of its reports
  bool owed_reports = false;  // they leave with its next media
  bool in_twcc_list = false;
  bool in_nack_list = false;
  bool in_pacing_list = false;

  WorkList work;  // scratch of a pass
  std::vector<PathAddress> paths;
  PacingQueue<PacedPacket, PacedRepair> pacing;

  std::optional<SrtpReceiveContext> receive;
  std::vector<SsrcEntry> ssrcs;
  size_t last_ssrc = 0;
  std::unique_ptr<TwccRecorder> twcc;
  uint32_t twcc_ssrc = 0;
  std::vector<Slot*> slots;
  std::vector<Track*> tracks;
  int64_t rtt_us = 0;

  PublisherClock clock;
  PeerCodecs codecs;
  ExtensionMap extensions;
  uint64_t extension_signature = 0;
  int64_t longest_wait_us = 0;
  IceCredentials ice;
  std::unique_ptr<IceCredentials> previous_ice;
  // Next packet index of SSRCs whose slots were closed.
  std::vector<std::pair<uint32_t, uint64_t>> used_indices;

  // What may be told of it (Worker::may_tell), and how often it may begin a stream anew.
  RateBudget events;
  RateBudget new_sources;

  // Ahead of its next datagram, in three steps: what lies in the object, what that points to, and what hangs on that.
  void expect_datagram() const {
    prefetch(this);
    prefetch(&receive, 3 * kCacheLine);
  }
  void expect_contexts(bool rtcp) const {
    prefetch(counters, 2 * kCacheLine);
    if (receive) rtcp ? receive->expect_rtcp() : receive->expect_rtp();
    if (!rtcp) prefetch(ssrcs.data());
    if (!rtcp) prefetch(twcc.get(), 2 * kCacheLine);
    if (rtcp && twcc_sent != nullptr) twcc_sent->expect();
  }
  void expect_streams(bool rtcp) const {
    if (rtcp && twcc_sent != nullptr) twcc_sent->expect_report();
    if (!rtcp && last_ssrc < ssrcs.size()) prefetch(ssrcs[last_ssrc].source, sizeof(Source));
  }
  // Ahead of a pass over many, in three steps.
  void expect_pass() const { prefetch(this, 4 * kCacheLine); }
  void expect_slots() const {
    prefetch(counters);
    prefetch(selected_path(), sizeof(PathAddress));
    for (size_t i = 0; i < work.size(); ++i) work[i].slot->expect();
    if (send) send->expect_rtp();
    if (twcc_sent != nullptr) twcc_sent->expect_sent(transport_sequence);
  }
  void expect_numbers() const {
    for (size_t i = 0; i < work.size(); ++i) work[i].slot->expect_numbers();
  }

  const PathAddress* selected_path() const { return selected < 0 ? nullptr : &paths[static_cast<size_t>(selected)]; }
};

}  // namespace parley
