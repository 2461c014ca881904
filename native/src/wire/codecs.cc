#include "parley/wire/codecs.h"

#include "parley/wire/bytes.h"

namespace parley {
namespace {

// 7 or 15 bits behind an M bit; false when the payload ends before.
bool read_picture_id(std::span<const uint8_t> p, size_t& at, PayloadInfo& info) {
  if (at >= p.size()) return false;
  info.picture_id_offset = static_cast<uint8_t>(at);
  if ((p[at] & 0x80) == 0) {
    info.picture_id = p[at] & 0x7f;
    at += 1;
    return true;
  }
  if (at + 2 > p.size()) {
    info.picture_id_offset = 0;
    return false;
  }
  info.picture_id_long = true;
  info.picture_id = load16(p.data() + at) & 0x7fff;
  at += 2;
  return true;
}

// RFC 7741 4.2 and 4.3.
PayloadInfo vp8(std::span<const uint8_t> p) {
  PayloadInfo info;
  const bool start = (p[0] & 0x10) != 0 && (p[0] & 7) == 0;
  size_t at = 1;
  if ((p[0] & 0x80) != 0) {
    if (p.size() < 2) return info;
    const uint8_t present = p[1];
    at = 2;
    if ((present & 0x80) != 0 && !read_picture_id(p, at, info)) return info;
    if ((present & 0x40) != 0) {
      if (at >= p.size()) return info;
      info.tl0_offset = static_cast<uint8_t>(at);
      info.tl0 = p[at++];
    }
    if ((present & 0x30) != 0) ++at;
  }
  info.key_frame = start && at < p.size() && (p[at] & 1) == 0;
  return info;
}

// RFC 9628 4.2.
PayloadInfo vp9(std::span<const uint8_t> p) {
  PayloadInfo info;
  const bool predicted = (p[0] & 0x40) != 0;
  const bool layers = (p[0] & 0x20) != 0;
  const bool flexible = (p[0] & 0x10) != 0;
  const bool start = (p[0] & 0x08) != 0;
  size_t at = 1;
  if ((p[0] & 0x80) != 0 && !read_picture_id(p, at, info)) return info;
  uint8_t spatial = 0;
  if (layers) {
    if (at >= p.size()) return info;
    spatial = p[at++] >> 1 & 7;
    if (!flexible) {
      if (at >= p.size()) return info;
      info.tl0_offset = static_cast<uint8_t>(at);
      info.tl0 = p[at];
    }
  }
  info.key_frame = start && !predicted && spatial == 0;
  return info;
}

// How a NAL unit that begins in a packet counts.
enum class Nal { kOther, kParameters, kIdr };

void count_nal(Nal nal, bool& parameters, bool& idr) {
  parameters |= nal == Nal::kParameters;
  idr |= nal == Nal::kIdr;
}

Nal h264_nal(uint8_t type) { return type == 7 ? Nal::kParameters : type == 5 ? Nal::kIdr : Nal::kOther; }
// RFC 7798 1.1.4: 16 to 21 are IRAP pictures, 32 VPS, 33 SPS. The VPS comes first.
Nal h265_nal(uint8_t type) {
  return type == 32 || type == 33 ? Nal::kParameters : type >= 16 && type <= 21 ? Nal::kIdr : Nal::kOther;
}

PayloadInfo nal_info(bool parameters, bool idr) {
  PayloadInfo info;
  info.key_frame = parameters;
  info.bare_key_frame = idr && !parameters;
  return info;
}

// RFC 6184 5.2: single NAL units, STAP-A (24), FU-A (28).
PayloadInfo h264(std::span<const uint8_t> p) {
  const uint8_t type = p[0] & 31;
  bool parameters = false;
  bool idr = false;
  if (type == 24) {
    for (size_t at = 1; at + 3 <= p.size();) {
      const size_t size = load16(p.data() + at);
      count_nal(h264_nal(p[at + 2] & 31), parameters, idr);
      if (size == 0) break;
      at += 2 + size;
    }
  } else if (type == 28) {
    if (p.size() >= 2 && (p[1] & 0x80) != 0) count_nal(h264_nal(p[1] & 31), parameters, idr);
  } else {
    count_nal(h264_nal(type), parameters, idr);
  }
  return nal_info(parameters, idr);
}

// RFC 7798 4.4: single NAL units, aggregation packets (48), fragmentation units (49). No DON fields are negotiated.
PayloadInfo h265(std::span<const uint8_t> p) {
  if (p.size() < 3) return {};
  const uint8_t type = p[0] >> 1 & 63;
  bool parameters = false;
  bool idr = false;
  if (type == 48) {
    for (size_t at = 2; at + 3 <= p.size();) {
      const size_t size = load16(p.data() + at);
      count_nal(h265_nal(p[at + 2] >> 1 & 63), parameters, idr);
      if (size == 0) break;
      at += 2 + size;
    }
  } else if (type == 49) {
    if ((p[2] & 0x80) != 0) count_nal(h265_nal(p[2] & 63), parameters, idr);
  } else {
    count_nal(h265_nal(type), parameters, idr);
  }
  return nal_info(parameters, idr);
}

// AV1 RTP payload specification 4.4: the N bit says that a coded video sequence begins.
PayloadInfo av1(std::span<const uint8_t> p) {
  PayloadInfo info;
  info.key_frame = (p[0] & 0x08) != 0;
  return info;
}

}  // namespace

PayloadInfo inspect_payload(Codec codec, std::span<const uint8_t> payload) {
  if (payload.empty()) return {};
  switch (codec) {
    case Codec::kVp8:
      return vp8(payload);
    case Codec::kVp9:
      return vp9(payload);
    case Codec::kH264:
      return h264(payload);
    case Codec::kH265:
      return h265(payload);
    case Codec::kAv1:
      return av1(payload);
    case Codec::kNone:
    case Codec::kOpus:
    case Codec::kRed:
      return {};
  }
  return {};
}

}  // namespace parley
