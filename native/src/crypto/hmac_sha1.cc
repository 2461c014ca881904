#define OPENSSL_SUPPRESS_DEPRECATED  // SHA1_Update on a known state costs a third of an EVP_MAC with its set-up
#include "hmac_sha1.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <cstring>

namespace parley {
namespace {

constexpr size_t kBlock = 64;

std::array<uint32_t, 5> words_of(const SHA_CTX& state) { return {state.h0, state.h1, state.h2, state.h3, state.h4}; }

// A state after exactly one block.
SHA_CTX resume(const std::array<uint32_t, 5>& words) {
  SHA_CTX state;
  SHA1_Init(&state);
  state.h0 = words[0];
  state.h1 = words[1];
  state.h2 = words[2];
  state.h3 = words[3];
  state.h4 = words[4];
  state.Nl = kBlock * 8;
  return state;
}

}  // namespace

HmacSha1::~HmacSha1() {
  OPENSSL_cleanse(inner.data(), sizeof(inner));
  OPENSSL_cleanse(outer.data(), sizeof(outer));
}

void HmacSha1::init(std::span<const uint8_t, 20> key) {
  uint8_t block[kBlock];
  SHA_CTX state;
  for (size_t i = 0; i < kBlock; ++i) block[i] = (i < key.size() ? key[i] : 0) ^ 0x36;
  SHA1_Init(&state);
  SHA1_Update(&state, block, sizeof(block));
  inner = words_of(state);
  for (uint8_t& byte : block) byte ^= 0x36 ^ 0x5c;
  SHA1_Init(&state);
  SHA1_Update(&state, block, sizeof(block));
  outer = words_of(state);
  OPENSSL_cleanse(block, sizeof(block));
  OPENSSL_cleanse(&state, sizeof(state));
}

void HmacSha1::tag(std::span<const uint8_t> data, uint32_t suffix, uint8_t out[kSrtpSha1TagSize]) const {
  const uint8_t end[4] = {static_cast<uint8_t>(suffix >> 24), static_cast<uint8_t>(suffix >> 16),
                          static_cast<uint8_t>(suffix >> 8), static_cast<uint8_t>(suffix)};
  uint8_t digest[SHA_DIGEST_LENGTH];
  SHA_CTX state = resume(inner);
  SHA1_Update(&state, data.data(), data.size());
  SHA1_Update(&state, end, sizeof(end));
  SHA1_Final(digest, &state);
  state = resume(outer);
  SHA1_Update(&state, digest, sizeof(digest));
  SHA1_Final(digest, &state);
  std::memcpy(out, digest, kSrtpSha1TagSize);
}

}  // namespace parley
