// Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01) read in place, without a list of packets: for
// the many reports that subscribers send. rtcp.h has the writer, and a reader that makes a list.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "parley/wire/bytes.h"
#include "parley/wire/rtcp.h"

namespace parley {

inline constexpr int64_t kTwccTickUs = 250;
inline constexpr int64_t kTwccReferenceUs = 64'000;

// Views into the packet it was read from.
struct TwccView {
  uint16_t base_sequence = 0;
  uint16_t count = 0;
  int32_t reference_time = 0;  // in 64 ms, 24 bits
  uint8_t feedback_count = 0;
  std::span<const uint8_t> chunks;
  std::span<const uint8_t> deltas;
};

// Checks the whole message, so that for_each_twcc cannot run over: as many statuses as announced, as many deltas as they ask for.
bool read_twcc(const RtcpPacket& packet, TwccView& view);

namespace twcc_detail {
// Calls each(symbol) for the statuses of one chunk, at most `left` of them; returns how many there were.
template <typename Each>
size_t for_each_symbol(uint16_t chunk, size_t left, Each&& each) {
  size_t n = 0;
  if ((chunk & 0x8000) == 0) {
    const auto symbol = static_cast<uint8_t>(chunk >> 13 & 3);
    const size_t run = chunk & 0x1fff;
    for (; n < run && n < left; ++n) each(symbol);
  } else if ((chunk & 0x4000) == 0) {
    for (int bit = 13; bit >= 0 && n < left; --bit, ++n) each(static_cast<uint8_t>(chunk >> bit & 1));
  } else {
    for (int shift = 12; shift >= 0 && n < left; shift -= 2, ++n) each(static_cast<uint8_t>(chunk >> shift & 3));
  }
  return n;
}
}  // namespace twcc_detail

// each(uint16_t sequence, bool received, int64_t arrival_us) in order of sequence. Arrival times are in the receiver's clock, modulo
// 2^24 * 64 ms: differences mean something. `view` comes from read_twcc.
template <typename Each>
void for_each_twcc(const TwccView& view, Each&& each) {
  const uint8_t* chunk = view.chunks.data();
  const uint8_t* delta = view.deltas.data();
  int64_t arrival_us = int64_t{view.reference_time} * kTwccReferenceUs;
  uint16_t sequence = view.base_sequence;
  size_t left = view.count;
  while (left > 0) {
    left -= twcc_detail::for_each_symbol(load16(chunk), left, [&](uint8_t symbol) {
      if (symbol == 1) {
        arrival_us += *delta * kTwccTickUs;
        delta += 1;
      } else if (symbol == 2) {
        arrival_us += static_cast<int16_t>(load16(delta)) * kTwccTickUs;
        delta += 2;
      }
      each(sequence++, symbol != 0, arrival_us);
    });
    chunk += 2;
  }
}

}  // namespace parley
