// The hot loop over played datagrams: what comes in, what leaves, and nothing that depends on the machine. Prints how many packets it
// was; under callgrind, tools/instruction-budget.mjs divides the instructions of our own code by them.
//   make counted && valgrind --tool=callgrind --collect-atstart=no build/counted/bin/hot_loop_bench forward-burst
#include <arpa/inet.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "parley/engine/plane.h"
#include "parley/wire/bytes.h"
#include "parley/wire/rtcp.h"
#include "parley/wire/rtp.h"
#include "virtual_kernel.h"

using namespace parley;
using namespace parley::bench;

namespace {

constexpr uint8_t kVp8 = 96;
constexpr uint8_t kVp8Rtx = 97;
constexpr uint8_t kMidId = 4;
constexpr uint8_t kTwccId = 5;
constexpr uint32_t kSlotSsrc = 7'000;
constexpr uint32_t kSlotRtx = 8'000;
constexpr size_t kPacketsPerFrame = 6;
constexpr size_t kPayload = 1'000;
constexpr int64_t kFrameUs = 33'333;
constexpr int64_t kFeedbackUs = 100'000;
// The beginning (key frame, allocations, learning how packets come, two seconds of awaiting checks) is not counted.
constexpr int64_t kWarmUs = 2'200'000;

struct Shape {
  const char* name;
  size_t publishers;
  size_t subscribers;  // of the first publisher
  int64_t gap_us;      // between the packets of a frame
  int64_t counted_us;
};

constexpr Shape kShapes[] = {
    {"forward-burst", 1, 50, 80, 2'000'000},
    {"forward-spread", 1, 50, 500, 2'000'000},
    {"forward-many", 1, 500, 80, 200'000},
    {"receive", 60, 0, 80, 1'000'000},
};

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}

// A peer with keys and a path, as if ICE and DTLS had been.
class Party {
 public:
  Party(Plane& plane, size_t number) : number_(number) {
    from_.sin_family = AF_INET;
    from_.sin_port = htons(static_cast<uint16_t>(10'000 + number % 50'000));
    from_.sin_addr.s_addr = htonl(0x7f000002 + static_cast<uint32_t>(number / 50'000));
    const std::string digits = std::to_string(number);
    peer = plane.open_peer({"local" + digits, "password0123456789abcdef", "remote" + digits});
    DtlsSrtpKeys keys;
    keys.local = key(0x40);
    keys.remote = key(0x80);
    send_ = SrtpSendContext::create(keys.remote, SrtpBackend::kPortable);
    plane.set_srtp_keys(peer, keys);
    CodecsData codecs;
    codecs.codecs.push_back({kVp8, Codec::kVp8, 90'000, kVp8Rtx, true, true, true, true});
    codecs.extensions = {{kMidId, Extension::kMid}, {kTwccId, Extension::kTransportCc}};
    plane.set_peer_codecs(peer, codecs);
    PathAddress path;
    path.family = 4;
    path.local_port = plane.endpoints().front().port;
    inet_pton(AF_INET, "127.0.0.1", path.local_ip);
    set_remote(path, reinterpret_cast<sockaddr*>(&from_));
    plane.add_path(peer, path);
    plane.select_path(peer, path);
  }

  Datagram rtp(uint32_t ssrc, uint64_t index, uint32_t timestamp, size_t payload_size, bool first, bool key_frame, bool last) {
    Datagram datagram{from_, std::vector<uint8_t>(kPayload + 200)};
    uint8_t* out = datagram.bytes.data();
    out[0] = 0x90;
    out[1] = static_cast<uint8_t>((last ? 0x80 : 0) | kVp8);
    store16(out + 2, static_cast<uint16_t>(index));
    store32(out + 4, timestamp);
    store32(out + 8, ssrc);
    ExtensionWriter writer(out + 12, false);
    store16(writer.add(kTwccId, 2), transport_++);
    const size_t header = 12 + writer.finish();
    uint8_t* payload = out + header;
    for (size_t i = 0; i < payload_size; ++i) payload[i] = static_cast<uint8_t>(i * 5);
    payload[0] = static_cast<uint8_t>(0x80 | (first ? 0x10 : 0));
    payload[1] = 0x80;
    store16(payload + 2, static_cast<uint16_t>(0x8000 | (index / kPacketsPerFrame & 0x7fff)));
    payload[4] = key_frame ? 0x10 : 0x11;
    const SrtpResult result = send_->protect_rtp(out, header, datagram.bytes.size(), std::span<const uint8_t>(payload, payload_size), index);
    if (!result.ok()) die("SRTP of a publisher failed");
    datagram.bytes.resize(result.size);
    return datagram;
  }

  // What came since the last one, all of it; and now and then a packet that was missed.
  Datagram feedback(int64_t now_us, bool missed) {
    Datagram datagram{from_, std::vector<uint8_t>(1'500)};
    RtcpWriter writer({datagram.bytes.data(), 1'400});
    writer.receiver_report(1, {});
    TransportCcReport report;
    report.base_sequence = reported_;
    report.feedback_count = feedbacks_++;
    report.reference_time = static_cast<int32_t>(now_us / 64'000);
    for (; reported_ != received_; ++reported_) report.entries.push_back({true, 2});
    if (!report.entries.empty()) writer.transport_cc(1, kSlotSsrc, report);
    if (missed) writer.nack(1, kSlotSsrc, std::span<const uint16_t>(&last_sequence_, 1));
    const SrtpResult result = send_->protect_rtcp(datagram.bytes.data(), writer.size(), datagram.bytes.size());
    if (!result.ok()) die("SRTCP of a subscriber failed");
    datagram.bytes.resize(result.size);
    return datagram;
  }
  void took(const uint8_t* packet) {
    ++received_;
    if (load32(packet + 8) == kSlotSsrc) last_sequence_ = load16(packet + 2);
  }
  uint16_t port() const { return ntohs(from_.sin_port); }

  Handle peer = 0;
  Handle track = 0;

 private:
  SrtpMasterKey key(uint8_t fill) const {
    SrtpMasterKey key;
    key.profile = SrtpProfile::kAeadAes128Gcm;
    for (size_t i = 0; i < key.key.size(); ++i) key.key[i] = static_cast<uint8_t>(fill + i);
    store32(key.salt.data(), static_cast<uint32_t>(number_));
    return key;
  }

  const size_t number_;
  sockaddr_in from_{};
  std::optional<SrtpSendContext> send_;
  uint16_t transport_ = 0;
  uint16_t reported_ = 0;
  uint16_t received_ = 0;
  uint16_t last_sequence_ = 0;
  uint8_t feedbacks_ = 0;
};

class Play final : public Scenario {
 public:
  Play(Plane& plane, const Shape& shape) : shape_(shape), begin_us_(VirtualKernel::instance().now_us()) {
    for (size_t i = 0; i < shape.publishers; ++i) {
      auto& party = publishers_.emplace_back(std::make_unique<Party>(plane, i));
      TrackData track;
      track.mid = "v";
      track.video = true;
      track.stream_id = static_cast<uint32_t>(77 + i);
      track.payload_types = {kVp8};
      track.encodings = {{ssrc(i), ssrc(i) + 1, ""}};
      party->track = plane.open_track(party->peer, track);
    }
    for (size_t i = 0; i < shape.subscribers; ++i) {
      auto& party = subscribers_.emplace_back(std::make_unique<Party>(plane, 1'000 + i));
      SlotData slot;
      slot.mid = "s";
      slot.video = true;
      slot.ssrc = kSlotSsrc;
      slot.rtx_ssrc = kSlotRtx;
      plane.bind_slot(plane.open_slot(party->peer, slot), publishers_[0]->track, {{kVp8, kVp8}});
    }
    plane.flush();
  }

  int64_t next_us() override {
    if (elapsed_us() > kWarmUs + shape_.counted_us) return -1;
    return std::min(packet_us(), feedback_us());
  }
  void deliver(int64_t now_us) override {
    VirtualKernel& kernel = VirtualKernel::instance();
    for (; packet_us() <= now_us; step()) {
      const bool last = packet_ + 1 == kPacketsPerFrame;
      const size_t size = kPayload + (last ? 1 : 0);
      Party& party = *publishers_[publisher_];
      kernel.put(party.rtp(ssrc(publisher_), frame_ * kPacketsPerFrame + packet_, static_cast<uint32_t>(frame_ * 3'000), size,
                           packet_ == 0, frame_ == 0, last));
      published_ += warm();
    }
    for (; !subscribers_.empty() && feedback_us() <= now_us; ++feedback_) {
      kernel.put(subscribers_[feedback_ % subscribers_.size()]->feedback(now_us, feedback_ % 10 == 3));
    }
  }
  void sent(const sockaddr_in& to, const uint8_t* data, size_t size, size_t segment) override {
    if (segment == 0) segment = size;
    ++messages_;
    const size_t subscriber = ntohs(to.sin_port) - size_t{11'000};
    for (size_t at = 0; at < size; at += segment) {
      if (data[at + 1] >= 192 && data[at + 1] <= 223) continue;
      if (subscriber >= subscribers_.size()) die("a packet to nobody");
      subscribers_[subscriber]->took(data + at);
      forwarded_ += warm();
    }
  }
  bool warm() override { return elapsed_us() >= kWarmUs; }

  // Packets that were counted, of the kind that the shape is about.
  size_t packets() const { return subscribers_.empty() ? published_ : forwarded_; }
  // All that were published in that time went to everybody, or the figure means nothing.
  void check(double received) const {
    const size_t wanted = published_ * subscribers_.size();
    if (forwarded_ + 7 * kPacketsPerFrame * subscribers_.size() < wanted || packets() == 0) die("packets are missing");
    if (received < static_cast<double>(published_)) die("packets were not received");
  }

 private:
  static uint32_t ssrc(size_t publisher) { return static_cast<uint32_t>(100'000 + publisher * 10); }
  int64_t elapsed_us() const { return VirtualKernel::instance().now_us() - begin_us_; }
  // Frames begin spread over the frame time, in the order of the publishers.
  int64_t packet_us() const {
    const auto offset = static_cast<int64_t>(publisher_) * kFrameUs / static_cast<int64_t>(publishers_.size());
    return begin_us_ + static_cast<int64_t>(frame_) * kFrameUs + offset + static_cast<int64_t>(packet_) * shape_.gap_us;
  }
  void step() {
    if (++packet_ < kPacketsPerFrame) return;
    packet_ = 0;
    if (++publisher_ < publishers_.size()) return;
    publisher_ = 0;
    ++frame_;
  }
  int64_t feedback_us() const {
    if (subscribers_.empty()) return INT64_MAX;
    return begin_us_ + kFeedbackUs + static_cast<int64_t>(feedback_) * kFeedbackUs / static_cast<int64_t>(subscribers_.size());
  }

  const Shape& shape_;
  const int64_t begin_us_;
  std::vector<std::unique_ptr<Party>> publishers_;
  std::vector<std::unique_ptr<Party>> subscribers_;
  size_t publisher_ = 0;
  size_t packet_ = 0;
  uint64_t frame_ = 0;
  size_t feedback_ = 0;
  size_t published_ = 0;
  size_t forwarded_ = 0;
  size_t messages_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const Shape* shape = nullptr;
  for (const Shape& each : kShapes) {
    if (argc == 2 && std::string(argv[1]) == each.name) shape = &each;
  }
  if (shape == nullptr) {
    for (const Shape& each : kShapes) std::printf("%s\n", each.name);
    return argc == 1 ? 0 : 2;
  }
  Plane plane([] {});
  PlaneConfig config;
  config.bind = {"127.0.0.1"};
  config.tcp = false;
  config.scheduling = Scheduling::kNormal;
  const std::string failure = plane.start(config);
  if (!failure.empty()) die(failure);
  Play play(plane, *shape);
  VirtualKernel::instance().play(play);
  const double received = std::atomic_ref<double>(plane.workers[0]->counters()[plane_field::kRxDatagrams]).load();
  VirtualKernel::instance().release();
  plane.stop();
  play.check(received);
  std::printf("%zu packets\n", play.packets());
  return 0;
}
