// A plane with clients on loopback sockets, without DTLS: the keys are handed out here. The rig plays the control part.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "check.h"
#include "parley/crypto/srtp.h"
#include "parley/engine/plane.h"
#include "parley/wire/bytes.h"
#include "parley/wire/rtcp.h"
#include "parley/wire/rtp.h"
#include "parley/wire/stun.h"
#include "parley/wire/ufrag.h"

namespace parley::test {

inline constexpr uint8_t kVp8 = 96;
inline constexpr uint8_t kVp8Rtx = 97;
inline constexpr uint8_t kOpus = 111;
inline constexpr uint8_t kMidId = 4;
inline constexpr uint8_t kTwccId = 5;
inline constexpr uint8_t kLevelId = 1;

struct Event {
  EventType type{};
  Handle handle = 0;
  Handle second = 0;
  PathAddress path;
  std::vector<uint8_t> datagram;
};

// A FeedbackRecord with its groups.
struct Feedback {
  Handle peer = 0;
  int64_t at_us = 0;
  uint32_t delay_us = 0;
  uint32_t packets = 0;
  uint32_t bytes = 0;
  uint32_t lost = 0;
  std::vector<TwccGroup> groups;
};

struct ReceivedRtp {
  RtpHeader header;
  std::vector<uint8_t> packet;
  uint32_t csrc = 0;
  std::vector<uint8_t> payload;
};

inline SrtpMasterKey random_key(SrtpProfile profile, Random& random) {
  SrtpMasterKey key;
  key.profile = profile;
  for (uint8_t& byte : key.key) byte = static_cast<uint8_t>(random.next());
  for (uint8_t& byte : key.salt) byte = static_cast<uint8_t>(random.next());
  return key;
}

class Rig {
 public:
  explicit Rig(PlaneConfig config = {}) : plane([this] { ++woken; }) {
    if (config.bind.empty()) config.bind = {"127.0.0.1"};
    for (size_t i = 0; i < key.size(); ++i) key[i] = static_cast<uint8_t>(i * 7 + 1);
    config.ufrag_key = key;
    const std::string failure = plane.start(config);
    plane.want_feedback(true);
    if (!failure.empty()) fail(__FILE__, __LINE__, failure);
  }

  uint16_t udp_port() const { return port(false); }
  uint16_t tcp_port() const { return port(true); }

  double counter(size_t field) {
    double sum = plane.own_counters()[field];
    for (auto& worker : plane.workers) sum += std::atomic_ref<double>(worker->counters()[field]).load();
    return sum;
  }

  double peer_counter(Handle handle, size_t field) { return read(plane.peer_counters(), handle, field); }
  double track_counter(Handle handle, size_t field) { return read(plane.track_counters(), handle, field); }
  double slot_counter(Handle handle, size_t field) { return read(plane.slot_counters(), handle, field); }

  // Events since the last time; the handler below has seen them.
  void pump() {
    plane.flush();
    std::vector<uint8_t> batch;
    plane.drain_events(batch);
    for (size_t at = 0; at < batch.size();) {
      uint32_t size;
      std::memcpy(&size, batch.data() + at, 4);
      take(batch.data() + at + 4, size);
      at += 4 + size;
    }
    std::vector<uint8_t> reports(kFeedbackRingBytes);
    for (size_t worker = 0; worker < plane.workers.size(); ++worker) {
      const size_t bytes = plane.drain_feedback(worker, reports.data());
      for (size_t at = 0; at < bytes;) {
        uint32_t size;
        std::memcpy(&size, reports.data() + at, 4);
        CHECK_EQ((4 + size) % 8, 0u);
        take_feedback(reports.data() + at + 4, size);
        at += 4 + size;
      }
    }
    plane.flush();
  }

