// A publisher of one video track and a subscriber bound to it, on a rig.
#pragma once

#include "engine_rig.h"

namespace parley::test {

inline constexpr uint32_t kPublisherSsrc = 1000;
inline constexpr uint32_t kPublisherRtx = 1001;
inline constexpr uint32_t kSlotSsrc = 7000;
inline constexpr uint32_t kSlotRtx = 7001;
inline const std::vector<PayloadTypeMap> kVideoMap = {{kVp8, kVp8}};

// A publisher with one video track and a subscriber bound to it, connected.
struct Pair {
  explicit Pair(Rig& the_rig, bool rtx = true, SrtpProfile profile = SrtpProfile::kAeadAes128Gcm, bool connected = true)
      : rig(the_rig), publisher(the_rig, profile), subscriber(the_rig, profile) {
    publisher.set_codecs();
    subscriber.set_codecs(rtx);
    track = rig.plane.open_track(publisher.peer, video_track(77, kPublisherSsrc, kPublisherRtx));
    slot = rig.plane.open_slot(subscriber.peer, video_slot("s", kSlotSsrc, rtx ? kSlotRtx : 0));
    rig.plane.bind_slot(slot, track, kVideoMap);
    if (!connected) return;
    publisher.connect();
    subscriber.connect();
  }
  // One frame of `packets` packets; the last is one byte longer, as libwebrtc makes them.
  void send_frame(bool key, size_t packets, size_t size = 1000) {
    for (size_t i = 0; i < packets; ++i) {
      const size_t bytes = size + (i + 1 == packets ? 1 : 0);
      payloads.push_back(vp8(bytes, i == 0, key && i == 0, picture, static_cast<uint8_t>(sequence)));
      publisher.send_rtp(kVp8, sequence++, timestamp, kPublisherSsrc, "v", payloads.back());
    }
    ++picture;
    timestamp += 3000;
  }
  void receive_until(size_t count) {
    rig.until("packets", [&] {
      subscriber.receive();
      return subscriber.rtp.size() >= count;
    });
  }
  void publisher_until(const char* what, const std::function<bool()>& done) {
    rig.until(what, [&] {
      publisher.receive();
      return done();
    });
  }

  Rig& rig;
  Client publisher;
  Client subscriber;
  Handle track = 0;
  Handle slot = 0;
  uint16_t sequence = 5000;
  uint32_t timestamp = 90'000;
  uint16_t picture = 100;
  std::vector<std::vector<uint8_t>> payloads;
};

// The first `count` packets came as the slot's, in order, with its own extensions.
inline void check_forwarded(Pair& pair, size_t count) {
  CHECK(pair.subscriber.rtp.size() >= count);
  const uint16_t first = pair.subscriber.rtp[0].header.sequence;
  for (size_t i = 0; i < count; ++i) {
    const ReceivedRtp& got = pair.subscriber.rtp[i];
    CHECK_EQ(got.header.ssrc, kSlotSsrc);
    CHECK_EQ(got.csrc, 77u);
    CHECK_EQ(got.header.sequence, static_cast<uint16_t>(first + i));
    CHECK_EQ(got.header.payload_type, kVp8);
    CHECK(got.payload == pair.payloads[i]);
    const ExtensionValue& mid = got.header.extension(Extension::kMid);
    CHECK_EQ(mid.size, 1u);
    CHECK_EQ(got.packet[mid.offset], 's');
    CHECK_EQ(load16(got.packet.data() + got.header.extension(Extension::kTransportCc).offset), static_cast<uint16_t>(i));
  }
}

}  // namespace parley::test
