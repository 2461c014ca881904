// Payload descriptors alone: the first byte picks the codec.
#include <cstdlib>

#include "parley/wire/codecs.h"

using namespace parley;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::span<const uint8_t> payload(data + 1, size - 1);
  const auto info = inspect_payload(static_cast<Codec>(data[0] & 7), payload);
  if (info.picture_id_offset != 0 && info.picture_id_offset + (info.picture_id_long ? 2u : 1u) > payload.size()) std::abort();
  if (info.tl0_offset != 0 && info.tl0_offset >= payload.size()) std::abort();
  if (info.picture_id > (info.picture_id_long ? 0x7fff : 0x7f)) std::abort();
  if (info.key_frame && info.bare_key_frame) std::abort();
  return 0;
}
