#include "check.h"
#include "parley/wire/rtcp.h"

#include <deque>

using namespace parley;
using namespace parley::test;

namespace {
std::vector<RtcpPacket> all(std::span<const uint8_t> bytes, bool* malformed = nullptr) {
  RtcpIterator it(bytes);
  std::vector<RtcpPacket> out;
  RtcpPacket packet;
  while (it.next(packet)) out.push_back(packet);
  if (malformed != nullptr) *malformed = it.malformed();
  return out;
}
// Packets are views: the bytes live as long as the test.
std::vector<RtcpPacket> all_of(std::string_view text, bool* malformed = nullptr) {
  static std::deque<std::vector<uint8_t>> kept;
  kept.push_back(hex(text));
  return all(kept.back(), malformed);
}
}  // namespace

TEST("a hand-made compound: SR with a block, SDES, BYE, padding at the end") {
  const auto bytes = hex(
      "81c8000c 00000001 e9d2c1b0 80000000 00015f90 0000000a 00000320"
      "00000002 40fffffe 00010005 00000007 c1b08000 00010000"
      "81ca0003 00000001 01036162 63000000"
      "a1cb0002 00000001 00000004");
  bool malformed = true;
  const auto packets = all(bytes, &malformed);
  CHECK(!malformed);
  CHECK_EQ(packets.size(), 3u);
  SenderInfo info;
  CHECK(read_sender_info(packets[0], info));
  CHECK_EQ(info.ntp, 0xe9d2c1b080000000u);
  CHECK_EQ(info.rtp_timestamp, 90000u);
  CHECK_EQ(info.packets, 10u);
  CHECK_EQ(info.bytes, 800u);
  ReportBlock block;
  CHECK(read_report_block(packets[0], 0, block));
  CHECK_EQ(block.ssrc, 2u);
  CHECK_EQ(block.fraction_lost, 64);
  CHECK_EQ(block.cumulative_lost, -2);
  CHECK_EQ(block.highest_sequence, 0x10005u);
  CHECK_EQ(block.delay_since_last_sr, 65536u);
  CHECK(!read_report_block(packets[0], 1, block));
  std::vector<uint32_t> left;
  read_byes(packets[2], [&](uint32_t ssrc) { left.push_back(ssrc); });
  CHECK_EQ(left.size(), 1u);
  CHECK_EQ(left[0], 1u);
  CHECK_EQ(packets[2].body.size(), 4u);
}

TEST("malformed compounds stop where they go wrong") {
  bool malformed = false;
  CHECK_EQ(all_of("80c9000100000001 80c90001", &malformed).size(), 1u);
  CHECK(malformed);
  CHECK_EQ(all_of("40c9000100000001", &malformed).size(), 0u);
  CHECK(malformed);
  CHECK_EQ(all_of("a0c9000100000005", &malformed).size(), 0u);
  CHECK(malformed);
  CHECK_EQ(all_of("", &malformed).size(), 0u);
  CHECK(!malformed);
}

TEST("NACK of RFC 4585: PID and BLP, wrap") {
  const auto packets = all_of("81cd0003 00000001 00000002 fffe8005");
  std::vector<uint16_t> asked;
  read_nacks(packets[0], [&](uint16_t s) { asked.push_back(s); });
  CHECK(asked == (std::vector<uint16_t>{0xfffe, 0xffff, 1, 14}));
}

