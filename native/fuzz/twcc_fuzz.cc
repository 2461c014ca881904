// Transport-wide feedback: what reads well writes, and reads the same again; a recorder fed with anything makes only messages that read.
#include <cstdlib>
#include <vector>

#include "parley/media/twcc_recorder.h"
#include "parley/media/twcc_sender.h"
#include "parley/wire/bytes.h"
#include "parley/wire/rtcp.h"

using namespace parley;

namespace {

void check_round_trip(const TransportCcReport& report) {
  static std::vector<uint8_t> buffer(65536);
  RtcpWriter writer(buffer);
  if (!writer.transport_cc(1, 2, report)) std::abort();
  RtcpIterator it({buffer.data(), writer.size()});
  RtcpPacket packet;
  TransportCcReport same;
  if (!it.next(packet) || !read_transport_cc(packet, same)) std::abort();
  if (same.base_sequence != report.base_sequence || same.entries.size() != report.entries.size()) std::abort();
  for (size_t i = 0; i < same.entries.size(); ++i) {
    if (same.entries[i].received != report.entries[i].received) std::abort();
    if (same.entries[i].received && same.entries[i].delta != report.entries[i].delta) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const uint8_t mode = *data++;
  --size;
  if ((mode & 1) == 0) {
    const RtcpPacket packet{RtcpType::kRtpfb, kFmtTransportCc, {data, size}};
    TransportCcReport report;
    const bool listed = read_transport_cc(packet, report);
    if (listed) check_round_trip(report);
    TwccView view;
    if (read_twcc(packet, view) != listed) std::abort();
    if (!listed) return 0;
    TwccSender sender;
    for (size_t i = 0; i < size; ++i) sender.on_sent(static_cast<uint16_t>(view.base_sequence + i), data[i], static_cast<int64_t>(i) * 700);
    std::array<TwccGroup, TwccSender::kMaxGroups> groups;
    TwccSummary summary;
    if (sender.on_feedback(view, 1'000'000, groups, summary) > TwccSender::kMaxGroups) std::abort();
    if (summary.packets + summary.lost + summary.unknown != report.entries.size()) std::abort();
    return 0;
  }
  TwccRecorder recorder;
  int64_t now = 1;
  for (size_t i = 0; i + 5 <= size; i += 5) {
    now += load24(data + i + 2) >> (mode >> 4);
    recorder.on_packet(load16(data + i), now);
    TransportCcReport report;
    if (!recorder.due(now)) continue;
    // It ends: never more messages than packets in the window.
    size_t messages = 0;
    while (recorder.take_report(now, report)) {
      if (++messages > 1024 || report.entries.empty()) std::abort();
      check_round_trip(report);
    }
    if (recorder.pending()) std::abort();
  }
  return 0;
}