  // Runs until `done` or the deadline; a deadline that passes fails the test.
  void until(const char* what, const std::function<bool()>& done, int milliseconds = 5'000) {
    const int64_t end = monotonic_us() + milliseconds * 1'000;
    while (!done()) {
      if (monotonic_us() > end) fail(__FILE__, __LINE__, std::string("waited in vain for ") + what);
      pump();
      poll(nullptr, 0, 1);
    }
  }
  void run_for(int milliseconds) {
    const int64_t end = monotonic_us() + milliseconds * 1'000;
    while (monotonic_us() < end) {
      pump();
      poll(nullptr, 0, 1);
    }
  }

  const Event* find(EventType type, Handle handle) const {
    for (const Event& event : events) {
      if (event.type == type && event.handle == handle) return &event;
    }
    return nullptr;
  }

  SipKey key{};
  Random random{42};
  std::vector<Event> events;
  std::vector<Feedback> feedback;
  std::atomic<int> woken{0};
  // A check of a new path: to whom it belongs, by ufrag.
  std::vector<std::pair<std::string, Handle>> peers;
  bool select_new_paths = true;
  Plane plane;

 private:
  static double read(CounterTable& table, Handle handle, size_t field) {
    return std::atomic_ref<double>(table.at(handle_index(handle))[field]).load(std::memory_order_relaxed);
  }
  uint16_t port(bool tcp) const {
    for (const BoundEndpoint& endpoint : plane.endpoints()) {
      if (endpoint.tcp == tcp) return endpoint.port;
    }
    return 0;
  }
  void take(const uint8_t* data, size_t size) {
    Event event;
    event.type = static_cast<EventType>(data[0]);
    const uint8_t* at = data + 1;
    const uint8_t* end = data + size;
    const auto handle = [&at] {
      Handle value;
      std::memcpy(&value, at, 8);
      at += 8;
      return value;
    };
    const bool has_path = event.type != EventType::kSsrc && event.type != EventType::kSlotStarted &&
                          event.type != EventType::kTrackEnded;
    if (event.type != EventType::kStun) event.handle = handle();
    if (event.type == EventType::kSlotStarted) event.second = handle();
    if (has_path) {
      std::memcpy(&event.path, at, sizeof(event.path));
      at += sizeof(event.path);
    }
    event.datagram.assign(at, end);
    if (event.type == EventType::kStun) {
      const auto view = parse_stun(event.datagram);
      if (view) {
        for (const auto& [ufrag, peer] : peers) {
          if (view->local_ufrag() != ufrag) continue;
          plane.add_path(peer, event.path);
          if (select_new_paths) plane.select_path(peer, event.path);
        }
      }
    }
    events.push_back(std::move(event));
  }
  void take_feedback(const uint8_t* data, size_t size) {
    FeedbackRecord record;
    CHECK(size >= sizeof(record));
    std::memcpy(&record, data, sizeof(record));
    CHECK_EQ(size, sizeof(record) + record.groups * sizeof(TwccGroup));
    Feedback told{make_handle(record.peer_index, record.peer_generation), static_cast<int64_t>(record.arrival_us), record.delay_us, record.packets,
                  record.bytes, record.lost, std::vector<TwccGroup>(record.groups)};
    if (record.groups > 0) std::memcpy(told.groups.data(), data + sizeof(record), record.groups * sizeof(TwccGroup));
    feedback.push_back(std::move(told));
  }
};

class Client {
 public:
  explicit Client(Rig& rig, SrtpProfile profile = SrtpProfile::kAeadAes128Gcm) : rig_(rig) {
    static int number = 0;
    std::string nonce = "000000000000";
    std::string digits = std::to_string(++number);
    nonce.replace(nonce.size() - digits.size(), digits.size(), digits);
    ice = {make_ufrag(rig.key, nonce), "password" + digits + "0123456789abcdef", "remote" + digits};
    peer = rig.plane.open_peer(ice);
    rig.peers.emplace_back(ice.local_ufrag, peer);
    const SrtpMasterKey down = random_key(profile, rig.random);
    const SrtpMasterKey up = random_key(profile, rig.random);
    sender_ = SrtpSendContext::create(up);
    receiver_ = SrtpReceiveContext::create(down);
    keys_.local = down;
    keys_.remote = up;
    map_.set(kMidId, Extension::kMid);
    map_.set(kTwccId, Extension::kTransportCc);
    map_.set(kLevelId, Extension::kAudioLevel);
  }
  ~Client() { disconnect(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void set_codecs(bool rtx = true) {
    CodecsData data;
    data.codecs.push_back({kVp8, Codec::kVp8, 90'000, rtx ? kVp8Rtx : uint8_t{0}, true, true, true, true});
    data.codecs.push_back({kOpus, Codec::kOpus, 48'000, 0, false, false, false, true});
    data.extensions = {{kMidId, Extension::kMid}, {kTwccId, Extension::kTransportCc}, {kLevelId, Extension::kAudioLevel}};
    rig_.plane.set_peer_codecs(peer, data);
  }

  void open_socket(const std::string& ip, bool tcp) {
    disconnect();
    tcp_ = tcp;
    sockaddr_storage address;
    socklen_t length;
    CHECK(parse_sockaddr(ip, tcp ? rig_.tcp_port() : rig_.udp_port(), &address, &length));
    fd_ = socket(address.ss_family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
    CHECK_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&address), length), 0);
  }
  uint16_t port() const {
    sockaddr_storage address;
    socklen_t length = sizeof(address);
    PathAddress path;
    if (getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length) == 0) {
      set_local(path, reinterpret_cast<sockaddr*>(&address));
    }
    return path.local_port;
  }
  void disconnect() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  // A socket, a check, the answer, and keys.
  void connect(const std::string& ip = "127.0.0.1", bool tcp = false) {
    open_socket(ip, tcp);
    rig_.plane.set_srtp_keys(peer, keys_);
    check_until_answered();
  }
  void check_until_answered() {
    const size_t before = answers;
    int64_t next = 0;
    rig_.until("an answer to a check", [&] {
      if (monotonic_us() >= next) {
        send_check(true);
        next = monotonic_us() + 20'000;
      }
      receive();
      return answers > before;
    });
  }
  void send_check(bool nominate) { send_check_as(ice, nominate); }
  void send_check_as(const IceData& as, bool nominate) {
    BindingRequest request;
    for (uint8_t& byte : request.transaction_id) byte = static_cast<uint8_t>(rig_.random.next());
    const std::string username = as.local_ufrag + ":" + as.remote_ufrag;
    request.username = username;
    request.priority = 1;
    request.use_candidate = nominate;
    uint8_t out[kStunMaxWrite];
    const size_t size = write_binding_request(request, StunKey(as.local_password), out);
    send_raw(out, size);
  }
  void send_raw(const uint8_t* data, size_t size) {
    if (tcp_) {
      uint8_t header[2] = {static_cast<uint8_t>(size >> 8), static_cast<uint8_t>(size)};
      (void)!::send(fd_, header, 2, MSG_NOSIGNAL);
    }
    (void)!::send(fd_, data, size, MSG_NOSIGNAL);
  }

  // A packet as a browser sends it: MID, transport-wide number, level for audio. Returns its payload.
  std::vector<uint8_t> make_rtp(uint8_t payload_type, uint16_t sequence, uint32_t timestamp, uint32_t ssrc,
                                const std::string& mid, const std::vector<uint8_t>& payload, uint8_t* out, size_t* header) {
    out[0] = 0x90;
    out[1] = payload_type;
    store16(out + 2, sequence);
    store32(out + 4, timestamp);
    store32(out + 8, ssrc);
    ExtensionWriter writer(out + 12, false);
    if (!mid.empty()) std::memcpy(writer.add(kMidId, mid.size()), mid.data(), mid.size());
    store16(writer.add(kTwccId, 2), transport_++);
    if (payload_type == kOpus) *writer.add(kLevelId, 1) = 0x80 | 30;
    *header = 12 + writer.finish();
    std::memcpy(out + *header, payload.data(), payload.size());
    return payload;
  }
  void send_rtp(uint8_t payload_type, uint16_t sequence, uint32_t timestamp, uint32_t ssrc, const std::string& mid,
                const std::vector<uint8_t>& payload) {
    uint8_t out[2048];
    size_t header = 0;
    make_rtp(payload_type, sequence, timestamp, ssrc, mid, payload, out, &header);
    const SrtpResult result =
        sender_->protect_rtp(out, header, sizeof(out), std::span<const uint8_t>(out + header, payload.size()), sequence);
    CHECK(result.ok());
    send_raw(out, result.size);
  }
  void send_rtcp(const std::function<void(RtcpWriter&)>& write) {
    uint8_t out[1500];
    RtcpWriter writer({out, 1300});
    write(writer);
    const SrtpResult result = sender_->protect_rtcp(out, writer.size(), sizeof(out));
    CHECK(result.ok());
    send_raw(out, result.size);
  }

  // Whatever bytes, protected as they are; what the protection itself refuses is not sent.
  void send_rtp_bytes(const uint8_t* data, size_t size) {
    uint8_t out[2048];
    std::memcpy(out, data, size);
    // The header as the receiver of SRTP sees it, or nothing gets past the tag.
    size_t header = 12 + 4u * (data[0] & 15);
    if ((data[0] & 0x10) != 0 && header + 4 <= size) header += 4 + 4u * load16(data + header + 2);
    if (header > size) return;
    const SrtpResult result = sender_->protect_rtp(out, header, sizeof(out),
                                                   std::span<const uint8_t>(data + header, size - header), load16(data + 2));
    if (result.ok()) send_raw(out, result.size);
  }
  void send_rtcp_bytes(const uint8_t* data, size_t size) {
    uint8_t out[2048];
    std::memcpy(out, data, size);
    const SrtpResult result = sender_->protect_rtcp(out, size, sizeof(out));
    if (result.ok()) send_raw(out, result.size);
  }
  // Throws away what has come.
  void drop_input() {
    uint8_t data[2048];
    while (recv(fd_, data, sizeof(data), MSG_DONTWAIT) > 0) {
    }
  }

  // Takes what there is.
  void receive() {
    uint8_t data[65536];
    for (;;) {
      const ssize_t got = recv(fd_, data, sizeof(data), MSG_DONTWAIT);
      if (got <= 0) return;
      if (!tcp_) {
        take(data, static_cast<size_t>(got));
        continue;
      }
      stream_.insert(stream_.end(), data, data + got);
      while (stream_.size() >= 2) {
        const size_t size = static_cast<size_t>(stream_[0]) << 8 | stream_[1];
        if (stream_.size() < 2 + size) break;
        std::vector<uint8_t> frame(stream_.begin() + 2, stream_.begin() + 2 + static_cast<ptrdiff_t>(size));
        stream_.erase(stream_.begin(), stream_.begin() + 2 + static_cast<ptrdiff_t>(size));
        take(frame.data(), frame.size());
      }
    }
  }

  IceData ice;
  Handle peer = 0;
  size_t answers = 0;
  size_t replays = 0;
  size_t auth_failures = 0;
  std::vector<ReceivedRtp> rtp;
  std::vector<std::vector<uint8_t>> raw_rtp;  // as on the wire
  size_t plis = 0;
  size_t firs = 0;
  size_t transport_reports = 0;
  // By transport-wide number, in the node's clock as the reports tell it (250 us).
  std::map<uint16_t, int64_t> arrivals_us;
  size_t receiver_reports = 0;
  std::vector<uint16_t> nacked;
  std::vector<SenderInfo> sender_reports;

 private:
  void take(uint8_t* data, size_t size) {
    if (data[0] <= 3) {
      const auto view = parse_stun({data, size});
      if (view && view->type == static_cast<uint16_t>(StunType::kBindingSuccess)) {
        CHECK(stun_integrity_ok({data, size}, *view, StunKey(ice.local_password)) || allow_other_password);
        ++answers;
      }
      return;
    }
    if (is_rtcp({data, size})) {
      const SrtpResult result = receiver_->unprotect_rtcp(data, size);
      CHECK(result.ok());
      take_rtcp({data, result.size});
      return;
    }
    raw_rtp.emplace_back(data, data + size);
    const SrtpRtpResult result = receiver_->unprotect_rtp(data, size);
    if (!result.ok()) {
      ++(result.error == SrtpError::kReplayed ? replays : auth_failures);
      return;
    }
    ReceivedRtp received;
    CHECK(parse_rtp({data, result.size}, map_, received.header));
    CHECK_EQ(data[0] & 0x0f, 1);
    received.csrc = load32(data + 12);
    received.packet.assign(data, data + result.size);
    const uint8_t* payload = data + received.header.header_size;
    received.payload.assign(payload, payload + received.header.payload_size);
    rtp.push_back(std::move(received));
  }
  void take_transport_report(const RtcpPacket& part) {
    ++transport_reports;
    TransportCcReport report;
    CHECK(read_transport_cc(part, report));
    int64_t at_us = int64_t{report.reference_time} * 64'000;
    for (size_t i = 0; i < report.entries.size(); ++i) {
      if (!report.entries[i].received) continue;
      at_us += int64_t{report.entries[i].delta} * 250;
      arrivals_us[static_cast<uint16_t>(report.base_sequence + i)] = at_us;
    }
  }
  void take_rtcp(std::span<const uint8_t> compound) {
    RtcpIterator iterator(compound);
    RtcpPacket part;
    while (iterator.next(part)) {
      if (part.type == RtcpType::kPsfb && part.count == kFmtPli) ++plis;
      if (part.type == RtcpType::kPsfb && part.count == kFmtFir) ++firs;
      if (part.type == RtcpType::kRtpfb && part.count == kFmtTransportCc) take_transport_report(part);
      if (part.type == RtcpType::kRtpfb && part.count == kFmtNack) {
        read_nacks(part, [this](uint16_t sequence) { nacked.push_back(sequence); });
      }
      if (part.type == RtcpType::kRr && part.count > 0) ++receiver_reports;
      SenderInfo info;
      if (part.type == RtcpType::kSr && read_sender_info(part, info)) sender_reports.push_back(info);
    }
    CHECK(!iterator.malformed());
  }

 public:
  bool allow_other_password = false;

 private:
  Rig& rig_;
  int fd_ = -1;
  bool tcp_ = false;
  uint16_t transport_ = 0;
  std::vector<uint8_t> stream_;
  std::optional<SrtpSendContext> sender_;
  std::optional<SrtpReceiveContext> receiver_;
  DtlsSrtpKeys keys_;
  ExtensionMap map_;
};

// VP8 with 15 bit picture ids (RFC 7741): the first packet of a key frame, or of another frame, or a later packet.
inline std::vector<uint8_t> vp8(size_t size, bool first, bool key, uint16_t picture_id, uint8_t fill) {
  std::vector<uint8_t> payload(size, fill);
  payload[0] = static_cast<uint8_t>(0x80 | (first ? 0x10 : 0));
  payload[1] = 0x80;
  payload[2] = static_cast<uint8_t>(0x80 | picture_id >> 8);
  payload[3] = static_cast<uint8_t>(picture_id);
  payload[4] = key ? 0x00 : 0x01;
  return payload;
}

inline TrackData video_track(uint32_t stream_id, uint32_t ssrc, uint32_t rtx_ssrc) {
  TrackData track;
  track.mid = "v";
  track.video = true;
  track.stream_id = stream_id;
  track.payload_types = {kVp8};
  track.encodings = {{ssrc, rtx_ssrc, ""}};
  track.key_frame_interval_us = 200'000;
  return track;
}
inline TrackData audio_track(uint32_t stream_id) {
  TrackData track;
  track.mid = "a";
  track.stream_id = stream_id;
  track.payload_types = {kOpus};
  return track;
}
inline SlotData video_slot(const std::string& mid, uint32_t ssrc, uint32_t rtx_ssrc) {
  SlotData slot;
  slot.mid = mid;
  slot.video = true;
  slot.ssrc = ssrc;
  slot.rtx_ssrc = rtx_ssrc;
  slot.clock_rate_hz = 90'000;
  return slot;
}

}  // namespace parley::test
