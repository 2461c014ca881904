#include "parley/wire/ufrag.h"

namespace parley {
namespace {

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// 64 bits, little endian, base64 without padding: 11 characters.
void write_mac(const SipKey& key, std::string_view nonce, char out[11]) {
  const uint64_t mac = siphash24(key, {reinterpret_cast<const uint8_t*>(nonce.data()), nonce.size()});
  uint8_t bytes[9] = {};
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<uint8_t>(mac >> (8 * i));
  char text[12];
  for (int i = 0; i < 3; ++i) {
    const uint32_t v = uint32_t{bytes[3 * i]} << 16 | uint32_t{bytes[3 * i + 1]} << 8 | bytes[3 * i + 2];
    text[4 * i] = kAlphabet[v >> 18];
    text[4 * i + 1] = kAlphabet[v >> 12 & 63];
    text[4 * i + 2] = kAlphabet[v >> 6 & 63];
    text[4 * i + 3] = kAlphabet[v & 63];
  }
  for (int i = 0; i < 11; ++i) out[i] = text[i];
}

}  // namespace

bool ufrag_is_genuine(const SipKey& key, std::string_view ufrag) {
  if (ufrag.size() != kUfragSize) return false;
  char expected[11];
  write_mac(key, ufrag.substr(0, kUfragNonceSize), expected);
  // Constant time: the difference of all characters is looked at once.
  unsigned difference = 0;
  for (size_t i = 0; i < 11; ++i) {
    difference |= static_cast<unsigned char>(expected[i] ^ ufrag[kUfragNonceSize + i]);
  }
  return difference == 0;
}

std::string make_ufrag(const SipKey& key, std::string_view nonce) {
  char mac[11];
  write_mac(key, nonce, mac);
  return std::string(nonce) + std::string(mac, sizeof(mac));
}

}  // namespace parley
