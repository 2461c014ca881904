#include "parley/wire/stun.h"

#include <array>
#include <cstring>

#include "parley/wire/bytes.h"

namespace parley {
namespace {

constexpr uint16_t kUsername = 0x0006;
constexpr uint16_t kMessageIntegrity = 0x0008;
constexpr uint16_t kErrorCode = 0x0009;
constexpr uint16_t kXorMappedAddress = 0x0020;
constexpr uint16_t kPriority = 0x0024;
constexpr uint16_t kUseCandidate = 0x0025;
constexpr uint16_t kFingerprint = 0x8028;
constexpr uint16_t kIceControlled = 0x8029;
constexpr uint16_t kIceControlling = 0x802a;
// "STUN" (RFC 8489 14.7).
constexpr uint32_t kFingerprintXor = 0x5354554e;

constexpr std::array<uint32_t, 256> make_crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t c = i;
    for (int k = 0; k < 8; ++k) c = (c & 1) != 0 ? 0xedb88320 ^ (c >> 1) : c >> 1;
    table[i] = c;
  }
  return table;
}
constexpr auto kCrcTable = make_crc_table();

uint32_t crc32(const uint8_t* data, size_t size) {
  uint32_t c = 0xffffffff;
  for (size_t i = 0; i < size; ++i) c = kCrcTable[(c ^ data[i]) & 0xff] ^ (c >> 8);
  return ~c;
}

// Writes attributes behind a header whose length is filled in at the end.
class Writer {
 public:
  Writer(uint8_t* out, StunType type, const uint8_t* transaction_id) : out_(out) {
    store16(out, static_cast<uint16_t>(type));
    store32(out + 4, kStunMagic);
    std::memcpy(out + 8, transaction_id, 12);
  }

  uint8_t* attribute(uint16_t type, uint16_t length) {
    uint8_t* p = out_ + size_;
    store16(p, type);
    store16(p + 2, length);
    const size_t padded = (length + 3u) & ~3u;
    std::memset(p + 4, 0, padded);
    size_ += 4 + padded;
    return p + 4;
  }

  size_t finish(const StunKey& key) {
    // The length field counts the integrity attribute, and later the fingerprint (RFC 8489 14.5).
    const size_t before = size_;
    uint8_t* mac = attribute(kMessageIntegrity, 20);
    store16(out_ + 2, static_cast<uint16_t>(size_ - kStunHeaderSize));
    const std::span<const uint8_t> piece(out_, before);
    key.mac({&piece, 1}, mac);
    const size_t covered = size_;
    uint8_t* fingerprint = attribute(kFingerprint, 4);
    store16(out_ + 2, static_cast<uint16_t>(size_ - kStunHeaderSize));
    store32(fingerprint, crc32(out_, covered) ^ kFingerprintXor);
    return size_;
  }

 private:
  uint8_t* out_;
  size_t size_ = kStunHeaderSize;
};

// XOR-MAPPED-ADDRESS (RFC 8489 14.2); `header` is the message's first byte.
bool read_mapped(const uint8_t* header, const uint8_t* value, uint16_t length, StunView& view) {
  if (length < 4 || value[1] < 1 || value[1] > 2) return false;
  const size_t ip_size = value[1] == 2 ? 16 : 4;
  if (length != 4 + ip_size) return false;
  view.has_mapped = true;
  view.mapped.ipv6 = value[1] == 2;
  view.mapped.port = static_cast<uint16_t>(load16(value + 2) ^ (kStunMagic >> 16));
  for (size_t i = 0; i < ip_size; ++i) view.mapped.ip[i] = value[4 + i] ^ header[4 + i];
  return true;
}

// One attribute before MESSAGE-INTEGRITY; false when its length is wrong for its type.
bool read_attribute(const uint8_t* header, uint16_t type, const uint8_t* value, uint16_t length, StunView& view) {
  switch (type) {
    case kUsername:
      view.username = {reinterpret_cast<const char*>(value), length};
      return length <= 513;
    case kPriority:
      if (length != 4) return false;
      view.priority = load32(value);
      return true;
    case kUseCandidate:
      view.use_candidate = true;
      return length == 0;
    case kIceControlling:
    case kIceControlled:
      if (length != 8) return false;
      (type == kIceControlling ? view.controlling : view.controlled) = true;
      view.tie_breaker = load64(value);
      return true;
    case kErrorCode:
      if (length < 4) return false;
      view.error_code = static_cast<uint16_t>((value[2] & 7) * 100 + value[3]);
      return true;
    case kXorMappedAddress:
      return read_mapped(header, value, length, view);
    default:
      return true;
  }
}

}  // namespace

StunKey::StunKey(std::string_view password) {
  uint8_t block[64] = {};
  if (password.size() <= sizeof(block)) {
    std::memcpy(block, password.data(), password.size());
  } else {
    SHA1(reinterpret_cast<const uint8_t*>(password.data()), password.size(), block);
  }
  for (uint8_t& byte : block) byte ^= 0x36;
  SHA1_Init(&inner_);
  SHA1_Update(&inner_, block, sizeof(block));
  for (uint8_t& byte : block) byte ^= 0x36 ^ 0x5c;
  SHA1_Init(&outer_);
  SHA1_Update(&outer_, block, sizeof(block));
}

