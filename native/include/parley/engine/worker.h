// One thread of the data plane with its sockets and the peers it owns. The packet path, in order:
//
//   receive_udp                                                                                           worker_read.cc
//   -> on_datagram -> (path table) -> on_peer_datagram -> on_rtp -> find_source -> on_media               worker_receive.cc
//   -> fan_out -> flush_peer -> send_out                                                                  worker_send.cc
//   -> build_block -> protect_out -> UdpSender                                                            worker_packet.cc
//
// Repetitions are in worker_repeat.cc, pacing in worker_pacing.cc, STUN in worker_stun.cc, RTCP in worker_rtcp.cc, commands in worker_commands.cc,
// the tables they write in worker_peers.cc, worker_tracks.cc and worker_slots.cc, the loop and timers in worker.cc.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "parley/engine/check_guard.h"
#include "parley/engine/commands.h"
#include "parley/engine/counters.h"
#include "parley/engine/events.h"
#include "parley/engine/handle.h"
#include "parley/engine/media_pace.h"
#include "parley/engine/parking.h"
#include "parley/engine/path_table.h"
#include "parley/engine/peer.h"
#include "parley/engine/queues.h"
#include "parley/engine/rtcp_pace.h"
#include "parley/net/packet_buffer.h"
#include "parley/net/tcp_server.h"
#include "parley/net/udp_sender.h"
#include "parley/net/udp_socket.h"
#include "parley/wire/siphash.h"

namespace parley {

enum class Scheduling : uint8_t { kAuto, kFifo, kNice, kNormal };

struct WorkerConfig {
  uint16_t index = 0;
  uint16_t workers = 1;
  SipKey ufrag_key{};
  uint64_t path_seed = 0;
  bool segmentation = true;
  Scheduling scheduling = Scheduling::kAuto;
  size_t max_packets = 131'072;
  TcpLimits tcp;
  // From CLOCK_MONOTONIC to NTP, fixed at start so that sender reports never jump.
  int64_t ntp_offset_us = 0;
};

// Something for another worker's peer or replica.
struct RingItem {
  PacketBuffer* packet = nullptr;  // carries one reference
  Handle handle = 0;               // track (media) or peer (raw)
  uint32_t source = 0;             // key of the source at the publisher's worker
  bool raw = false;
};
using PacketRing = SpscRing<RingItem, 4096>;

// Of each worker's ring: what 2,000 subscribers report in a quarter of a second.
inline constexpr size_t kFeedbackRingBytes = 1 << 19;

class Worker;
struct WorkerProbe;

// What workers and the main thread share.
struct PlaneShared {
  virtual ~PlaneShared() = default;
  // From any worker, when its event ring is no longer empty. Must not block.
  virtual void wake_main() = 0;
  // Somebody takes what subscribers' feedback came to: else it goes into counters only.
  std::atomic<bool> feedback_wanted{false};
  SeenChecks seen_checks;
  // Somebody joins, or restarts ICE; whose sockets its checks will come to is the kernel's choice.
  std::atomic<int64_t> checks_awaited_until_us{0};
  std::vector<std::unique_ptr<Worker>> workers;
};

int64_t monotonic_us();

// What one subscriber is sent of a received packet.
struct OutPacket {
  BatchPacket* in = nullptr;
  Slot* slot = nullptr;
  uint64_t index = 0;
  uint32_t timestamp = 0;
  uint16_t picture_id_delta = 0;
  uint16_t frame_number_delta = 0;
  uint8_t tl0_delta = 0;
  uint8_t payload_type = 0;
  uint16_t size = 0;  // protected, before padding
};

class Worker final : public TcpHandler {
 public:
  Worker(PlaneShared& shared, const WorkerConfig& config);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Before start(). Opens two sockets on the port: the second is for reports and checks, if the kernel can be told to keep them apart.
  int open_udp(const std::string& ip, uint16_t port, PathAddress* local, const char** what);
  int open_tcp(const std::string& ip, uint16_t port, PathAddress* local, const char** what);
  // After all workers have opened their sockets of address `socket`: sets the kernel's rule for all of them.
  bool steer_reports(size_t socket, uint32_t seed);
  void drop_rtcp_socket(size_t socket) { rtcp_sockets_[socket].close(); }
  void start();
  // Ends the thread and waits for it. The state stays until the destructor.
  void stop();
  // After all threads have ended: drops peers and packets, so that every pool gets its buffers back before it dies.
  void clear();

