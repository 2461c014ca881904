// The engine behind its sockets, on one thread: datagrams of a publisher, two subscribers and strangers, with and without valid keys, commands
// and time between them. Besides the sanitizers' findings: no SRTP index is ever used for two packets, and everybody's packets are authentic.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "parley/engine/worker.h"
#include "parley/wire/bytes.h"

namespace parley {

// Turns of the worker's loop, one at a time.
struct WorkerProbe {
  static void prepare(Worker& worker) {
    for (UdpSocket& socket : worker.sockets_) {
      worker.senders_.push_back(std::make_unique<UdpSender>(socket, worker.sent_, worker.config_.segmentation));
      worker.senders_.back()->set_tag_batch(&worker.tags_);
    }
    worker.now_us_ = 1'000'000'000;
    worker.next_group_us_ = worker.now_us_;
  }
  static int64_t now_us(const Worker& worker) { return worker.now_us_; }
  static void command(Worker& worker, Command& command) {
    worker.fan_out();
    worker.apply(command);
  }
  static void datagram(Worker& worker, const PathAddress& path, const uint8_t* data, size_t size) {
    PacketBuffer* buffer = worker.pool_.acquire();
    if (buffer == nullptr || size == 0 || size > kPacketCapacity) std::abort();
    buffer->offset = 0;
    buffer->length = static_cast<uint16_t>(size);
    buffer->arrival_us = worker.now_us_;
    std::memcpy(buffer->storage, data, size);
    PacketRef packet(buffer);
    worker.on_datagram(packet, path, worker.paths_.find(path));
  }
  static void turn(Worker& worker, int64_t passed_us) {
    worker.now_us_ += passed_us;
    worker.fan_out();
    worker.run_timers(worker.now_us_);
    worker.flush_senders();
    std::vector<uint8_t> events;
    worker.events_.drain(events);
    worker.feedback_.drain(events);
    worker.released_.drain([](Worker::Released&) {});
    worker.tell_due_us_ = 0;
  }
};

}  // namespace parley

using namespace parley;

namespace {

constexpr uint32_t kSsrcs[] = {1000, 1001, 1002, 7000, 7001, 7002, 9};
constexpr uint8_t kPayloadTypes[] = {96, 97, 111, 45, 63};
constexpr uint8_t kMidId = 4, kTwccId = 5, kTimeId = 6, kRidId = 7, kDescriptorId = 20;

[[noreturn]] void broken(const char* what) {
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

struct Shared final : PlaneShared {
  Shared() { feedback_wanted = true; }
  void wake_main() override {}
};

// What is left of the input.
struct Input {
  const uint8_t* data;
  size_t size;
  uint8_t byte() {
    if (size == 0) return 0;
    --size;
    return *data++;
  }
  uint16_t word() { return static_cast<uint16_t>(byte() << 8 | byte()); }
  std::vector<uint8_t> bytes(size_t most) {
    const size_t count = std::min(most, size);
    std::vector<uint8_t> out(data, data + count);
    data += count;
    size -= count;
    return out;
  }
};

SrtpMasterKey key_of(SrtpProfile profile, uint8_t fill) {
  SrtpMasterKey key;
  key.profile = profile;
  key.key.fill(fill);
  key.salt.fill(static_cast<uint8_t>(fill + 1));
  return key;
}

// Somebody with a socket that the worker sends to.
struct Remote {
  int fd = -1;
  PathAddress path;
  Handle peer = 0;
  std::optional<SrtpSendContext> send;
  std::optional<SrtpReceiveContext> receive;
  std::map<std::pair<uint32_t, uint16_t>, std::vector<uint8_t>> seen;
  uint16_t newest = 0;  // sequence number received last

  void open_socket(const PathAddress& local) {
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) broken("bind");
    socklen_t length = sizeof(address);
    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
    path = local;
    set_remote(path, reinterpret_cast<sockaddr*>(&address));
  }
  void take() {
    uint8_t data[2048];
    for (;;) {
      const ssize_t got = recv(fd, data, sizeof(data), MSG_DONTWAIT);
      if (got <= 0) return;
      const auto size = static_cast<size_t>(got);
      if (data[0] < 128 || data[0] > 191 || !receive) continue;
      if (data[1] >= 192 && data[1] <= 223) {
        if (!receive->unprotect_rtcp(data, size).ok()) broken("RTCP that is not authentic");
        continue;
      }
      newest = load16(data + 2);
      const auto [place, fresh] = seen.try_emplace({load32(data + 8), newest}, data, data + size);
      if (!fresh) {
        if (place->second.size() != size || std::memcmp(place->second.data(), data, size) != 0) broken("an index for two packets");
        continue;
      }
      const SrtpRtpResult result = receive->unprotect_rtp(data, size);
      if (result.error == SrtpError::kAuthFailed) broken("RTP that is not authentic");
    }
  }
};

struct World {
  Shared shared;
  std::unique_ptr<Worker> worker;
  Remote publisher, subscribers[2], stranger;
  uint64_t generation = 1;

