#include "check.h"
#include "parley/wire/rtp.h"

#include "parley/wire/bytes.h"

using namespace parley;
using namespace parley::test;

namespace {
std::string value(std::span<const uint8_t> packet, const RtpHeader& h, Extension e) {
  return to_hex(packet.subspan(h.extension(e).offset, h.extension(e).size));
}
ExtensionMap map_of(std::initializer_list<std::pair<uint8_t, Extension>> pairs) {
  ExtensionMap map;
  for (auto [id, extension] : pairs) map.set(id, extension);
  return map;
}
}  // namespace

TEST("fixed header, CSRCs and payload") {
  const auto packet = hex("82e01234 89abcdef 01020304 aaaaaaaa bbbbbbbb 112233");
  RtpHeader h;
  CHECK(parse_rtp(packet, {}, h));
  CHECK(h.marker);
  CHECK_EQ(h.payload_type, 96);
  CHECK_EQ(h.sequence, 0x1234);
  CHECK_EQ(h.timestamp, 0x89abcdefu);
  CHECK_EQ(h.ssrc, 0x01020304u);
  CHECK_EQ(h.header_size, 20);
  CHECK_EQ(h.payload_size, 3);
  CHECK_EQ(h.padding, 0);
}

TEST("one-byte extensions: padding between, unknown ids, 15 ends") {
  const auto map = map_of({{1, Extension::kMid}, {3, Extension::kTransportCc}, {5, Extension::kAudioLevel}, {9, Extension::kRid}});
  // id 1 "ab", pad, id 3 two bytes, id 7 unknown one byte, id 5 one byte, id 15, id 9
  const auto packet = hex("90600001 00000002 00000003 bede0005 116162 00 31beef 70ff 50aa f0 9031 00000000 0000 0102");
  RtpHeader h;
  CHECK(parse_rtp(packet, map, h));
  CHECK_EQ(value(packet, h, Extension::kMid), "6162");
  CHECK_EQ(value(packet, h, Extension::kTransportCc), "beef");
  CHECK_EQ(value(packet, h, Extension::kAudioLevel), "aa");
  CHECK_EQ(h.extension(Extension::kRid).offset, 0);
  CHECK_EQ(h.header_size, 12 + 4 + 20);
}

TEST("two-byte extensions: empty and long values, app bits") {
  const auto map = map_of({{1, Extension::kMid}, {20, Extension::kDependencyDescriptor}, {2, Extension::kRid}});
  std::string text = "90600001 00000002 00000003 10050009 010131 0200 1411";
  for (int i = 0; i < 17; ++i) text += "cd";
  text += "0000000000000000000000000102";
  auto packet = hex(text);
  packet.resize(12 + 4 + 36 + 2);
  RtpHeader h;
  CHECK(parse_rtp(packet, map, h));
  CHECK_EQ(value(packet, h, Extension::kMid), "31");
  CHECK_EQ(h.extension(Extension::kRid).size, 0);
  CHECK_EQ(h.extension(Extension::kDependencyDescriptor).size, 17);
  CHECK_EQ(h.payload_size, 2);
}

TEST("an element that overruns its block ends the extensions, not the packet") {
  const auto map = map_of({{1, Extension::kMid}, {2, Extension::kRid}});
  const auto packet = hex("90600001 00000002 00000003 bede0001 1031 2f 00 55");
  RtpHeader h;
  CHECK(parse_rtp(packet, map, h));
  CHECK_EQ(value(packet, h, Extension::kMid), "31");
  CHECK_EQ(h.extension(Extension::kRid).offset, 0);
  CHECK_EQ(h.payload_size, 1);
}

TEST("malformed packets are refused") {
  RtpHeader h;
  CHECK(!parse_rtp(hex("806000010000000200000"), {}, h));
  CHECK(!parse_rtp(hex("406000010000000200000003"), {}, h));
  CHECK(!parse_rtp(hex("816000010000000200000003"), {}, h));
  CHECK(!parse_rtp(hex("906000010000000200000003"), {}, h));
  CHECK(!parse_rtp(hex("906000010000000200000003bede0001"), {}, h));
  // Padding: none there, zero, longer than the payload.
  CHECK(!parse_rtp(hex("a06000010000000200000003"), {}, h));
  CHECK(!parse_rtp(hex("a0600001000000020000000300"), {}, h));
  CHECK(!parse_rtp(hex("a06000010000000200000003aa03"), {}, h));
  CHECK(parse_rtp(hex("a06000010000000200000003aa02"), {}, h));
  CHECK_EQ(h.payload_size, 0);
  CHECK_EQ(h.padding, 2);
}

TEST("what the extension writer writes is read back") {
  Random random(11);
  for (int round = 0; round < 2000; ++round) {
    const bool two_byte = random.chance(0.3);
    uint8_t packet[12 + ExtensionWriter::kMaxBlock + 4] = {0x90, 96};
    ExtensionMap map;
    ExtensionWriter writer(packet + 12, two_byte);
    std::array<std::string, kExtensionCount> expected;
    for (size_t e = 1; e < kExtensionCount; ++e) {
      if (random.chance(0.4)) continue;
      const auto id = static_cast<uint8_t>(two_byte ? e + 15 : e);
      map.set(id, static_cast<Extension>(e));
      const size_t size = static_cast<size_t>(random.between(1, two_byte ? 30 : 16));
      uint8_t* at = writer.add(id, size);
      if (at == nullptr) continue;
      for (size_t i = 0; i < size; ++i) at[i] = static_cast<uint8_t>(random.next());
      expected[e] = to_hex({at, size});
    }
    const size_t block = writer.finish();
    if (block == 0) packet[0] = 0x80;
    CHECK_EQ(block % 4, 0u);
    const std::span<const uint8_t> whole(packet, 12 + block + 3);
    RtpHeader h;
    CHECK(parse_rtp(whole, map, h));
    CHECK_EQ(h.payload_size, 3);
    for (size_t e = 1; e < kExtensionCount; ++e) CHECK_EQ(value(whole, h, static_cast<Extension>(e)), expected[e]);
  }
}

TEST("the extension writer refuses what its form cannot hold") {
  uint8_t block[ExtensionWriter::kMaxBlock];
  ExtensionWriter one(block, false);
  CHECK(one.add(15, 1) == nullptr);
  CHECK(one.add(1, 17) == nullptr);
  CHECK(one.add(1, 0) == nullptr);
  CHECK(one.add(0, 1) == nullptr);
  CHECK_EQ(one.finish(), 0u);
  ExtensionWriter two(block, true);
  CHECK(two.add(255, 200) != nullptr);
  CHECK(two.add(1, 60) == nullptr);
  CHECK_EQ(two.finish(), 4u + 204u);
}