  // Any thread. Commands that can wait do not end a nap.
  void post(Command&& command);
  void post(std::vector<Command>&& commands);
  // Another worker's thread: push to ring(own index), then wake_for_ring() once per batch.
  PacketRing& ring(uint16_t from) { return rings_[from]; }
  void wake_for_ring();

  // Main thread.
  EventRing& events() { return events_; }
  // Transport-wide feedback, reduced: in a ring of its own, so that a flood of it never costs a handshake.
  EventRing& feedback() { return feedback_; }
  // Handles whose objects are gone, so that the main thread may use their indices again.
  struct Released {
    std::vector<Handle> peers, tracks, slots;
  };
  MpscInbox<Released>& released() { return released_; }
  double* counters() { return counters_.get(); }
  const std::shared_ptr<double[]>& counters_block() const { return counters_; }
  size_t udp_sockets() const { return sockets_.size(); }
  // What the thread got: "fifo", "nice" or "normal"; valid after start().
  const char* scheduling() const { return scheduling_.load(); }

 private:
  // fuzz/engine_fuzz.cc drives a worker without its thread.
  friend struct WorkerProbe;

  // worker.cc
  void run();
  void set_priority();
  int64_t timeout_us(int64_t now_us) const;
  int wait(epoll_event* events, int count, int64_t timeout_us);
  // Sleeps through datagrams and other workers' packets; commands end it.
  void doze(int64_t us);
  bool nothing_waits() const;
  void fall_asleep(epoll_event* events, int& ready);
  void end_sleep();
  void take_commands();
  void run_timers(int64_t now_us);
  void take_rings();
  void publish_counters();
  // The control part is woken within `within_us`, and finds it earlier if it is woken for something else.
  void add_event(EventType type, const EventRing::Piece* pieces, size_t count, int64_t within_us = 0);
  void tell_within(int64_t within_us);
  bool may_tell(Peer& peer);
  void flush_senders();
  void wake_workers(uint64_t& which);

  // worker_commands.cc
  void apply(Command& command);

  // worker_peers.cc
  void open_peer(Command& command);
  void restart_ice(Peer& peer, const IceData& ice);
  void add_path(Peer& peer, const PathAddress& path);
  void select_path(Peer& peer, const PathAddress& path);
  void drop_path(Peer& peer, size_t index, bool tell_table);
  void install_path(const PathAddress& path, Handle peer, uint16_t owner);
  void remove_path(const PathAddress& path, Handle peer, uint16_t owner);
  void send_to(const PathAddress& path, const uint8_t* data, size_t size);
  void set_keys(Peer& peer, const DtlsSrtpKeys& keys);
  void set_codecs(Peer& peer, const CodecsData& data);
  void close_peer(Peer& peer, bool moved);

  // worker_tracks.cc
  void open_track(Handle handle, const TrackData& data);
  void close_track(Track& track);
  Track* replica(Handle handle, uint16_t home);
  void drop_replica(Track& track);
  Source& add_source(Track& track, uint32_t ssrc, uint32_t rtx_ssrc, const std::string& rid);
  void drop_source(Source& source);

  // worker_slots.cc
  void open_slot(Handle handle, const SlotData& data);
  void bind_slot(Slot& slot, const BindData& data);
  void close_slot(Slot& slot);
  void unbind(Slot& slot);
  void leave(Slot& slot, Track* track);
  void drop_idle_replicas();
  void sign_slot(Slot& slot);

  // worker_read.cc; those that read return the number of datagrams
  static constexpr uint64_t kRtcpTag = uint64_t{1} << 42;
  void watch(const UdpSocket& socket, uint64_t tag, int operation, bool at_once);
  void watch_media();
  void watch_rtcp(int operation);
  void await_checks();
  void look_ahead(size_t i, size_t count, bool rtcp);
  size_t receive_batch(const UdpSocket& socket, size_t index, bool rtcp);
  size_t receive_udp(size_t socket);
  size_t read_media();
  void read_rtcp();

