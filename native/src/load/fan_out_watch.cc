#include "parley/load/fan_out_watch.h"

#include <algorithm>

namespace parley {

void FanOutWatch::begin(uint32_t viewers) {
  viewers_ = viewers;
  sources_.clear();
  last_.clear();
  frame_.clear();
  incomplete_ = 0;
}

void FanOutWatch::on_packet(const LoadStamp& stamp, int64_t received_us) {
  Source& source = sources_[stamp.source];
  Packet& packet = source.packets[stamp.packet % kPackets];
  if (packet.seen == 0 || packet.number != stamp.packet) {
    incomplete_ += packet.seen != 0 && packet.seen != viewers_;
    packet = {stamp.packet, 0, received_us};
  }
  packet.last_us = std::max(packet.last_us, received_us);
  if (++packet.seen == viewers_) last_.add(packet.last_us - static_cast<int64_t>(stamp.sent_us));

  if (stamp.frame_packets == 0) return;
  Frame& frame = source.frames[stamp.frame % kFrames];
  if (frame.seen == 0 || frame.number != stamp.frame) frame = {stamp.frame, 0, received_us, received_us};
  frame.first_us = std::min(frame.first_us, received_us);
  frame.last_us = std::max(frame.last_us, received_us);
  if (++frame.seen == viewers_ * stamp.frame_packets) frame_.add(frame.last_us - frame.first_us);
}

}  // namespace parley
