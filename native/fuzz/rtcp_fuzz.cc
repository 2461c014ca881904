// RTCP: compound walks, every reader on every packet, and what was read can be written and read again.
#include <cstdlib>
#include <vector>

#include "parley/wire/rtcp.h"

using namespace parley;

namespace {
void again(const RtcpPacket& packet) {
  static std::vector<uint8_t> buffer(65536);
  RtcpWriter writer(buffer);
  SenderInfo info;
  ReportBlock block;
  std::vector<ReportBlock> blocks;
  for (size_t i = 0; read_report_block(packet, i, block); ++i) blocks.push_back(block);
  if (packet.type == RtcpType::kSr && read_sender_info(packet, info)) {
    if (!writer.sender_report(info, blocks)) std::abort();
    RtcpIterator it({buffer.data(), writer.size()});
    RtcpPacket read;
    SenderInfo same;
    if (!it.next(read) || !read_sender_info(read, same) || same.ntp != info.ntp || same.bytes != info.bytes) std::abort();
    if (read.count != blocks.size()) std::abort();
  }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  RtcpIterator it({data, size});
  RtcpPacket packet;
  uint32_t sum = 0;
  while (it.next(packet)) {
    if (!packet.body.empty() && (packet.body.data() < data || packet.body.data() + packet.body.size() > data + size)) std::abort();
    again(packet);
    FeedbackHeader header;
    if (read_feedback(packet, header)) sum += header.media_ssrc;
    std::vector<uint16_t> asked;
    read_nacks(packet, [&](uint16_t s) { asked.push_back(s); });
    read_firs(packet, [&](uint32_t ssrc, uint8_t n) { sum += ssrc + n; });
    read_byes(packet, [&](uint32_t ssrc) { sum += ssrc; });
  }
  return sum == 0xfffffffe && it.malformed();
}