  // worker_receive.cc
  // Takes the reference when it keeps the packet; else the buffer is used again.
  void on_datagram(PacketRef& packet, const PathAddress& path, const PathEntry* entry);
  void on_peer_datagram(Peer& peer, const PathAddress& path, PacketRef& packet);
  void on_stranger(const PathAddress& path, const uint8_t* data, size_t size);
  void on_rtp(Peer& peer, PacketRef& packet);
  Source* find_source(Peer& peer, const uint8_t* data, const RtpHeader& rtp, bool* rtx);
  Source* identify(Peer& peer, const uint8_t* data, const RtpHeader& rtp, bool rtx);
  bool unwrap_rtx(Peer& peer, Source& source, PacketBuffer& packet, RtpHeader& rtp);
  void on_media(Peer& peer, Source& source, PacketRef& packet, bool repaired);
  void add_to_batch(Track& track, Source& source, PacketRef packet);
  bool choose_forwarded(Track& track, Source& source, const MediaMeta& meta);
  void on_tcp_frame(const PathAddress& path, const uint8_t* data, size_t size) override;
  void on_tcp_closed(const PathAddress& path) override;

  // worker_stun.cc
  void on_stun(Peer& peer, const PathAddress& path, const uint8_t* data, size_t size);
  void tell_stun(const PathAddress& path, const uint8_t* data, size_t size, const StunView& view);

  // worker_send.cc
  void fan_out();
  bool holds_batch();
  void flush_peer(Peer& peer);
  void collect(Peer& peer, Slot& slot, Track& track);
  void send_out(Peer& peer);
  void begin_slot(Slot& slot, Track& track, Source& source);
  size_t send_run(Peer& peer, const PathAddress& path, size_t begin, size_t end, size_t segment);
  size_t carry_reports(Peer& peer, size_t last_size, size_t count, size_t segment, std::span<uint8_t> packet);
  void note_send_time(int64_t now_us);
  void keep_transport_numbers(Peer& peer);
  void send_protected(Peer& peer, const uint8_t* data, size_t size);
  void send_rtcp(Peer& peer, uint8_t* packet, size_t size, size_t capacity);

  // worker_packet.cc
  void build_block(Peer& peer, Slot& slot, BatchPacket& in);
  size_t write_header(Peer& peer, const OutPacket& out, uint8_t* to, size_t padding);
  // With a batch, tags may follow later: only for packets that lie in a sender's slab.
  size_t protect_out(Peer& peer, const OutPacket& out, uint8_t* to, size_t capacity, size_t padding,
                     SrtpTagBatch* batch = nullptr);

  // worker_repeat.cc
  void retransmit(Peer& peer, Slot& slot, uint16_t sequence);
  size_t protect_rtx(Peer& peer, const OutPacket& out, uint8_t* to, size_t capacity, uint8_t payload_type);

  // worker_pacing.cc
  void hold_back(Peer& peer);
  void repair(Peer& peer, Slot& slot, uint16_t sequence);
  void run_pacing();
  void send_paced(Peer& peer);
  void give_up_overflow(Peer& peer);
  void forget_paced(Slot& slot);
  void list_paced(Peer& peer);

  // worker_rtcp.cc
  void on_rtcp(Peer& peer, PacketBuffer& packet);
  void on_report_block(Peer& peer, const ReportBlock& block);
  void on_sender_report(Peer& peer, const SenderInfo& info);
  void on_transport_feedback(Peer& peer, const RtcpPacket& part);
  void on_bye(Peer& peer, uint32_t ssrc);
  void request_key_frame(Track& track);
  void on_slot_key_frame_request(Slot& slot);
  void report(Peer& peer);
  void send_reports(Peer& peer);
  size_t owed_reports(Peer& peer, std::span<uint8_t> packet, size_t room);
  void send_sender_report(Slot& slot);
  void send_nacks();
  void send_transport_feedback();
  void send_key_frame_requests();

  PlaneShared& shared_;
  const WorkerConfig config_;
  int epoll_fd_ = -1;
  int event_fd_ = -1;
  std::thread thread_;
  std::atomic<bool> stopping_{false};
  Parking parking_;
  CommandPace command_pace_;
  std::atomic<const char*> scheduling_{"normal"};

