// What the main thread (and workers among each other) tell a worker. Applied in order of arrival.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "parley/crypto/dtls.h"
#include "parley/engine/handle.h"
#include "parley/net/path_address.h"
#include "parley/wire/codecs.h"
#include "parley/wire/rtp.h"

namespace parley {

enum class CommandType : uint8_t {
  kOpenPeer,
  kRestartIce,
  kRetirePreviousIce,
  kAddPath,
  kSelectPath,
  kSendTo,
  kSetSrtpKeys,
  kClosePeer,  // flag: the peer moves to another worker, its index is not released
  kSetPeerCodecs,
  kSetPacingRate,
  kOpenTrack,
  kSetTrackPaused,
  kRequestKeyFrame,
  kCloseTrack,
  kOpenSlot,
  kBindSlot,
  kCloseSlot,
  // Between workers.
  kInstallPath,    // path -> peer `handle`, owned by `worker`
  kRemovePath,     // if it still belongs to (`handle`, `worker`)
  kPathClosed,     // a TCP connection of peer `handle` ended
  kSubscribe,      // `worker` wants the packets of track `handle`
  kUnsubscribe,
  kReplicaOpened,  // track `handle` has this kind and stream id
  kReplicaClosed,  // track `handle` is gone
};

// Whether a millisecond makes no difference: what a client sees of these comes with the next frame of a camera. Checks and handshakes wait
// for an answer, and a peer's keys and paths for its first packet.
constexpr bool can_wait(CommandType type) {
  switch (type) {
    case CommandType::kSetPacingRate:
    case CommandType::kSetTrackPaused:
    case CommandType::kRequestKeyFrame:
    case CommandType::kCloseTrack:
    case CommandType::kOpenSlot:
    case CommandType::kBindSlot:
    case CommandType::kCloseSlot: return true;
    default: return false;
  }
}

struct IceData {
  std::string local_ufrag;
  std::string local_password;
  std::string remote_ufrag;
};

struct CodecEntry {
  uint8_t payload_type = 0;
  Codec codec = Codec::kNone;
  uint32_t clock_rate_hz = 90'000;
  uint8_t rtx_payload_type = 0;
  bool nack = false;
  bool pli = false;
  bool fir = false;
  bool transport_cc = false;
};

struct ExtensionEntry {
  uint8_t id = 0;
  Extension extension = Extension::kNone;
};

struct CodecsData {
  std::vector<CodecEntry> codecs;
  std::vector<ExtensionEntry> extensions;
};

struct EncodingData {
  uint32_t ssrc = 0;
  uint32_t rtx_ssrc = 0;
  std::string rid;
};

struct TrackData {
  Handle peer = 0;
  std::string mid;
  bool video = false;
  uint32_t stream_id = 0;
  std::vector<uint8_t> payload_types;
  std::vector<EncodingData> encodings;
  int64_t key_frame_interval_us = 500'000;
  double* counters = nullptr;
};

struct SlotData {
  Handle peer = 0;
  std::string mid;
  bool video = false;
  uint32_t ssrc = 0;
  uint32_t rtx_ssrc = 0;
  uint32_t clock_rate_hz = 90'000;
  // Random beginnings (RFC 3550 5.1).
  uint16_t first_sequence = 0;
  uint16_t first_rtx_sequence = 0;
  uint32_t timestamp_base = 0;
  double* counters = nullptr;
};

struct PayloadTypeMap {
  uint8_t from = 0;
  uint8_t to = 0;
};

struct BindData {
  Handle track = 0;  // 0: nothing
  uint16_t track_worker = 0;
  std::vector<PayloadTypeMap> payload_types;
};

struct OpenPeerData {
  IceData ice;
  double* counters = nullptr;
};

struct ReplicaData {
  bool video = false;
  bool paused = false;
  uint32_t stream_id = 0;
};

struct PacingData {
  uint64_t bitrate_bps = 0;  // 0: unlimited
};

struct Command {
  CommandType type{};
  uint16_t worker = 0;
  bool flag = false;
  Handle handle = 0;
  PathAddress path;
  std::variant<std::monostate, std::vector<uint8_t>, std::unique_ptr<OpenPeerData>, std::unique_ptr<IceData>,
               std::unique_ptr<DtlsSrtpKeys>, std::unique_ptr<CodecsData>, std::unique_ptr<TrackData>,
               std::unique_ptr<SlotData>, std::unique_ptr<BindData>, ReplicaData, PacingData>
      data;
};

}  // namespace parley
