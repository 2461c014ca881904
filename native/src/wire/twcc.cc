#include "parley/wire/twcc.h"

namespace parley {

bool read_twcc(const RtcpPacket& packet, TwccView& view) {
  if (packet.body.size() < 16) return false;
  const uint8_t* p = packet.body.data();
  view.base_sequence = load16(p + 8);
  view.count = load16(p + 10);
  view.reference_time = static_cast<int32_t>(load24(p + 12) << 8) >> 8;
  view.feedback_count = p[15];
  // As many as read_transport_cc takes: more than ten seconds of the fastest sender.
  if (view.count == 0 || view.count > 4096) return false;
  const auto rest = packet.body.subspan(16);
  size_t left = view.count;
  size_t at = 0;
  size_t delta_bytes = 0;
  bool reserved = false;
  while (left > 0) {
    if (at + 2 > rest.size()) return false;
    const size_t n = twcc_detail::for_each_symbol(load16(rest.data() + at), left, [&](uint8_t symbol) {
      reserved |= symbol == 3;
      delta_bytes += symbol;
    });
    // A run of none would never end.
    if (n == 0) return false;
    left -= n;
    at += 2;
  }
  if (reserved || at + delta_bytes > rest.size()) return false;
  view.chunks = rest.first(at);
  view.deltas = rest.subspan(at, delta_bytes);
  return true;
}

}  // namespace parley