TEST("everything written is read back") {
  Random random(3);
  for (int round = 0; round < 500; ++round) {
    std::vector<uint8_t> buffer(1400);
    RtcpWriter writer(buffer);
    SenderInfo info{static_cast<uint32_t>(random.next()), random.next(), static_cast<uint32_t>(random.next()),
                    static_cast<uint32_t>(random.next()), static_cast<uint32_t>(random.next())};
    std::vector<ReportBlock> blocks(random.below(8));
    for (auto& b : blocks) {
      b = {static_cast<uint32_t>(random.next()), static_cast<uint8_t>(random.next()),
           static_cast<int32_t>(random.between(-0x800000, 0x7fffff)), static_cast<uint32_t>(random.next()),
           static_cast<uint32_t>(random.next()), static_cast<uint32_t>(random.next()), static_cast<uint32_t>(random.next())};
    }
    CHECK(writer.sender_report(info, blocks));
    const std::string cname(random.below(40), 'c');
    CHECK(writer.sdes_cname(info.ssrc, cname));
    std::vector<uint16_t> nacks;
    auto s = static_cast<uint16_t>(random.next());
    for (size_t n = random.between(1, 60); n > 0; --n) {
      nacks.push_back(s);
      s = static_cast<uint16_t>(s + random.between(1, random.chance(0.3) ? 40 : 3));
    }
    CHECK(writer.nack(1, 2, nacks));
    CHECK(writer.pli(3, 4));
    CHECK(writer.fir(5, 6, 7));
    const uint32_t gone[] = {8, 9};
    CHECK(writer.bye(gone));

    bool malformed = true;
    const auto packets = all(std::span(buffer).first(writer.size()), &malformed);
    CHECK(!malformed);
    CHECK_EQ(packets.size(), 6u);
    SenderInfo read;
    CHECK(read_sender_info(packets[0], read));
    CHECK_EQ(read.ntp, info.ntp);
    CHECK_EQ(read.bytes, info.bytes);
    for (size_t i = 0; i < blocks.size(); ++i) {
      ReportBlock b;
      CHECK(read_report_block(packets[0], i, b));
      CHECK_EQ(b.ssrc, blocks[i].ssrc);
      CHECK_EQ(b.cumulative_lost, blocks[i].cumulative_lost);
      CHECK_EQ(b.jitter, blocks[i].jitter);
      CHECK_EQ(b.last_sr, blocks[i].last_sr);
    }
    CHECK_EQ(packets[1].body[5], cname.size());
    std::vector<uint16_t> asked;
    read_nacks(packets[2], [&](uint16_t x) { asked.push_back(x); });
    CHECK(asked == nacks);
    FeedbackHeader header;
    CHECK(read_feedback(packets[3], header));
    CHECK_EQ(header.media_ssrc, 4u);
    read_firs(packets[4], [&](uint32_t ssrc, uint8_t sequence) {
      CHECK_EQ(ssrc, 6u);
      CHECK_EQ(sequence, 7);
    });
  }
}

TEST("a writer without room says so and leaves what it had") {
  std::vector<uint8_t> buffer(20);
  RtcpWriter writer(buffer);
  CHECK(writer.pli(1, 2));
  CHECK(!writer.pli(1, 2));
  CHECK_EQ(writer.size(), 12u);
  const uint16_t many[] = {1, 100, 200};
  CHECK(!writer.nack(1, 2, many));
  CHECK_EQ(writer.size(), 12u);
}

// A slow model that shares no code: decodes a message of the draft bit by bit.
namespace {
struct Model {
  std::vector<std::pair<bool, int64_t>> packets;  // received, arrival in ticks of 250 us
};
bool decode(std::span<const uint8_t> m, Model& out) {
  std::string bits;
  for (uint8_t b : m) for (int i = 7; i >= 0; --i) bits += (b >> i & 1) ? '1' : '0';
  const auto number = [&](size_t at, size_t n) { return std::stoll(bits.substr(at, n), nullptr, 2); };
  const size_t count = static_cast<size_t>(number(14 * 8, 16));
  int64_t reference = number(16 * 8, 24);
  if (reference >= 1 << 23) reference -= 1 << 24;
  std::vector<int> symbols;
  size_t at = 20 * 8;
  while (symbols.size() < count) {
    if (bits[at] == '0') {
      symbols.insert(symbols.end(), static_cast<size_t>(number(at + 3, 13)), static_cast<int>(number(at + 1, 2)));
    } else if (bits[at + 1] == '0') {
      for (size_t i = 0; i < 14; ++i) symbols.push_back(static_cast<int>(number(at + 2 + i, 1)));
    } else {
      for (size_t i = 0; i < 7; ++i) symbols.push_back(static_cast<int>(number(at + 2 + 2 * i, 2)));
    }
    at += 16;
  }
  symbols.resize(count);
  int64_t ticks = reference * 256;
  for (int symbol : symbols) {
    if (symbol == 1) {
      ticks += number(at, 8);
      at += 8;
    } else if (symbol == 2) {
      int64_t delta = number(at, 16);
      if (delta >= 1 << 15) delta -= 1 << 16;
      ticks += delta;
      at += 16;
    } else if (symbol != 0) {
      return false;
    }
    out.packets.push_back({symbol != 0, ticks});
  }
  return at <= bits.size() && bits.size() - at < 32;
}
}  // namespace

