// SRTP and SRTCP receivers of every profile fed with anything, and with true packets that were damaged.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "parley/crypto/srtp.h"

using namespace parley;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 4) return 0;
  const SrtpProfile profile = kSrtpProfilePreference[data[0] % 3];
  const SrtpBackend backend = (data[0] & 0x80) != 0 ? SrtpBackend::kPortable : SrtpBackend::kAuto;
  SrtpMasterKey key;
  key.profile = profile;
  auto receiver = SrtpReceiveContext::create(key, backend);
  const bool genuine = (data[0] & 0x40) != 0;
  const uint8_t damage_at = data[1];
  const uint8_t damage = data[2];
  std::vector<uint8_t> packet(data + 3, data + size);
  if (genuine && packet.size() >= 12) {
    // A valid tag over whatever header this is: the parser must agree with the sender or refuse, never overrun.
    auto sender = SrtpSendContext::create(key, backend);
    const std::vector<uint8_t> payload(packet.begin() + 12, packet.end());
    packet.resize(packet.size() + kSrtpMaxOverhead);
    const uint64_t index = uint64_t{packet[2]} << 8 | packet[3];
    const auto result = sender->protect_rtp(packet.data(), 12, packet.size(), payload, index);
    if (!result.ok()) std::abort();
    packet.resize(result.size);
    packet[damage_at % packet.size()] ^= damage;
  }
  // The second time anything that was taken must be a replay.
  std::vector<uint8_t> copy = packet;
  const auto first = receiver->unprotect_rtp(packet.data(), packet.size());
  const auto second = receiver->unprotect_rtp(copy.data(), copy.size());
  if (first.ok() && second.error != SrtpError::kReplayed) std::abort();
  copy.assign(data + 3, data + size);
  receiver->unprotect_rtcp(copy.data(), copy.size());
  return 0;
}
