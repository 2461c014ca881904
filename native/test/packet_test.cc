// A packet made for one subscriber: what of its payload differs from the publisher's.
#include <vector>

#include "check.h"
#include "engine/out_packet.h"

using namespace parley;
using namespace parley::test;

TEST("the running numbers of a descriptor are written where they lie, and nowhere else") {
  OutPacket out;
  out.picture_id_delta = 5;
  out.tl0_delta = 7;
  PayloadInfo info;
  info.picture_id_offset = 2;
  info.picture_id = 126;
  info.tl0_offset = 3;
  info.tl0 = 250;
  const auto patched = [&](size_t size) {
    std::vector<uint8_t> bytes(5, 0xee);
    patch_descriptor(bytes.data(), size, info, out);
    return bytes;
  };
  CHECK(patched(4) == (std::vector<uint8_t>{0xee, 0xee, 3, 1, 0xee}));
  // The picture's number of seven bits may be all that is left of the payload.
  CHECK(patched(3) == (std::vector<uint8_t>{0xee, 0xee, 3, 0xee, 0xee}));
  CHECK(patched(2) == (std::vector<uint8_t>{0xee, 0xee, 0xee, 0xee, 0xee}));
  info.picture_id_long = true;
  info.picture_id = 0x7fff;
  info.tl0_offset = 4;
  CHECK(patched(5) == (std::vector<uint8_t>{0xee, 0xee, 0x80, 4, 1}));
  CHECK(patched(3) == (std::vector<uint8_t>{0xee, 0xee, 0xee, 0xee, 0xee}));
}
