// RTP: offsets and sizes stay within the packet; payloads are inspected for every codec.
#include <cstdlib>

#include "parley/wire/codecs.h"
#include "parley/wire/rtp.h"

using namespace parley;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const ExtensionMap map = [] {
    ExtensionMap m;
    for (uint8_t i = 1; i < kExtensionCount; ++i) m.set(i, static_cast<Extension>(i));
    return m;
  }();
  const std::span<const uint8_t> packet(data, size);
  RtpHeader h;
  if (!parse_rtp(packet, map, h)) return 0;
  if (size_t{h.header_size} + h.payload_size + h.padding != size) std::abort();
  unsigned sum = 0;
  for (const auto& e : h.extensions) {
    if (e.offset == 0) continue;
    if (e.offset < kRtpFixedSize + 4 || size_t{e.offset} + e.size > h.header_size) std::abort();
    for (size_t i = 0; i < e.size; ++i) sum += data[e.offset + i];
  }
  const auto payload = packet.subspan(h.header_size, h.payload_size);
  for (int codec = 0; codec <= 7; ++codec) {
    const auto info = inspect_payload(static_cast<Codec>(codec), payload);
    if (info.picture_id_offset != 0 && info.picture_id_offset + (info.picture_id_long ? 2u : 1u) > payload.size()) std::abort();
    if (info.tl0_offset != 0 && info.tl0_offset >= payload.size()) std::abort();
    sum += info.key_frame;
  }
  return sum == 0xffffffff;
}
