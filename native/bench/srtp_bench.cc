// Nanoseconds per packet of each profile and back end, straight from a shared plain text into a slab, as the engine
// does it: many contexts (one per subscriber), a few packets for each in turn. And the size of the contexts.
//   make bench && build/bench/bin/srtp_bench [payload bytes, 1200] [subscribers, 100]
#include <malloc.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "parley/crypto/srtp.h"

using namespace parley;

namespace {

double now_ns() {
  return static_cast<double>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
          .count());
}

SrtpMasterKey make_key(SrtpProfile profile, size_t i) {
  SrtpMasterKey key;
  key.profile = profile;
  for (size_t k = 0; k < key.key.size(); ++k) key.key[k] = static_cast<uint8_t>(k * 7 + i);
  key.salt[0] = static_cast<uint8_t>(i);
  return key;
}

void bench(SrtpProfile profile, SrtpBackend backend, size_t payload_size, size_t subscribers) {
  constexpr size_t kBurst = 6;
  constexpr size_t kHeaderSize = 24;
  const size_t slot = 2048;
  SrtpSendContext::create(make_key(profile, 0), backend);  // what the library allocates once is not counted
  const auto made_from = mallinfo2().uordblks;
  std::vector<SrtpSendContext> senders;
  senders.reserve(subscribers);
  const double create_start = now_ns();
  for (size_t i = 0; i < subscribers; ++i) senders.push_back(*SrtpSendContext::create(make_key(profile, i), backend));
  const double create_ns = (now_ns() - create_start) / static_cast<double>(subscribers);
  std::vector<uint8_t> payloads(kBurst * payload_size, 0x33);
  std::vector<uint8_t> slab(kBurst * slot * 8);
  uint16_t sequence = 0;
  double best_ns = 1e18;
  SrtpTagBatch batch;
  SrtpTagBatch* tags = backend == SrtpBackend::kAuto ? &batch : nullptr;
  for (int round = 0; round < 60; ++round) {
    const double start = now_ns();
    for (size_t s = 0; s < subscribers; ++s) {
      for (size_t p = 0; p < kBurst; ++p) {
        uint8_t* packet = slab.data() + ((s % 8) * kBurst + p) * slot;
        packet[0] = 0x90;
        const auto number = static_cast<uint16_t>(sequence + p);
        packet[2] = static_cast<uint8_t>(number >> 8);
        packet[3] = static_cast<uint8_t>(number);
        const std::span<const uint8_t> payload(payloads.data() + p * payload_size, payload_size);
        const std::span<const std::span<const uint8_t>> pieces(&payload, 1);
        if (!senders[s].protect_rtp(packet, kHeaderSize, slot, pieces, number, tags).ok()) std::abort();
      }
      if (s % 8 == 7) batch.finish();  // as before a sendmmsg
    }
    batch.finish();
    sequence = static_cast<uint16_t>(sequence + kBurst);
    best_ns = std::min(best_ns, (now_ns() - start) / static_cast<double>(subscribers * kBurst));
  }
  const double send_bytes = static_cast<double>(mallinfo2().uordblks - made_from - payloads.size() - slab.size()) /
                            static_cast<double>(subscribers);

  // What a viewer has besides: a receiver that only ever sees RTCP.
  std::vector<SrtpReceiveContext> feedback;
  feedback.reserve(subscribers);
  const auto feedback_from = mallinfo2().uordblks;
  for (size_t i = 0; i < subscribers; ++i) {
    feedback.push_back(*SrtpReceiveContext::create(make_key(profile, i), backend));
    auto peer = *SrtpSendContext::create(make_key(profile, i), backend);
    uint8_t report[64] = {0x80, 201, 0, 7, 0, 0, 0, 1};
    const auto protected_report = peer.protect_rtcp(report, 32, sizeof(report));
    if (!feedback[i].unprotect_rtcp(report, protected_report.size).ok()) std::abort();
  }
  const double receive_bytes =
      static_cast<double>(mallinfo2().uordblks - feedback_from) / static_cast<double>(subscribers);

  // Receiving: packets that lie in the cache, as they do when the kernel has just copied them.
  constexpr size_t kPackets = 100;
  std::vector<uint8_t> packets(kPackets * slot);
  std::vector<uint32_t> sizes(kPackets);
  double receive_ns = 1e18;
  auto sender = *SrtpSendContext::create(make_key(profile, 0), backend);
  auto receiver = *SrtpReceiveContext::create(make_key(profile, 0), backend);
  for (size_t round = 0; round < 40; ++round) {
    for (size_t i = 0; i < kPackets; ++i) {
      uint8_t* packet = packets.data() + i * slot;
      const auto number = round * kPackets + i;
      packet[0] = 0x80;
      packet[2] = static_cast<uint8_t>(number >> 8);
      packet[3] = static_cast<uint8_t>(number);
      const std::span<const uint8_t> payload(payloads.data(), payload_size);
      sizes[i] = sender.protect_rtp(packet, 12, slot, payload, number).size;
    }
    const double start = now_ns();
    for (size_t i = 0; i < kPackets; ++i) {
      if (!receiver.unprotect_rtp(packets.data() + i * slot, sizes[i]).ok()) std::abort();
    }
    receive_ns = std::min(receive_ns, (now_ns() - start) / kPackets);
  }
  const char* name = backend == SrtpBackend::kPortable ? "openssl" : srtp_backend_name(profile).data();
  std::printf("%-18s %-14s protect %7.1f ns  unprotect %7.1f ns  create %5.0f ns  viewer's contexts %5.0f bytes\n",
              srtp_profile_name(profile).data(), name, best_ns, receive_ns, create_ns, send_bytes + receive_bytes);
}

}  // namespace

int main(int argc, char** argv) {
  const size_t payload_size = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1200;
  const size_t subscribers = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 100;
  std::printf("%zu bytes of payload, %zu contexts in turn\n", payload_size, subscribers);
  for (const SrtpProfile profile : kSrtpProfilePreference) {
    bench(profile, SrtpBackend::kPortable, payload_size, subscribers);
    bench(profile, SrtpBackend::kAuto, payload_size, subscribers);
  }
}
