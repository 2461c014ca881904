#include "check.h"
#include "parley/wire/siphash.h"
#include "parley/wire/ufrag.h"

#include <array>
#include <cctype>
#include <string>

using namespace parley;
using namespace parley::test;

namespace {
SipKey counting_key() {
  SipKey key;
  for (size_t i = 0; i < key.size(); ++i) key[i] = static_cast<uint8_t>(i);
  return key;
}
}  // namespace

// Key 00..0f, message 00..(n-1): appendix A of the paper (n = 15) and the authors' vectors for 0 to 8 bytes.
TEST("SipHash-2-4 gives the authors' vectors") {
  std::array<uint8_t, 15> message;
  for (size_t i = 0; i < message.size(); ++i) message[i] = static_cast<uint8_t>(i);
  const uint64_t expected[] = {0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d, 0xcf2794e0277187b7,
                               0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137, 0x93f5f5799a932462};
  for (size_t n = 0; n < std::size(expected); ++n) CHECK_EQ(siphash24(counting_key(), std::span(message).first(n)), expected[n]);
  CHECK_EQ(siphash24(counting_key(), message), 0xa129ca6149be45e5u);
}

TEST("a ufrag made with the key is genuine, one changed anywhere is not") {
  const SipKey key = counting_key();
  const std::string ufrag = make_ufrag(key, "AbCdEfGhIjKl");
  CHECK_EQ(ufrag.size(), kUfragSize);
  for (char c : ufrag) CHECK(std::isalnum(static_cast<unsigned char>(c)) || c == '+' || c == '/');
  CHECK(ufrag_is_genuine(key, ufrag));
  for (size_t i = 0; i < ufrag.size(); ++i) {
    std::string changed = ufrag;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    CHECK(!ufrag_is_genuine(key, changed));
  }
  CHECK(!ufrag_is_genuine(key, ufrag.substr(1)));
  CHECK(!ufrag_is_genuine(key, ufrag + "A"));
  CHECK(!ufrag_is_genuine(key, ""));
  SipKey other = key;
  other[3] ^= 1;
  CHECK(!ufrag_is_genuine(other, ufrag));
}

// The MAC by hand from siphash24, so that the encoding (little endian, base64 without padding) is pinned.
TEST("the MAC of a ufrag is SipHash of the nonce's text, little endian, base64") {
  const SipKey key = counting_key();
  const std::string nonce = "000000000000";
  const uint64_t mac = siphash24(key, {reinterpret_cast<const uint8_t*>(nonce.data()), nonce.size()});
  const std::string text = make_ufrag(key, nonce).substr(12);
  const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::array<uint8_t, 9> bytes{};
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<uint8_t>(mac >> (8 * i));
  for (size_t bit = 0; bit < 64; bit += 6) {
    const unsigned pair = static_cast<unsigned>(bytes[bit / 8] << 8 | (bit / 8 + 1 < 9 ? bytes[bit / 8 + 1] : 0));
    CHECK_EQ(text[bit / 6], alphabet[pair >> (10 - bit % 8) & 63]);
  }
}
