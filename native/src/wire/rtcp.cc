#include "parley/wire/rtcp.h"

#include <algorithm>
#include <cstring>

namespace parley {

bool RtcpIterator::next(RtcpPacket& packet) {
  if (rest_.empty()) return false;
  malformed_ = true;
  if (rest_.size() < 4 || rest_[0] >> 6 != 2) return false;
  const size_t size = (load16(rest_.data() + 2) + 1u) * 4u;
  if (size > rest_.size()) return false;
  size_t body = size - 4;
  if ((rest_[0] & 0x20) != 0) {
    const uint8_t padding = rest_[size - 1];
    if (padding == 0 || padding > body) return false;
    body -= padding;
  }
  packet = {static_cast<RtcpType>(rest_[1]), static_cast<uint8_t>(rest_[0] & 31), rest_.subspan(4, body)};
  rest_ = rest_.subspan(size);
  malformed_ = false;
  return true;
}

bool read_sender_info(const RtcpPacket& packet, SenderInfo& info) {
  if (packet.type != RtcpType::kSr || packet.body.size() < 24) return false;
  const uint8_t* p = packet.body.data();
  info = {load32(p), load64(p + 4), load32(p + 12), load32(p + 16), load32(p + 20)};
  return true;
}

bool read_report_block(const RtcpPacket& packet, size_t index, ReportBlock& block) {
  const size_t at = report_offset(packet.type) + index * 24;
  if (index >= packet.count || at + 24 > packet.body.size()) return false;
  const uint8_t* p = packet.body.data() + at;
  block.ssrc = load32(p);
  block.fraction_lost = p[4];
  // 24 bits, signed.
  block.cumulative_lost = static_cast<int32_t>(load24(p + 5) << 8) >> 8;
  block.highest_sequence = load32(p + 8);
  block.jitter = load32(p + 12);
  block.last_sr = load32(p + 16);
  block.delay_since_last_sr = load32(p + 20);
  return true;
}

bool read_feedback(const RtcpPacket& packet, FeedbackHeader& header) {
  if (packet.body.size() < 8) return false;
  header = {load32(packet.body.data()), load32(packet.body.data() + 4)};
  return true;
}

namespace {

// Status symbols of transport-wide feedback.
enum Symbol : uint8_t { kNotReceived = 0, kSmallDelta = 1, kLargeDelta = 2 };

}  // namespace

bool read_transport_cc(const RtcpPacket& packet, TransportCcReport& report) {
  if (packet.body.size() < 16) return false;
  const uint8_t* p = packet.body.data();
  const size_t end = packet.body.size();
  report.base_sequence = load16(p + 8);
  const size_t count = load16(p + 10);
  if (count == 0 || count > 4096) return false;
  report.reference_time = static_cast<int32_t>(load24(p + 12) << 8) >> 8;
  report.feedback_count = p[15];
  report.entries.assign(count, {});
  std::vector<uint8_t> symbols;
  symbols.reserve(count);
  size_t at = 16;
  while (symbols.size() < count) {
    if (at + 2 > end) return false;
    const uint16_t chunk = load16(p + at);
    at += 2;
    if ((chunk & 0x8000) == 0) {
      const uint8_t symbol = chunk >> 13 & 3;
      const size_t run = std::min<size_t>(chunk & 0x1fff, count - symbols.size());
      if (run == 0) return false;
      symbols.insert(symbols.end(), run, symbol);
    } else if ((chunk & 0x4000) == 0) {
      for (int i = 13; i >= 0 && symbols.size() < count; --i) symbols.push_back(chunk >> i & 1);
    } else {
      for (int i = 12; i >= 0 && symbols.size() < count; i -= 2) symbols.push_back(chunk >> i & 3);
    }
  }
  for (size_t i = 0; i < count; ++i) {
    if (symbols[i] == kSmallDelta) {
      if (at + 1 > end) return false;
      report.entries[i] = {true, p[at]};
      at += 1;
    } else if (symbols[i] == kLargeDelta) {
      if (at + 2 > end) return false;
      report.entries[i] = {true, static_cast<int16_t>(load16(p + at))};
      at += 2;
    } else if (symbols[i] != kNotReceived) {
      return false;
    }
  }
  return true;
}

uint8_t* RtcpWriter::begin(RtcpType type, uint8_t count, size_t body_size) {
  const size_t padded = (body_size + 3) & ~size_t{3};
  if (size_ + 4 + padded > out_.size()) return nullptr;
  uint8_t* p = out_.data() + size_;
  p[0] = static_cast<uint8_t>(0x80 | (count & 31));
  p[1] = static_cast<uint8_t>(type);
  store16(p + 2, static_cast<uint16_t>(padded / 4));
  std::memset(p + 4 + body_size, 0, padded - body_size);
  size_ += 4 + padded;
  return p + 4;
}

namespace {

void write_block(uint8_t* p, const ReportBlock& block) {
  store32(p, block.ssrc);
  p[4] = block.fraction_lost;
  store24(p + 5, static_cast<uint32_t>(std::clamp(block.cumulative_lost, -0x800000, 0x7fffff)) & 0xffffff);
  store32(p + 8, block.highest_sequence);
  store32(p + 12, block.jitter);
  store32(p + 16, block.last_sr);
  store32(p + 20, block.delay_since_last_sr);
}

}  // namespace

bool RtcpWriter::sender_report(const SenderInfo& info, std::span<const ReportBlock> blocks) {
  const size_t n = std::min<size_t>(blocks.size(), 31);
  uint8_t* p = begin(RtcpType::kSr, static_cast<uint8_t>(n), 24 + n * 24);
  if (p == nullptr) return false;
  store32(p, info.ssrc);
  store64(p + 4, info.ntp);
  store32(p + 12, info.rtp_timestamp);
  store32(p + 16, info.packets);
  store32(p + 20, info.bytes);
  for (size_t i = 0; i < n; ++i) write_block(p + 24 + i * 24, blocks[i]);
  return true;
}

bool RtcpWriter::receiver_report(uint32_t sender_ssrc, std::span<const ReportBlock> blocks) {
  const size_t n = std::min<size_t>(blocks.size(), 31);
  uint8_t* p = begin(RtcpType::kRr, static_cast<uint8_t>(n), 4 + n * 24);
  if (p == nullptr) return false;
  store32(p, sender_ssrc);
  for (size_t i = 0; i < n; ++i) write_block(p + 4 + i * 24, blocks[i]);
  return true;
}

bool RtcpWriter::sdes_cname(uint32_t ssrc, std::string_view cname) {
  const size_t length = std::min<size_t>(cname.size(), 255);
  // SSRC, item header, text, and at least one zero that ends the chunk (RFC 3550 6.5).
  const size_t body = 4 + 2 + length + 1;
  uint8_t* p = begin(RtcpType::kSdes, 1, body);
  if (p == nullptr) return false;
  store32(p, ssrc);
  p[4] = 1;
  p[5] = static_cast<uint8_t>(length);
  std::memcpy(p + 6, cname.data(), length);
  p[6 + length] = 0;
  return true;
}

bool RtcpWriter::bye(std::span<const uint32_t> ssrcs) {
  const size_t n = std::min<size_t>(ssrcs.size(), 31);
  uint8_t* p = begin(RtcpType::kBye, static_cast<uint8_t>(n), n * 4);
  if (p == nullptr) return false;
  for (size_t i = 0; i < n; ++i) store32(p + i * 4, ssrcs[i]);
  return true;
}

bool RtcpWriter::pli(uint32_t sender_ssrc, uint32_t media_ssrc) {
  uint8_t* p = begin(RtcpType::kPsfb, kFmtPli, 8);
  if (p == nullptr) return false;
  store32(p, sender_ssrc);
  store32(p + 4, media_ssrc);
  return true;
}

bool RtcpWriter::fir(uint32_t sender_ssrc, uint32_t media_ssrc, uint8_t sequence) {
  uint8_t* p = begin(RtcpType::kPsfb, kFmtFir, 16);
  if (p == nullptr) return false;
  store32(p, sender_ssrc);
  store32(p + 4, 0);
  store32(p + 8, media_ssrc);
  store32(p + 12, uint32_t{sequence} << 24);
  return true;
}

bool RtcpWriter::nack(uint32_t sender_ssrc, uint32_t media_ssrc, std::span<const uint16_t> sequences) {
  if (sequences.empty()) return true;
  std::vector<std::pair<uint16_t, uint16_t>> items;
  for (const uint16_t sequence : sequences) {
    const uint16_t distance = items.empty() ? 0 : static_cast<uint16_t>(sequence - items.back().first);
    if (!items.empty() && distance == 0) continue;
    if (!items.empty() && distance <= 16) {
      items.back().second |= static_cast<uint16_t>(1u << (distance - 1));
    } else {
      items.push_back({sequence, uint16_t{0}});
    }
  }
  uint8_t* p = begin(RtcpType::kRtpfb, kFmtNack, 8 + items.size() * 4);
  if (p == nullptr) return false;
  store32(p, sender_ssrc);
  store32(p + 4, media_ssrc);
  for (size_t i = 0; i < items.size(); ++i) {
    store16(p + 8 + i * 4, items[i].first);
    store16(p + 10 + i * 4, items[i].second);
  }
  return true;
}

bool RtcpWriter::transport_cc(uint32_t sender_ssrc, uint32_t media_ssrc, const TransportCcReport& report) {
  const size_t count = report.entries.size();
  auto symbol = [&report](size_t i) -> uint8_t {
    const auto& entry = report.entries[i];
    if (!entry.received) return kNotReceived;
    return entry.delta >= 0 && entry.delta <= 255 ? kSmallDelta : kLargeDelta;
  };
  std::vector<uint16_t> chunks;
  size_t delta_bytes = 0;
  for (size_t i = 0; i < count;) {
    size_t run = 1;
    while (i + run < count && run < 0x1fff && symbol(i + run) == symbol(i)) ++run;
    if (run >= 7 || i + run == count) {
      chunks.push_back(static_cast<uint16_t>(symbol(i) << 13 | run));
      delta_bytes += run * symbol(i);
      i += run;
      continue;
    }
    // Seven symbols of two bits; what lies behind the last packet counts as not received.
    uint16_t chunk = 0xc000;
    for (size_t k = 0; k < 7; ++k) {
      const uint8_t s = i + k < count ? symbol(i + k) : uint8_t{kNotReceived};
      chunk |= static_cast<uint16_t>(s << (12 - 2 * k));
      delta_bytes += s;
    }
    chunks.push_back(chunk);
    i += std::min<size_t>(7, count - i);
  }
  uint8_t* p = begin(RtcpType::kRtpfb, kFmtTransportCc, 16 + chunks.size() * 2 + delta_bytes);
  if (p == nullptr) return false;
  store32(p, sender_ssrc);
  store32(p + 4, media_ssrc);
  store16(p + 8, report.base_sequence);
  store16(p + 10, static_cast<uint16_t>(count));
  store24(p + 12, static_cast<uint32_t>(report.reference_time) & 0xffffff);
  p[15] = report.feedback_count;
  p += 16;
  for (const uint16_t chunk : chunks) {
    store16(p, chunk);
    p += 2;
  }
  for (size_t i = 0; i < count; ++i) {
    if (symbol(i) == kSmallDelta) *p++ = static_cast<uint8_t>(report.entries[i].delta);
    if (symbol(i) == kLargeDelta) {
      store16(p, static_cast<uint16_t>(std::clamp(report.entries[i].delta, -32768, 32767)));
      p += 2;
    }
  }
  return true;
}

}  // namespace parley
