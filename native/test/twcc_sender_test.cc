#include "check.h"
#include "parley/media/twcc_recorder.h"
#include "parley/media/twcc_sender.h"

#include <cmath>
#include <map>

using namespace parley;
using namespace parley::test;

namespace {

// A report as it comes off the wire.
struct Wire {
  std::vector<uint8_t> bytes;
  RtcpPacket packet;
  TwccView view;
  explicit Wire(const TransportCcReport& report) : bytes(1400) {
    RtcpWriter writer(bytes);
    CHECK(writer.transport_cc(1, 2, report));
    RtcpIterator it({bytes.data(), writer.size()});
    CHECK(it.next(packet));
    CHECK(read_twcc(packet, view));
  }
  Wire(const Wire&) = delete;
};

}  // namespace

TEST("the reader in place agrees with the one that makes a list") {
  Random random(31);
  for (int round = 0; round < 3000; ++round) {
    TransportCcReport report;
    report.base_sequence = static_cast<uint16_t>(random.next());
    report.reference_time = static_cast<int32_t>(random.between(-(1 << 23), (1 << 23) - 1));
    report.feedback_count = static_cast<uint8_t>(random.next());
    const double loss = random.unit();
    for (int64_t n = random.between(1, 300); n > 0; --n) {
      if (random.chance(loss)) report.entries.push_back({});
      else report.entries.push_back({true, static_cast<int32_t>(random.chance(0.1) ? random.between(-32768, 32767) : random.between(0, 255))});
    }
    const Wire wire(report);
    CHECK_EQ(wire.view.count, report.entries.size());
    CHECK_EQ(wire.view.feedback_count, report.feedback_count);
    size_t i = 0;
    int64_t at = int64_t{report.reference_time} * 64'000;
    for_each_twcc(wire.view, [&](uint16_t sequence, bool received, int64_t arrival_us) {
      CHECK_EQ(sequence, static_cast<uint16_t>(report.base_sequence + i));
      CHECK_EQ(received, report.entries[i].received);
      if (received) {
        at += int64_t{report.entries[i].delta} * 250;
        CHECK_EQ(arrival_us, at);
      }
      ++i;
    });
    CHECK_EQ(i, report.entries.size());
  }
}

TEST("messages that say more than they hold are refused, as the other reader does") {
  Random random(32);
  size_t good = 0;
  for (int round = 0; round < 200000; ++round) {
    std::vector<uint8_t> body(16 + random.below(12));
    for (auto& b : body) b = static_cast<uint8_t>(random.chance(0.4) ? 0 : random.next());
    body[10] = 0;
    body[11] = static_cast<uint8_t>(random.below(24));
    const RtcpPacket packet{RtcpType::kRtpfb, kFmtTransportCc, body};
    TwccView view;
    TransportCcReport report;
    const bool ok = read_twcc(packet, view);
    CHECK_EQ(ok, read_transport_cc(packet, report));
    good += ok;
  }
  CHECK(good > 1000);
}

