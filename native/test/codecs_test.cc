#include "check.h"
#include "parley/wire/codecs.h"

using namespace parley;
using namespace parley::test;

namespace {
PayloadInfo look(Codec codec, std::string_view text) { return inspect_payload(codec, hex(text)); }
}  // namespace

TEST("VP8: key frames, picture ids of 7 and 15 bits, TL0PICIDX (RFC 7741)") {
  auto info = look(Codec::kVp8, "10 00 9d012a");
  CHECK(info.key_frame);
  CHECK_EQ(info.picture_id_offset, 0);
  CHECK(!look(Codec::kVp8, "10 01 9d012a").key_frame);
  // Not the first packet of the frame; not the first partition.
  CHECK(!look(Codec::kVp8, "00 00 9d012a").key_frame);
  CHECK(!look(Codec::kVp8, "11 00 9d012a").key_frame);
  info = look(Codec::kVp8, "90 80 15 00");
  CHECK(info.key_frame && !info.picture_id_long);
  CHECK_EQ(info.picture_id_offset, 2);
  CHECK_EQ(info.picture_id, 0x15);
  // X, I L T K: long picture id, TL0PICIDX, TID/Y/KEYIDX.
  info = look(Codec::kVp8, "90 f0 9234 56 e1 00");
  CHECK(info.key_frame && info.picture_id_long);
  CHECK_EQ(info.picture_id, 0x1234);
  CHECK_EQ(info.picture_id_offset, 2);
  CHECK_EQ(info.tl0_offset, 4);
  CHECK_EQ(info.tl0, 0x56);
  CHECK(!look(Codec::kVp8, "90 f0 9234 56 e1 01").key_frame);
}

TEST("VP9: key frames of the lowest layer, flexible mode has no TL0PICIDX (RFC 9628)") {
  CHECK(look(Codec::kVp9, "08 00").key_frame);
  CHECK(!look(Codec::kVp9, "48 00").key_frame);
  CHECK(!look(Codec::kVp9, "00 00").key_frame);
  auto info = look(Codec::kVp9, "a8 8123 00 77 00");
  CHECK(info.key_frame && info.picture_id_long);
  CHECK_EQ(info.picture_id, 0x123);
  CHECK_EQ(info.picture_id_offset, 1);
  CHECK_EQ(info.tl0_offset, 4);
  CHECK_EQ(info.tl0, 0x77);
  info = look(Codec::kVp9, "b8 11 00 00");
  CHECK(info.key_frame && !info.picture_id_long);
  CHECK_EQ(info.tl0_offset, 0);
  // Spatial layer 1 of a key picture is no place to begin.
  CHECK(!look(Codec::kVp9, "a8 8123 02 77 00").key_frame);
}

TEST("H264: parameter sets begin, an IDR alone is told apart (RFC 6184)") {
  CHECK(look(Codec::kH264, "67 42e01f").key_frame);
  CHECK(look(Codec::kH264, "65 88").bare_key_frame);
  CHECK(!look(Codec::kH264, "61 88").key_frame);
  // STAP-A with SPS, PPS, IDR; with SEI and slice.
  CHECK(look(Codec::kH264, "78 0002 6742 0001 68 0002 6588").key_frame);
  CHECK(!look(Codec::kH264, "78 0001 06 0002 6188").key_frame);
  CHECK(look(Codec::kH264, "78 0001 06 0002 6588").bare_key_frame);
  // FU-A: only its first part counts.
  CHECK(look(Codec::kH264, "7c 85 88").bare_key_frame);
  CHECK(!look(Codec::kH264, "7c 05 88").bare_key_frame);
  CHECK(look(Codec::kH264, "7c 87 88").key_frame);
}

TEST("H265: VPS, SPS, IRAP, aggregation and fragments (RFC 7798)") {
  CHECK(look(Codec::kH265, "4001 0c").key_frame);
  CHECK(look(Codec::kH265, "4201 01").key_frame);
  CHECK(look(Codec::kH265, "2601 aa").bare_key_frame);
  CHECK(!look(Codec::kH265, "0201 aa").key_frame);
  CHECK(look(Codec::kH265, "6001 0002 4001 0002 4201").key_frame);
  CHECK(look(Codec::kH265, "6201 93 aa").bare_key_frame);
  CHECK(!look(Codec::kH265, "6201 13 aa").bare_key_frame);
}

TEST("AV1: the N bit begins a coded video sequence") {
  CHECK(look(Codec::kAv1, "18 0a0b").key_frame);
  CHECK(!look(Codec::kAv1, "10 320b").key_frame);
}

TEST("no prefix of a payload reads past its end, and offsets lie inside") {
  Random random(17);
  for (int round = 0; round < 20000; ++round) {
    std::vector<uint8_t> payload(random.below(24));
    for (auto& b : payload) b = static_cast<uint8_t>(random.next());
    for (int codec = 0; codec <= 7; ++codec) {
      // A copy of exactly its size, so that AddressSanitizer sees one byte too much.
      const std::vector<uint8_t> exact(payload);
      const auto info = inspect_payload(static_cast<Codec>(codec), exact);
      if (info.picture_id_offset != 0) CHECK(info.picture_id_offset + (info.picture_id_long ? 2u : 1u) <= exact.size());
      if (info.tl0_offset != 0) CHECK(info.tl0_offset < exact.size());
    }
  }
}