  World() {
    WorkerConfig config;
    config.max_packets = 8'192;
    shared.workers.push_back(std::make_unique<Worker>(shared, config));
    worker = std::move(shared.workers.back());
    shared.workers.clear();
    PathAddress local;
    const char* what = "";
    if (worker->open_udp("127.0.0.1", 0, &local, &what) != 0) broken(what);
    WorkerProbe::prepare(*worker);
    for (Remote* remote : all()) remote->open_socket(local);
  }
  std::vector<Remote*> all() { return {&publisher, &subscribers[0], &subscribers[1], &stranger}; }
};

// One life of a few peers.
class Life {
 public:
  Life(World& world, Input& in) : world_(world), worker_(*world.worker), in_(in) {
    const uint8_t kinds = in_.byte();
    profile_ = kSrtpProfilePreference[kinds % 3];
    const bool rtx = (kinds & 4) == 0;
    ++world_.generation;
    open_peer(world_.publisher, 1, rtx);
    open_peer(world_.subscribers[0], 2, rtx);
    open_peer(world_.subscribers[1], 3, true);
    open_track(0);
    open_track(1);
    for (int i = 0; i < 2; ++i) {
      open_slot(i, rtx || i == 1);
      bind(i, 0);
    }
    turn(0);
  }
  ~Life() {
    for (Remote* remote : world_.all()) {
      if (remote->peer == 0) continue;
      command(CommandType::kClosePeer, remote->peer);
      remote->peer = 0;
    }
    turn(1'000);
    // The next life has the same keys.
    for (Remote* remote : world_.all()) remote->seen.clear();
  }

  void step() {
    switch (in_.byte() % 20) {
      case 0: case 1: case 2: case 3: case 4: case 5: return send_rtp(world_.publisher);
      case 6: return send_rtp(world_.subscribers[0]);
      case 7: return send_rtcp(world_.publisher);
      case 8: case 9: return send_rtcp(world_.subscribers[in_.byte() & 1]);
      case 10: case 11: return send_nack(world_.subscribers[in_.byte() & 1]);
      case 12: return send_raw();
      case 13: return turn(in_.word() * 10);
      case 14: return turn(in_.byte() * 20'000);
      case 15: return set_rate();
      case 16: return rebind();
      case 17: return reopen();
      case 18: return set_codecs(world_.subscribers[in_.byte() & 1], (in_.byte() & 1) != 0);
      default: return feedback(world_.subscribers[in_.byte() & 1]);
    }
  }

 private:
  template <typename Data>
  void command(CommandType type, Handle handle, Data&& data) {
    Command command;
    command.type = type;
    command.handle = handle;
    command.data = std::forward<Data>(data);
    WorkerProbe::command(worker_, command);
  }
  void command(CommandType type, Handle handle) { command(type, handle, std::monostate()); }
  Handle handle(uint32_t index) const { return make_handle(index, world_.generation); }

  void open_peer(Remote& remote, uint8_t number, bool rtx) {
    remote.peer = handle(number);
    auto data = std::make_unique<OpenPeerData>();
    data->ice = {"ufrag" + std::to_string(number), "password", "remote"};
    data->counters = peer_counters_[number];
    command(CommandType::kOpenPeer, remote.peer, std::move(data));
    Command path;
    path.type = CommandType::kAddPath;
    path.handle = remote.peer;
    path.path = remote.path;
    WorkerProbe::command(worker_, path);
    path.type = CommandType::kSelectPath;
    WorkerProbe::command(worker_, path);
    auto keys = std::make_unique<DtlsSrtpKeys>();
    keys->local = key_of(profile_, static_cast<uint8_t>(number * 2));
    keys->remote = key_of(profile_, static_cast<uint8_t>(number * 2 + 1));
    remote.send = SrtpSendContext::create(keys->remote);
    remote.receive = SrtpReceiveContext::create(keys->local);
    remote.newest = 0;
    command(CommandType::kSetSrtpKeys, remote.peer, std::move(keys));
    set_codecs(remote, rtx);
  }
  void set_codecs(Remote& remote, bool rtx) {
    auto data = std::make_unique<CodecsData>();
    data->codecs.push_back({96, Codec::kVp8, 90'000, rtx ? uint8_t{97} : uint8_t{0}, true, true, true, true});
    data->codecs.push_back({45, Codec::kAv1, 90'000, 0, true, true, false, true});
    data->codecs.push_back({111, Codec::kOpus, 48'000, 0, false, false, false, true});
    data->extensions = {{kMidId, Extension::kMid}, {kTwccId, Extension::kTransportCc}, {kTimeId, Extension::kAbsSendTime},
                        {kRidId, Extension::kRid}, {kDescriptorId, Extension::kDependencyDescriptor}};
    command(CommandType::kSetPeerCodecs, remote.peer, std::move(data));
  }
  void open_track(uint32_t number) {
    auto data = std::make_unique<TrackData>();
    data->peer = world_.publisher.peer;
    data->mid = number == 0 ? "v" : "a";
    data->video = number == 0;
    data->stream_id = 70 + number;
    data->payload_types = number == 0 ? std::vector<uint8_t>{96, 45} : std::vector<uint8_t>{111};
    if (number == 0) data->encodings = {{1000, 1001, ""}};
    data->key_frame_interval_us = 200'000;
    data->counters = track_counters_[number];
    command(CommandType::kOpenTrack, handle(10 + number), std::move(data));
  }
  void open_slot(int number, bool rtx) {
    auto data = std::make_unique<SlotData>();
    data->peer = world_.subscribers[number].peer;
    data->mid = "s";
    data->video = true;
    data->ssrc = 7000;
    data->rtx_ssrc = rtx ? 7001 : 0;
    data->first_sequence = 500;
    data->first_rtx_sequence = 600;
    data->counters = slot_counters_[number];
    command(CommandType::kOpenSlot, handle(20 + static_cast<uint32_t>(number)), std::move(data));
  }
  void bind(int number, uint32_t track) {
    auto data = std::make_unique<BindData>();
    data->track = track > 1 ? 0 : handle(10 + track);
    data->payload_types = {{96, 96}, {45, 45}, {111, 111}};
    command(CommandType::kBindSlot, handle(20 + static_cast<uint32_t>(number)), std::move(data));
  }
  void rebind() {
    const uint8_t what = in_.byte();
    bind(what & 1, (what >> 1) % 3);
  }
  void reopen() {
    const uint8_t what = in_.byte();
    if ((what & 1) == 0) {
      command(CommandType::kCloseTrack, handle(10));
      open_track(0);
      for (int i = 0; i < 2; ++i) bind(i, 0);
    } else {
      const int number = what >> 1 & 1;
      command(CommandType::kCloseSlot, handle(20 + static_cast<uint32_t>(number)));
      open_slot(number, (what & 4) != 0);
      bind(number, 0);
    }
  }
  void set_rate() {
    constexpr uint64_t kRates[] = {0, 1, 8'000, 100'000, 1'000'000, 20'000'000};
    const uint8_t what = in_.byte();
    command(CommandType::kSetPacingRate, world_.subscribers[what & 1].peer, PacingData{kRates[(what >> 1) % 6]});
  }

  void turn(int64_t passed_us) {
    WorkerProbe::turn(worker_, passed_us);
    for (Remote* remote : world_.all()) remote->take();
  }
  void deliver(Remote& remote, const uint8_t* data, size_t size) {
    if (size > 0) WorkerProbe::datagram(worker_, remote.path, data, size);
  }

  // Mostly right: a header with extensions, and a payload of which the first bytes are the input's.
  void send_rtp(Remote& remote) {
    const uint8_t what = in_.byte();
    const uint8_t more = in_.byte();
    const uint8_t payload_type = (what & 0xc0) == 0 ? kPayloadTypes[what % 5] : uint8_t{96};
    const uint32_t ssrc = payload_type == 97 ? 1001 : (what & 0xc0) == 0x40 ? kSsrcs[more % 7] : 1000;
    uint16_t& sequence = sequences_[ssrc];
    if (sequence == 0) sequence = 30'000;
    sequence = static_cast<uint16_t>(sequence + ((what & 0x20) != 0 ? static_cast<int8_t>(in_.byte()) % 16 : 1));
    uint8_t packet[1600];
    packet[0] = 0x90;
    packet[1] = static_cast<uint8_t>(payload_type | (more & 0x80));
    store16(packet + 2, sequence);
    timestamp_ += (more & 0x80) != 0 ? 3000 : 0;
    store32(packet + 4, timestamp_);
    store32(packet + 8, ssrc);
    ExtensionWriter writer(packet + 12, (what & 0x10) != 0);
    store16(writer.add(kTwccId, 2), transport_++);
    if ((what & 8) != 0) *writer.add(kMidId, 1) = (more & 1) != 0 ? 'v' : 'a';
    if ((what & 4) != 0) *writer.add(kRidId, 1) = static_cast<uint8_t>('0' + (more & 3));
    if ((what & 0x14) == 0x14) {
      const std::vector<uint8_t> descriptor = in_.bytes(3 + (more & 31));
      if (!descriptor.empty()) std::memcpy(writer.add(kDescriptorId, descriptor.size()), descriptor.data(), descriptor.size());
    }
    const size_t header = 12 + writer.finish();
    size_t size = header;
    if (payload_type == 97) {
      store16(packet + size, static_cast<uint16_t>(sequences_[1000] - in_.byte() % 32));
      size += 2;
    }
    // VP8 with long picture ids, a key frame now and then; or whatever.
    std::vector<uint8_t> payload = {static_cast<uint8_t>(0x80 | ((more & 0x60) != 0 ? 0x10 : 0)), 0x80,
                                    static_cast<uint8_t>(0x80 | picture_ >> 8), static_cast<uint8_t>(picture_),
                                    static_cast<uint8_t>((more & 0x40) != 0 ? 0 : 1)};
    if ((more & 0x18) == 0x18) payload = in_.bytes(24);
    picture_ = static_cast<uint16_t>((picture_ + (more & 0x80 ? 1 : 0)) & 0x7fff);
    payload.resize((more & 0x10) != 0 ? 1'000 + more : 30, more);
    std::memcpy(packet + size, payload.data(), payload.size());
    size += payload.size();
    const SrtpResult result = remote.send->protect_rtp(packet, header, sizeof(packet),
                                                       std::span<const uint8_t>(packet + header, size - header), sequence);
    if (result.ok()) deliver(remote, packet, result.size);
  }
  void send_rtcp(Remote& remote) {
    const std::vector<uint8_t> bytes = in_.bytes(8 + in_.byte());
    if (bytes.size() < 8) return;
    uint8_t packet[512];
    std::memcpy(packet, bytes.data(), bytes.size());
    packet[0] = static_cast<uint8_t>(0x80 | (packet[0] & 0x3f));
    packet[1] = static_cast<uint8_t>(200 + packet[1] % 8);
    const SrtpResult result = remote.send->protect_rtcp(packet, bytes.size(), sizeof(packet));
    if (result.ok()) deliver(remote, packet, result.size);
  }
  template <typename Write>
  void send_written(Remote& remote, Write write) {
    uint8_t packet[1500];
    RtcpWriter writer({packet, 1300});
    if (!write(writer)) return;
    const SrtpResult result = remote.send->protect_rtcp(packet, writer.size(), sizeof(packet));
    if (result.ok()) deliver(remote, packet, result.size);
  }
  void send_nack(Remote& remote) {
    turn(0);
    std::vector<uint16_t> wanted;
    auto at = static_cast<uint16_t>(remote.newest - in_.byte());
    for (uint8_t n = in_.byte() % 20; n > 0; --n) wanted.push_back(at = static_cast<uint16_t>(at + 1 + in_.byte() % 20));
    if (wanted.empty()) return;
    send_written(remote, [&](RtcpWriter& writer) { return writer.nack(1, 7000, wanted); });
  }
  void feedback(Remote& remote) {
    TransportCcReport report;
    report.base_sequence = in_.byte();
    report.feedback_count = in_.byte();
    report.reference_time = static_cast<int8_t>(in_.byte()) * 100;
    for (uint8_t n = 1 + in_.byte() % 60; n > 0; --n) {
      const uint8_t what = in_.byte();
      report.entries.push_back({(what & 3) != 0, (what & 3) != 0 ? what : 0});
    }
    send_written(remote, [&](RtcpWriter& writer) { return writer.transport_cc(1, 7000, report); });
  }
  void send_raw() {
    Remote& remote = *world_.all()[in_.byte() & 3];
    const std::vector<uint8_t> bytes = in_.bytes(1 + in_.byte());
    deliver(remote, bytes.data(), bytes.size());
  }

  World& world_;
  Worker& worker_;
  Input& in_;
  SrtpProfile profile_ = SrtpProfile::kAeadAes128Gcm;
  std::map<uint32_t, uint16_t> sequences_;
  uint32_t timestamp_ = 90'000;
  uint16_t transport_ = 0;
  uint16_t picture_ = 100;
  double peer_counters_[4][peer_field::kStride] = {};
  double track_counters_[2][track_field::kStride] = {};
  double slot_counters_[2][slot_field::kStride] = {};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static World* world = new World;
  Input in{data, size};
  Life life(*world, in);
  while (in.size > 0) life.step();
  return 0;
}