TEST("[QOS] the groups of a subscriber's feedback give back what the path did: deltas, bytes, losses") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    TwccSender sender;
    TwccRecorder recorder;
    struct Truth {
      int64_t sent_us;
      int64_t arrival_us;
      size_t bytes;
      bool lost;
    };
    std::map<uint64_t, Truth> truth;
    const auto start = static_cast<uint16_t>(random.next());
    uint64_t n = 0;
    int64_t now = random.between(1, int64_t{1} << 40);
    int64_t queue_us = 0;
    // The receiver's clock has nothing to do with ours.
    const int64_t receiver_offset = random.between(0, int64_t{1} << 38);
    uint64_t told_packets = 0, told_bytes = 0, told_lost = 0, grouped_packets = 0, grouped_lost = 0;
    int64_t send_sum = 0, receive_sum = 0;
    size_t groups_total = 0, reports = 0;
    for (int frame = 0; frame < 1500; ++frame) {
      now += random.between(8'000, 33'000);
      queue_us = std::max<int64_t>(0, queue_us + random.between(-4'000, 4'000));
      const auto packets = random.between(1, 6);
      for (int64_t i = 0; i < packets; ++i) {
        const size_t bytes = static_cast<size_t>(random.between(100, 1'200));
        const int64_t sent = now + i * 40;
        sender.on_sent(static_cast<uint16_t>(start + n), bytes, sent);
        Truth t{sent, sent + 20'000 + queue_us + i * 100, bytes, random.chance(0.03)};
        if (!t.lost) recorder.on_packet(static_cast<uint16_t>(start + n), t.arrival_us + receiver_offset);
        truth[n++] = t;
      }
      if (frame % 5 != 4) continue;
      TransportCcReport report;
      while (recorder.take_report(now + 1'000'000, report)) {
        const Wire wire(report);
        std::array<TwccGroup, TwccSender::kMaxGroups> groups;
        TwccSummary summary;
        const size_t count = sender.on_feedback(wire.view, now + 30'000, groups, summary);
        ++reports;
        told_packets += summary.packets;
        told_bytes += summary.bytes;
        told_lost += summary.lost;
        CHECK_EQ(summary.unknown, 0u);
        if (summary.packets > 0) CHECK(summary.feedback_delay_us > 0 && summary.feedback_delay_us < 200'000);
        for (size_t g = 0; g < count; ++g) {
          CHECK(groups[g].packets > 0 && groups[g].packets <= 6);
          grouped_packets += groups[g].packets;
          grouped_lost += groups[g].lost;
          send_sum += groups[g].send_delta_us;
          receive_sum += groups[g].receive_delta_us;
          // A frame is a group: nothing between them is nearer than 8 ms.
          CHECK(groups[g].send_delta_us >= 7'000);
          ++groups_total;
        }
      }
    }
    uint64_t arrived = 0, lost = 0, bytes = 0;
    for (const auto& [k, t] : truth) {
      (t.lost ? lost : arrived) += 1;
      if (!t.lost) bytes += t.bytes;
    }
    // All but those at the very end, which no report told of.
    CHECK(told_packets == arrived && told_bytes == bytes);
    CHECK(lost - told_lost <= 6);
    // The first group has no one before it, the last one is still open.
    CHECK(arrived - grouped_packets <= 12);
    CHECK(told_lost - grouped_lost <= 12);
    CHECK(groups_total > 1400);
    CHECK_EQ(reports, 300u);
    // Sums telescope: how long it took to send from the first group to the last, and to arrive.
    const double span = static_cast<double>(truth.rbegin()->second.sent_us - truth.begin()->second.sent_us);
    CHECK(std::abs(static_cast<double>(send_sum) - span) < 120'000);
    const double arrivals = static_cast<double>(truth.rbegin()->second.arrival_us - truth.begin()->second.arrival_us);
    CHECK(std::abs(static_cast<double>(receive_sum) - arrivals) < 120'000);
  }
}

TEST("a queue that grows shows as receive deltas longer than send deltas, by as much") {
  TwccSender sender;
  std::array<TwccGroup, TwccSender::kMaxGroups> groups;
  TwccSummary summary;
  TransportCcReport report;
  report.base_sequence = 65'530;
  report.reference_time = 7;
  for (int i = 0; i < 20; ++i) {
    sender.on_sent(static_cast<uint16_t>(65'530 + i), 1'000, 1'000'000 + i * 10'000);
    // 2 ms more each time, in ticks of 250 us.
    report.entries.push_back({true, i == 0 ? 4 : 48});
  }
  const Wire wire(report);
  const size_t count = sender.on_feedback(wire.view, 1'300'000, groups, summary);
  CHECK_EQ(count, 18u);
  for (size_t g = 0; g < count; ++g) {
    CHECK_EQ(groups[g].send_delta_us, 10'000);
    CHECK_EQ(groups[g].receive_delta_us, 12'000);
    CHECK_EQ(groups[g].bytes, 1'000u);
  }
  CHECK_EQ(summary.packets, 20u);
  CHECK_EQ(summary.feedback_delay_us, 110'000);
  // The same report again tells nothing new.
  CHECK_EQ(sender.on_feedback(wire.view, 1'310'000, groups, summary), 0u);
  CHECK_EQ(summary.unknown, 20u);
  CHECK_EQ(summary.packets, 0u);
}

TEST("reports of packets that were never sent, or of thousands at once, do no harm") {
  Random random(5);
  TwccSender sender;
  std::array<TwccGroup, TwccSender::kMaxGroups> groups;
  TwccSummary summary;
  for (int round = 0; round < 2000; ++round) {
    for (int64_t k = random.between(0, 700); k > 0; --k) {
      sender.on_sent(static_cast<uint16_t>(random.next()), random.below(100'000), random.between(0, int64_t{1} << 50));
    }
    TransportCcReport report;
    report.base_sequence = static_cast<uint16_t>(random.next());
    report.reference_time = static_cast<int32_t>(random.between(-(1 << 23), (1 << 23) - 1));
    for (int64_t k = random.between(1, 400); k > 0; --k) {
      report.entries.push_back({random.chance(0.8), static_cast<int32_t>(random.between(-32768, 32767))});
    }
    const Wire wire(report);
    const size_t count = sender.on_feedback(wire.view, random.between(0, int64_t{1} << 50), groups, summary);
    CHECK(count <= TwccSender::kMaxGroups);
    CHECK_EQ(summary.packets + summary.lost + summary.unknown, report.entries.size());
  }
}