void StunKey::mac(std::span<const std::span<const uint8_t>> pieces, uint8_t out[20]) const {
  SHA_CTX state = inner_;
  for (const auto& piece : pieces) SHA1_Update(&state, piece.data(), piece.size());
  SHA1_Final(out, &state);
  state = outer_;
  SHA1_Update(&state, out, 20);
  SHA1_Final(out, &state);
}

bool looks_like_stun(std::span<const uint8_t> datagram) {
  return datagram.size() >= kStunHeaderSize && datagram[0] < 4 && load32(datagram.data() + 4) == kStunMagic;
}

std::optional<StunView> parse_stun(std::span<const uint8_t> datagram) {
  if (!looks_like_stun(datagram)) return std::nullopt;
  const uint8_t* data = datagram.data();
  const size_t length = load16(data + 2);
  if (length % 4 != 0 || kStunHeaderSize + length != datagram.size()) return std::nullopt;
  StunView view;
  view.type = load16(data);
  view.transaction_id = data + 8;
  size_t offset = kStunHeaderSize;
  while (offset < datagram.size()) {
    if (datagram.size() - offset < 4) return std::nullopt;
    const uint16_t type = load16(data + offset);
    const uint16_t size = load16(data + offset + 2);
    const uint8_t* value = data + offset + 4;
    if (size > datagram.size() - offset - 4) return std::nullopt;
    if (type == kFingerprint) {
      // Always the last one.
      if (size != 4 || offset + 8 != datagram.size()) return std::nullopt;
      if ((crc32(data, offset) ^ kFingerprintXor) != load32(value)) return std::nullopt;
      view.fingerprint = true;
    } else if (view.integrity_offset == 0) {
      if (type == kMessageIntegrity) {
        if (size != 20) return std::nullopt;
        view.integrity_offset = static_cast<uint16_t>(offset);
      } else if (!read_attribute(data, type, value, size, view)) {
        return std::nullopt;
      }
    }
    offset += 4 + ((size + 3u) & ~3u);
    if (offset > datagram.size()) return std::nullopt;
  }
  return view;
}

bool stun_integrity_ok(std::span<const uint8_t> datagram, const StunView& view, const StunKey& key) {
  if (view.integrity_offset == 0 || view.integrity_offset + 24u > datagram.size()) return false;
  // The length field as if the message ended behind MESSAGE-INTEGRITY.
  uint8_t header[4];
  std::memcpy(header, datagram.data(), 2);
  store16(header + 2, static_cast<uint16_t>(view.integrity_offset + 24 - kStunHeaderSize));
  const std::span<const uint8_t> pieces[] = {{header, 4}, datagram.subspan(4, view.integrity_offset - 4u)};
  uint8_t expected[20];
  key.mac(pieces, expected);
  unsigned difference = 0;
  for (size_t i = 0; i < 20; ++i) difference |= expected[i] ^ datagram[view.integrity_offset + 4 + i];
  return difference == 0;
}

size_t write_binding_success(const uint8_t* transaction_id, const StunMappedAddress& mapped, const StunKey& key,
                             uint8_t* out) {
  Writer writer(out, StunType::kBindingSuccess, transaction_id);
  const size_t ip_size = mapped.ipv6 ? 16 : 4;
  uint8_t* value = writer.attribute(kXorMappedAddress, static_cast<uint16_t>(4 + ip_size));
  value[1] = mapped.ipv6 ? 2 : 1;
  store16(value + 2, static_cast<uint16_t>(mapped.port ^ (kStunMagic >> 16)));
  // The address is XORed with the magic cookie and the transaction id, which stand in a row in the header.
  for (size_t i = 0; i < ip_size; ++i) value[4 + i] = mapped.ip[i] ^ out[4 + i];
  return writer.finish(key);
}

size_t write_binding_error(const uint8_t* transaction_id, uint16_t code, std::string_view reason, const StunKey& key,
                           uint8_t* out) {
  if (reason.size() > 100) return 0;
  Writer writer(out, StunType::kBindingError, transaction_id);
  uint8_t* value = writer.attribute(kErrorCode, static_cast<uint16_t>(4 + reason.size()));
  value[2] = static_cast<uint8_t>(code / 100);
  value[3] = static_cast<uint8_t>(code % 100);
  std::memcpy(value + 4, reason.data(), reason.size());
  return writer.finish(key);
}

size_t write_binding_request(const BindingRequest& request, const StunKey& key, uint8_t* out) {
  if (request.username.size() > 100) return 0;
  Writer writer(out, StunType::kBindingRequest, request.transaction_id.data());
  uint8_t* name = writer.attribute(kUsername, static_cast<uint16_t>(request.username.size()));
  std::memcpy(name, request.username.data(), request.username.size());
  store32(writer.attribute(kPriority, 4), request.priority);
  store64(writer.attribute(request.controlling ? kIceControlling : kIceControlled, 8), request.tie_breaker);
  if (request.use_candidate) writer.attribute(kUseCandidate, 0);
  return writer.finish(key);
}

}  // namespace parley