TEST("transport-wide feedback agrees with a slow model, whatever the pattern") {
  Random random(5);
  for (int round = 0; round < 2000; ++round) {
    TransportCcReport report;
    report.base_sequence = static_cast<uint16_t>(random.next());
    report.feedback_count = static_cast<uint8_t>(random.next());
    report.reference_time = static_cast<int32_t>(random.between(-(1 << 23), (1 << 23) - 1));
    const double loss = random.unit() * random.unit();
    const double large = random.chance(0.5) ? 0 : random.unit();
    const size_t count = static_cast<size_t>(random.between(1, 400));
    for (size_t i = 0; i < count; ++i) {
      if (random.chance(loss)) report.entries.push_back({});
      else report.entries.push_back({true, static_cast<int32_t>(random.chance(large) ? random.between(-32768, 32767) : random.between(0, 255))});
    }
    std::vector<uint8_t> buffer(1400);
    RtcpWriter writer(buffer);
    CHECK(writer.transport_cc(1, 2, report));
    const auto bytes = std::span(buffer).first(writer.size());
    Model model;
    CHECK(decode(bytes, model));
    CHECK_EQ(model.packets.size(), count);
    int64_t ticks = int64_t{report.reference_time} * 256;
    for (size_t i = 0; i < count; ++i) {
      CHECK_EQ(model.packets[i].first, report.entries[i].received);
      if (report.entries[i].received) {
        ticks += report.entries[i].delta;
        CHECK_EQ(model.packets[i].second, ticks);
      }
    }
    TransportCcReport read;
    CHECK(read_transport_cc(all(bytes)[0], read));
    CHECK_EQ(read.base_sequence, report.base_sequence);
    CHECK_EQ(read.reference_time, report.reference_time);
    CHECK_EQ(read.feedback_count, report.feedback_count);
    CHECK_EQ(read.entries.size(), count);
    for (size_t i = 0; i < count; ++i) {
      CHECK_EQ(read.entries[i].received, report.entries[i].received);
      CHECK_EQ(read.entries[i].delta, report.entries[i].delta);
    }
  }
}

TEST("a hand-made transport-wide message: run, one-bit and two-bit chunks") {
  // 20 packets: run of 3 small; 14 one-bit (received, lost in turn); then two-bit: large, lost, small.
  const auto bytes = hex("8fcd000a 00000001 00000002 000a0014 ffffff07 2003 aaaa d100"
                         "010203 04050607080900 0000000000 ff9c 05 000000");
  const auto packets = all(bytes);
  CHECK_EQ(packets.size(), 1u);
  TransportCcReport report;
  CHECK(read_transport_cc(packets[0], report));
  CHECK_EQ(report.reference_time, -1);
  CHECK_EQ(report.entries.size(), 20u);
  CHECK(report.entries[3].received && !report.entries[4].received && report.entries[5].received);
  CHECK_EQ(report.entries[3].delta, 4);
}

TEST("a feedback that says more than it holds is refused") {
  TransportCcReport report;
  // No deltas, no chunks, a reserved symbol, a run of none.
  CHECK(!read_transport_cc(all_of("8fcd0005 00000001 00000002 000a0003 00000007 20030000")[0], report) ||
        report.entries.size() == 3);
  CHECK(!read_transport_cc(all_of("8fcd0004 00000001 00000002 000a0003 00000007")[0], report));
  CHECK(!read_transport_cc(all_of("8fcd0005 00000001 00000002 000a0003 00000007 60030000")[0], report));
  CHECK(!read_transport_cc(all_of("8fcd0005 00000001 00000002 000a0003 00000007 20000000")[0], report));
  CHECK(!read_transport_cc(all_of("8fcd0005 00000001 00000002 000a0000 00000007 20000000")[0], report));
  CHECK(!read_transport_cc(all_of("8fcd0005 00000001 00000002 000a0004 00000007 40040000")[0], report));
}
