// The data plane as one object on the main thread: hands out handles, decides which worker owns a peer, and sends commands.
//
// A peer belongs to the worker that receives its first path; when its first selected path is received by another one, it moves there
// before any media: what concerns media (keys, tracks, slots) is kept here until then. Binds wait until both ends have settled.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "parley/engine/commands.h"
#include "parley/engine/counters.h"
#include "parley/engine/handle.h"
#include "parley/engine/worker.h"

namespace parley {

struct PlaneConfig {
  std::vector<std::string> bind;  // addresses
  uint16_t udp_port = 0;
  // 0 with tcp: any port.
  bool tcp = true;
  uint16_t tcp_port = 0;
  uint16_t threads = 1;
  SipKey ufrag_key{};
  Scheduling scheduling = Scheduling::kAuto;
  // False: one datagram per message, as on a kernel without UDP_SEGMENT.
  bool segmentation = true;
  size_t max_packets = 131'072;
  TcpLimits tcp_limits;
};

struct BoundEndpoint {
  bool tcp = false;
  uint8_t family = 4;
  std::string ip;
  uint16_t port = 0;
};

// All methods on one thread, except PlaneShared's.
class Plane final : public PlaneShared {
 public:
  // `wake` is called on workers' threads when there are events; it must not block.
  explicit Plane(std::function<void()> wake);
  ~Plane() override;

  // An empty string, or what failed.
  std::string start(const PlaneConfig& config);
  // Ends the threads, then frees peers and packets. Nothing below does anything afterwards.
  void stop();
  bool running() const { return running_; }

  const std::vector<BoundEndpoint>& endpoints() const { return endpoints_; }
  bool segmentation() const { return segmentation_; }

  Handle open_peer(IceData ice);
  void restart_ice(Handle peer, IceData ice);
  void retire_previous_ice(Handle peer);
  void add_path(Handle peer, const PathAddress& path);
  void select_path(Handle peer, const PathAddress& path);
  void send_to(const PathAddress& path, const uint8_t* data, size_t size);
  void set_srtp_keys(Handle peer, const DtlsSrtpKeys& keys);
  void close_peer(Handle peer);
  void set_peer_codecs(Handle peer, CodecsData codecs);
  // 0: unlimited.
  void set_pacing_rate(Handle peer, uint64_t bitrate_bps);
  Handle open_track(Handle peer, TrackData track);
  void set_track_paused(Handle track, bool paused);
  void request_key_frame(Handle track);
  void close_track(Handle track);
  Handle open_slot(Handle peer, SlotData slot);
  void bind_slot(Handle slot, Handle track, std::vector<PayloadTypeMap> payload_types);
  void close_slot(Handle slot);

  // Sends what was commanded since the last time, one wake-up per worker.
  void flush();
  // Appends the events of all workers: each u32 length and its bytes. Takes back handles.
  void drain_events(std::vector<uint8_t>& out);
  // From now on feedback is kept for drain_feedback, or not. `wake` is never called for it.
  void want_feedback(bool wanted);
  // Copies what a worker's subscribers reported (FeedbackRecord) to `out`, which has room for kFeedbackRingBytes; returns the bytes.
  size_t drain_feedback(size_t worker, uint8_t* out);

  CounterTable& peer_counters() { return peer_counters_; }
  CounterTable& track_counters() { return track_counters_; }
  CounterTable& slot_counters() { return slot_counters_; }
  double* own_counters() { return own_counters_.get(); }
  const std::shared_ptr<double[]>& own_counters_block() const { return own_counters_; }

  void wake_main() override { wake_(); }

 private:
  static constexpr int kNowhere = -1;

  struct PeerRecord {
    uint64_t generation = 1;
    bool open = false;
    int home = kNowhere;
    bool settled = false;
    IceData ice;
    std::unique_ptr<IceData> previous_ice;
    std::vector<PathAddress> paths;
    std::vector<Command> waiting;
    std::vector<Handle> tracks;
    std::vector<Handle> slots;
  };
  struct TrackRecord {
    uint64_t generation = 1;
    bool open = false;
    Handle peer = 0;
    std::vector<Handle> waiting_slots;
  };
  struct SlotRecord {
    uint64_t generation = 1;
    bool open = false;
    Handle peer = 0;
    Handle track = 0;
    std::vector<PayloadTypeMap> payload_types;
  };

  template <typename Record>
  struct Registry {
    std::vector<Record> records;
    std::vector<uint32_t> free;

    Handle open() {
      uint32_t index;
      if (free.empty()) {
        index = static_cast<uint32_t>(records.size());
        if (index >= 1u << kHandleIndexBits) return 0;
        records.emplace_back();
      } else {
        index = free.back();
        free.pop_back();
      }
      records[index].open = true;
      return make_handle(index, records[index].generation);
    }
    Record* find(Handle handle) {
      const uint32_t index = handle_index(handle);
      if (index >= records.size() || !records[index].open || records[index].generation != handle_generation(handle)) {
        return nullptr;
      }
      return &records[index];
    }
    // From now on the handle is stale; the index is used again after release().
    void close(Handle handle) { records[handle_index(handle)].open = false; }
    void release(Handle handle) {
      Record& record = records[handle_index(handle)];
      if (record.open || record.generation != handle_generation(handle)) return;
      const uint64_t next = record.generation + 1;
      record = Record();
      record.generation = next;
      // The generation never wraps: an index that was used 2^31 times is given up.
      if (next < kMaxGeneration) free.push_back(handle_index(handle));
    }
  };

  bool valid_path(const PathAddress& path) const;
  void stale();
  PeerRecord* peer_of(Handle handle);
  Command make(CommandType type, Handle handle) const;
  void to_worker(int worker, Command&& command);
  // To the peer's worker, or kept until it has settled.
  void to_media(PeerRecord& record, Command&& command);
  void make_home(Handle handle, PeerRecord& record, int worker);
  void settle(Handle handle, PeerRecord& record);
  void send_bind(Handle handle, SlotRecord& record);
  void forget_track(Handle handle, TrackRecord& record);
  void forget_slot(Handle handle, SlotRecord& record);

  const std::function<void()> wake_;
  bool running_ = false;
  bool segmentation_ = false;
  size_t sockets_ = 0;
  std::vector<BoundEndpoint> endpoints_;
  Registry<PeerRecord> peers_;
  Registry<TrackRecord> tracks_;
  Registry<SlotRecord> slots_;
  CounterTable peer_counters_{peer_field::kStride};
  CounterTable track_counters_{track_field::kStride};
  CounterTable slot_counters_{slot_field::kStride};
  std::shared_ptr<double[]> own_counters_;
  uint64_t stale_commands_ = 0;
  std::vector<std::vector<Command>> pending_;
};

}  // namespace parley