  PacketPool pool_;
  std::vector<UdpSocket> sockets_;
  std::vector<UdpSocket> rtcp_sockets_;  // for reports, beside those of `sockets_`; closed where all comes through the same one
  RtcpPace rtcp_pace_;
  MediaPace media_pace_;
  std::vector<int64_t> drained_us_;  // when all of each socket had been read, two for each address
  std::unique_ptr<UdpReceiver> receiver_;
  // Whose the datagrams of the batch are: to be found again by its handle, `peer` is for asking for its memory only.
  struct Ahead {
    size_t hash = 0;
    const PathEntry* entry = nullptr;
    const Peer* peer = nullptr;
  };
  std::array<Ahead, UdpReceiver::kBatch> ahead_;
  SendCounters sent_;
  SrtpTagBatch tags_;  // of what lies in the senders' slabs
  std::vector<std::unique_ptr<UdpSender>> senders_;
  std::unique_ptr<TcpServer> tcp_;

  MpscInbox<std::vector<Command>> inbox_;
  std::unique_ptr<PacketRing[]> rings_;
  uint64_t workers_to_wake_ = 0;
  uint64_t workers_with_batch_ = 0;  // they got packets of what is in our batch: woken when it leaves
  EventRing events_;
  EventRing feedback_;
  int64_t tell_due_us_ = 0;  // when the control part is woken; 0: nothing is in the rings that it was not woken for
  MpscInbox<Released> released_;
  Released released_now_;
  std::shared_ptr<double[]> counters_;

  PathTable paths_;
  HandleTable<Peer> peers_;
  HandleTable<Track> tracks_;  // ours and replicas
  HandleTable<Slot> slots_;
  size_t peer_count_ = 0;
  std::unordered_map<uint32_t, Source*> sources_;
  uint32_t next_source_key_ = 1;

  std::vector<BatchPacket> batch_;
  size_t batch_size_ = 0;
  std::vector<Track*> batch_tracks_;
  // The batch waits for the rest of its frames until then; 0: nothing is held.
  int64_t hold_until_us_ = 0;
  int64_t held_since_us_ = 0;
  size_t held_packets_ = 0;
  int64_t whole_at_us_ = 0;  // when all of its frames are expected to be whole
  bool precise_wait_ = true;
  std::vector<Peer*> dirty_peers_;
  std::vector<Slot*> begun_slots_;  // in this pass: their clients are owed the first sender report
  std::vector<OutPacket> out_;
  size_t out_bytes_ = 0;
  std::vector<BatchPacket> paced_batch_;
  std::vector<Peer*> paced_peers_;
  std::vector<Handle> idle_replicas_;
  std::vector<Track*> key_frame_tracks_;
  std::vector<Peer*> nack_peers_;
  std::vector<Peer*> twcc_peers_;
  std::vector<std::vector<Handle>> report_groups_;

  int64_t now_us_ = 0;
  int64_t idle_us_ = 0;  // time spent waiting, all in all
  int64_t next_group_us_ = 0;
  size_t next_group_ = 0;
  int64_t next_sweep_us_ = 0;
  int64_t next_nack_us_ = 0;
  int64_t next_twcc_us_ = 0;
  int64_t twcc_due_us_ = 0;  // when a publisher is owed feedback, as of the last look
  int64_t next_pacing_us_ = 0;
  uint32_t abs_send_time_ = 0;
  int64_t send_us_ = 0;  // for transport-wide numbers; newer than now_us_ in a long pass
  // Checks of unknown peers that may go up: a flood of genuine ufrags must not drown JavaScript.
  int32_t stun_budget_ = 0;
  int64_t stun_budget_at_us_ = 0;
  CheckBudgets check_budgets_;
  uint64_t rx_datagrams_ = 0;
  uint64_t rx_bytes_ = 0;
  uint64_t strangers_ = 0;
  uint64_t checks_ = 0;  // and what strangers send
  uint64_t forged_ufrags_ = 0;
  uint64_t malformed_ = 0;
  uint64_t replayed_ = 0;
  uint64_t unauthenticated_ = 0;
  uint64_t events_dropped_ = 0;
  uint64_t feedback_dropped_ = 0;
  uint64_t stale_commands_ = 0;
  uint64_t forwarded_elsewhere_ = 0;
  uint64_t queue_drops_ = 0;
  std::vector<uint16_t> nack_scratch_;
  TransportCcReport twcc_scratch_;
  std::array<TwccGroup, TwccSender::kMaxGroups> groups_scratch_{};
};

}  // namespace parley
