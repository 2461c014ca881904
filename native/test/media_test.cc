#include "check.h"
#include "parley/media/audio_level.h"
#include "parley/media/burst_watch.h"
#include "parley/media/key_frame_requests.h"
#include "parley/media/nack_tracker.h"
#include "parley/media/receive_stats.h"
#include "parley/media/sequence.h"
#include "parley/media/twcc_recorder.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

using namespace parley;
using namespace parley::test;

TEST("sequence numbers unwrap through loss, reorder and wrap") {
  Random random(1);
  SequenceUnwrapper unwrapper;
  const uint64_t start = random.below(65536);
  uint64_t truth = start;
  for (int i = 0; i < 200000; ++i) {
    truth += static_cast<uint64_t>(random.between(1, random.chance(0.01) ? 5000 : 2));
    const uint64_t late = truth - std::min<uint64_t>(truth - start, random.below(200));
    CHECK_EQ(unwrapper.unwrap(static_cast<uint16_t>(truth)), 65536 + truth);
    CHECK_EQ(unwrapper.unwrap(static_cast<uint16_t>(late)), 65536 + late);
    CHECK_EQ(unwrapper.highest(), 65536 + truth);
  }
}

TEST("[MED-7] NACK: reordering is waited for, a gap is asked for, asked again after a round trip, given up in the end") {
  NackTracker tracker;
  std::vector<uint16_t> out;
  tracker.on_packet(100, 0);
  tracker.on_packet(103, 1'000);
  tracker.collect(2'000, 0, out);
  CHECK(out.empty());
  tracker.on_packet(102, 3'000);
  tracker.collect(7'000, 0, out);
  CHECK(out == std::vector<uint16_t>{101});
  out.clear();
  tracker.collect(20'000, 0, out);
  CHECK(out.empty());
  tracker.collect(28'000, 0, out);
  CHECK(out == std::vector<uint16_t>{101});
  // A long round trip: not asked again before the answer can be here.
  out.clear();
  tracker.collect(128'000, 200'000, out);
  CHECK(out.empty());
  tracker.collect(28'000 + 231'000, 200'000, out);
  CHECK(out == std::vector<uint16_t>{101});
  out.clear();
  tracker.collect(1'002'000, 200'000, out);
  CHECK(out.empty());
  CHECK(tracker.idle());
  CHECK_EQ(tracker.lost(), 1u);
}

TEST("NACK: what arrives is asked for no more; an outage is not asked for but told") {
  NackTracker tracker;
  std::vector<uint16_t> out;
  tracker.on_packet(65535, 0);
  tracker.on_packet(65538, 0);
  tracker.collect(10'000, 0, out);
  CHECK(out == (std::vector<uint16_t>{0, 1}));
  tracker.on_packet(65536, 11'000);
  tracker.on_packet(65537, 11'000);
  CHECK(tracker.idle());
  CHECK_EQ(tracker.lost(), 0u);
  CHECK(!tracker.take_overflow());
  tracker.on_packet(65538 + 301, 12'000);
  CHECK(tracker.take_overflow() && !tracker.take_overflow());
  CHECK_EQ(tracker.lost(), 300u);
  CHECK(tracker.idle());
  // Numbers that begin anew are no loss.
  tracker.on_packet(65538 + 301 + 20'000, 13'000);
  CHECK_EQ(tracker.lost(), 300u);
}

TEST("[MED-7] NACK repairs all of 10 % loss where retransmissions are lost as often") {
  Random random(9);
  NackTracker tracker;
  std::multimap<int64_t, uint64_t> arriving;
  std::set<uint64_t> got;
  const int64_t rtt = 40'000;
  uint64_t next = 70'000;
  for (int64_t now = 0; now < 20'000'000; now += 1'000) {
    if (now % 5'000 == 0 && now < 18'000'000) {
      if (!random.chance(0.1)) arriving.emplace(now + rtt / 2 + random.between(0, 3'000), next);
      ++next;
    }
    while (!arriving.empty() && arriving.begin()->first <= now) {
      got.insert(arriving.begin()->second);
      tracker.on_packet(arriving.begin()->second, now);
      arriving.erase(arriving.begin());
    }
    std::vector<uint16_t> out;
    tracker.collect(now, rtt, out);
    for (uint16_t s : out) {
      const uint64_t extended = (next & ~uint64_t{0xffff}) | s;
      const uint64_t wanted = extended > next ? extended - 65536 : extended;
      CHECK(got.count(wanted) == 0);
      if (!random.chance(0.1)) arriving.emplace(now + rtt + random.between(0, 3'000), wanted);
    }
  }
  CHECK_EQ(tracker.lost(), 0u);
  // All but what was lost at the very end, with nothing behind it that would tell.
  CHECK(next - 70'000 - got.size() <= 3);
}

TEST("[MED-7] transport-wide feedback reports each packet's fate and arrival to 250 us") {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    Random random(seed);
    TwccRecorder recorder;
    std::map<uint16_t, int64_t> sent_arrivals, told;
    std::set<uint16_t> told_lost;
    auto sequence = static_cast<uint16_t>(random.next());
    int64_t now = random.between(1, 1'000'000'000'000);
    int64_t last_report = now;
    std::vector<std::pair<uint16_t, int64_t>> held;
    int64_t base_told = -1, base_true = 0;
    for (int i = 0; i < 5000; ++i, ++sequence) {
      now += random.between(0, 4'000) + (random.chance(0.001) ? random.between(0, 20'000'000) : 0);
      if (random.chance(0.02)) {
        held.push_back({sequence, now});
      } else if (!random.chance(0.05)) {
        recorder.on_packet(sequence, now);
        sent_arrivals[sequence] = now;
      }
      if (held.size() > 2) {
        now += 10;
        recorder.on_packet(held[0].first, now);
        sent_arrivals[held[0].first] = now;
        held.erase(held.begin());
      }
      if (!recorder.due(now)) continue;
      CHECK(now - last_report >= TwccRecorder::kMinIntervalUs || base_told < 0);
      last_report = now;
      TransportCcReport report;
      while (recorder.take_report(now, report)) {
        std::vector<uint8_t> buffer(1200);
        RtcpWriter writer(buffer);
        CHECK(writer.transport_cc(1, 2, report));
        RtcpIterator it({buffer.data(), writer.size()});
        RtcpPacket packet;
        CHECK(it.next(packet));
        TransportCcReport read;
        CHECK(read_transport_cc(packet, read));
        int64_t at = int64_t{read.reference_time} * 64'000;
        uint16_t s = read.base_sequence;
        for (const auto& entry : read.entries) {
          if (entry.received) {
            at += entry.delta * 250;
            told[s] = at;
            if (base_told < 0) {
              base_told = at;
              base_true = sent_arrivals[s];
            }
            CHECK(sent_arrivals.count(s) == 1);
            // Modulo the field's 2^24 * 64 ms.
            const int64_t modulus = (int64_t{1} << 24) * 64'000;
            int64_t error = (at - base_told - (sent_arrivals[s] - base_true)) % modulus;
            if (error > modulus / 2) error -= modulus;
            if (error < -modulus / 2) error += modulus;
            CHECK(std::abs(error) <= 250);
          } else {
            told_lost.insert(s);
          }
          ++s;
        }
      }
      CHECK(!recorder.pending());
    }
    size_t untold = 0;
    for (const auto& [s, at] : sent_arrivals) untold += told.count(s) == 0;
    CHECK(untold < 200);
    CHECK(told_lost.size() > 100);
  }
}

TEST("transport-wide feedback: a burst larger than a report becomes several, a large gap none of thousands") {
  TwccRecorder recorder;
  for (int i = 0; i < 1000; ++i) recorder.on_packet(static_cast<uint16_t>(65000 + i), 1'000'000 + i * 10);
  TransportCcReport report;
  size_t told = 0, reports = 0;
  while (recorder.take_report(1'100'000, report)) {
    CHECK(report.entries.size() <= TwccRecorder::kMaxPerReport);
    told += report.entries.size();
    ++reports;
  }
  CHECK_EQ(told, 1000u);
  CHECK_EQ(reports, 3u);
  recorder.on_packet(static_cast<uint16_t>(66000 + 20'000), 1'200'000);
  size_t entries = 0;
  while (recorder.take_report(1'300'000, report)) entries += report.entries.size();
  CHECK(entries >= 1 && entries <= 1024);
}

TEST("feedback of a slow sender costs at most 5 % of a camera and 100 bytes each 100 ms of audio") {
  TwccRecorder recorder;
  int reports = 0;
  TransportCcReport report;
  for (int i = 0; i < 500; ++i) {
    recorder.on_packet(static_cast<uint16_t>(i), 1'000'000 + i * 20'000);
    if (recorder.due(1'000'000 + i * 20'000)) {
      while (recorder.take_report(1'000'000 + i * 20'000, report)) ++reports;
    }
  }
  CHECK(reports >= 90 && reports <= 101);
}

TEST("receiver report: loss and jitter against RFC 3550 computed slowly") {
  Random random(21);
  ReceiveStats stats;
  double jitter = 0;
  double last_transit = 0;
  uint64_t received = 0, received_prior = 0, expected_prior = 0;
  const uint64_t base = 65536 + 60'000;
  uint64_t highest = base;
  int64_t now = 5'000'000;
  for (uint64_t s = base; s < base + 20'000; ++s) {
    now += 20'000;
    if (s != base && random.chance(0.03)) continue;
    const auto timestamp = static_cast<uint32_t>((s - base) * 960);
    const int64_t arrival = now + random.between(0, 15'000);
    stats.on_packet(s, timestamp, 48'000, arrival);
    const double transit = static_cast<double>(arrival) * 48'000 / 1e6 - static_cast<double>(timestamp);
    if (received > 0) jitter += (std::abs(transit - last_transit) - jitter) / 16;
    last_transit = transit;
    ++received;
    highest = s;
    if (s % 100 != 0) continue;
    const auto block = stats.make_block(7, now);
    const uint64_t expected = highest - base + 1;
    CHECK_EQ(block.cumulative_lost, static_cast<int64_t>(expected - received));
    const uint64_t lost_interval = (expected - expected_prior) - (received - received_prior);
    CHECK_EQ(block.fraction_lost, lost_interval * 256 / (expected - expected_prior));
    CHECK_EQ(block.highest_sequence, static_cast<uint32_t>(highest - 65536));
    CHECK(std::abs(block.jitter - jitter) < 8);
    expected_prior = expected;
    received_prior = received;
  }
  stats.on_sender_report(0x0123456789abcdef, now);
  const auto block = stats.make_block(7, now + 500'000);
  CHECK_EQ(block.last_sr, 0x456789abu);
  CHECK_EQ(block.delay_since_last_sr, 32768u);
}

TEST("key frame requests merge, keep their distance, and go on until a key frame comes") {
  KeyFrameRequests requests(500'000);
  int sent = 0;
  for (int64_t now = 1'000; now < 2'000'000; now += 1'000) {
    if (now < 1'200'000) requests.request();
    sent += requests.due(now);
  }
  CHECK_EQ(sent, 4);
  requests.on_key_frame();
  CHECK(!requests.due(9'000'000));
  requests.request();
  CHECK(requests.due(9'000'000));
  requests.on_key_frame();
  requests.request();
  CHECK(!requests.due(9'400'000));
  CHECK(requests.due(9'500'000));
}

TEST("audio level rises within some packets and falls slowly") {
  AudioLevel level;
  CHECK_EQ(level.level(), 0);
  for (int i = 0; i < 10; ++i) level.on_packet(0x80 | 20);
  CHECK(level.level() > 95);
  for (int i = 0; i < 5; ++i) level.on_packet(127);
  CHECK(level.level() > 60);
  for (int i = 0; i < 60; ++i) level.on_packet(127);
  CHECK(level.level() < 5);
}

namespace {

// Ten seconds of a camera with six packets a frame, `gap_us` apart as it would send them, and a thread that works `work_us` on
// each packet. `one_core`: the camera cannot send while that thread works.
bool watched_bursts(int64_t gap_us, int64_t work_us, bool one_core) {
  BurstWatch watch;
  int64_t free_us = 0;
  int64_t slept_us = 0;
  for (int frame = 0; frame < 300; ++frame) {
    int64_t due_us = 1'000'000 + frame * 33'333;
    for (int packet = 0; packet < 6; ++packet) {
      if (packet > 0) due_us += gap_us;
      if (one_core) due_us = std::max(due_us, free_us + 15);
      const int64_t read_us = std::max(due_us, free_us + 1);
      slept_us += read_us - free_us;
      watch.on_packet(static_cast<uint32_t>(frame) * 3000, due_us, slept_us);
      free_us = read_us + work_us;
    }
  }
  return watch.bursts();
}

}  // namespace

TEST("bursts are told from packets that come one by one, however busy their receiver is") {
  CHECK(!BurstWatch().bursts());
  for (const bool one_core : {false, true}) {
    for (const int64_t work_us : {0, 100, 300, 2'000}) CHECK(watched_bursts(80, work_us, one_core));
    for (const int64_t work_us : {0, 100, 200, 350, 440}) CHECK(!watched_bursts(500, work_us, one_core));
  }
  for (const int64_t work_us : {700, 2'000}) CHECK(!watched_bursts(500, work_us, false));
}

TEST("when a frame is whole is learned from those before: from the longest, for a while") {
  BurstWatch watch;
  int64_t now_us = 1'000'000;
  uint32_t frame = 0;
  const auto next = [&](int packets, int64_t gap_us) {
    now_us += 33'333;
    ++frame;
    const int64_t first_us = now_us;
    int64_t expected_us = 0;
    for (int packet = 0; packet < packets; ++packet) {
      if (packet > 0) now_us += gap_us;
      watch.on_packet(frame * 3'000, now_us, now_us);
      expected_us = watch.whole_at_us() - first_us;
    }
    return expected_us;
  };
  CHECK_EQ(next(6, 80), 0);
  CHECK_EQ(next(5, 80), 400);
  CHECK_EQ(next(6, 80), 390);
  CHECK_EQ(next(6, 80), 400);
  // After one with a gap in it nobody knows, until the next is whole.
  next(2, 20'000);
  CHECK_EQ(next(6, 80), 0);
  CHECK_EQ(next(6, 80), 400);
  // A camera whose packets come one by one is never waited for.
  for (int i = 0; i < 5; ++i) CHECK_EQ(next(5, 260), i == 0 ? 400 : 0);
  CHECK_EQ(next(6, 80), 0);
  next(6, 80);
  // Smaller frames are waited for less and less.
  for (int i = 0; i < 30; ++i) next(2, 80);
  CHECK(next(2, 80) <= 90);
}

TEST("a camera that changes its ways is seen to do so within a second") {
  BurstWatch watch;
  int64_t now_us = 0;
  const auto second_of = [&](int64_t gap_us) {
    for (int frame = 0; frame < 30; ++frame) {
      now_us += 20'000;
      for (int packet = 0; packet < 6; ++packet) {
        now_us += gap_us;
        watch.on_packet(static_cast<uint32_t>(now_us / 20'000), now_us, now_us);
      }
    }
  };
  second_of(80);
  CHECK(watch.bursts());
  second_of(500);
  CHECK(!watch.bursts());
  second_of(80);
  CHECK(watch.bursts());
}
