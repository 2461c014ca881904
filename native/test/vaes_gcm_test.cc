// The AVX-512 code against OpenSSL, over all lengths, alignments and additional data. On a processor without it the
// tests say so and pass: there is nothing to run.
#include <openssl/evp.h>

#include <cstdio>

#include "check.h"
#include "crypto/evp_gcm.h"
#include "crypto/vaes_gcm.h"

using namespace parley;
using parley::test::hex;
using parley::test::Random;
using parley::test::to_hex;

namespace {

bool skipped() {
  if (vaes_available()) return false;
  std::puts("  (no AVX-512 with VAES here)");
  return true;
}

std::vector<uint8_t> random_bytes(Random& random, size_t size) {
  std::vector<uint8_t> bytes(size);
  for (auto& byte : bytes) byte = static_cast<uint8_t>(random.next());
  return bytes;
}

template <int kRounds>
void compare(Random& random, size_t size, size_t aad_size, size_t alignment) {
  const auto key = random_bytes(random, VaesGcmKey<kRounds>::kKeySize);
  const auto nonce = random_bytes(random, 12);
  const auto aad = random_bytes(random, aad_size);
  const auto text = random_bytes(random, size);
  EvpGcm reference;
  VaesGcm<kRounds> own;
  CHECK(reference.init(key, true));
  CHECK(own.init(key, true));
  const std::span<const uint8_t> piece(text);
  std::vector<uint8_t> expected(size + 16);
  CHECK(reference.seal(nonce.data(), aad, std::span(&piece, 1), expected.data()));

  // The heap's own bounds are the sanitizer's; these guards show writes that it cannot see (intrinsics).
  std::vector<uint8_t> out(alignment + size + 16 + 64, 0xee);
  CHECK(own.seal(nonce.data(), aad, std::span(&piece, 1), out.data() + alignment));
  CHECK(std::equal(expected.begin(), expected.end(), out.begin() + static_cast<ptrdiff_t>(alignment)));
  for (size_t i = 0; i < alignment; ++i) CHECK_EQ(out[i], 0xee);
  for (size_t i = alignment + size + 16; i < out.size(); ++i) CHECK_EQ(out[i], 0xee);

  uint8_t* data = out.data() + alignment;
  CHECK(own.open(nonce.data(), aad, data, size, data + size));
  CHECK(std::equal(text.begin(), text.end(), data));
  for (size_t i = 0; i < alignment; ++i) CHECK_EQ(out[i], 0xee);
  for (size_t i = alignment + size + 16; i < out.size(); ++i) CHECK_EQ(out[i], 0xee);
  data[size + random.below(16)] ^= static_cast<uint8_t>(1 << random.below(8));
  std::copy(expected.begin(), expected.begin() + static_cast<ptrdiff_t>(size), data);
  CHECK(!own.open(nonce.data(), aad, data, size, data + size));
}

}  // namespace

TEST("every length from 0 to 1500 agrees with OpenSSL, 128 and 256 bits") {
  if (skipped()) return;
  Random random(1);
  for (size_t size = 0; size <= 1500; ++size) {
    const size_t aad_size = 12 + random.below(53);
    compare<10>(random, size, aad_size, random.below(64));
    compare<14>(random, size, aad_size, random.below(64));
  }
}

TEST("every size of additional data from 0 to 300 agrees, every alignment too") {
  if (skipped()) return;
  Random random(2);
  for (size_t aad_size = 0; aad_size <= 300; ++aad_size) {
    for (int i = 0; i < 3; ++i) compare<10>(random, random.below(600), aad_size, aad_size % 64);
    compare<14>(random, random.below(600), aad_size, aad_size % 64);
  }
}

TEST("large packets agree") {
  if (skipped()) return;
  Random random(3);
  for (const size_t size : {4096u, 9000u, 65'000u}) compare<10>(random, size, 20, 3);
}

TEST("pieces of every small prefix agree with the whole, in the buffer's size and beyond") {
  if (skipped()) return;
  Random random(4);
  for (size_t front = 0; front < 140; ++front) {
    for (const size_t rest : {size_t{0}, size_t{1}, 63 - front % 60, size_t{200}, size_t{1100}}) {
      const auto key = random_bytes(random, 16);
      const auto nonce = random_bytes(random, 12);
      const auto aad = random_bytes(random, 20);
      const auto text = random_bytes(random, front + rest);
      VaesGcm<10> own;
      CHECK(own.init(key, true));
      const std::span<const uint8_t> whole(text);
      std::vector<uint8_t> expected(text.size() + 16);
      CHECK(own.seal(nonce.data(), aad, std::span(&whole, 1), expected.data()));
      const size_t cut = front / 3;
      // The rest in a block of its own, so that a read before it would not find the prefix by luck.
      const std::vector<uint8_t> tail(text.begin() + static_cast<ptrdiff_t>(front), text.end());
      const std::span<const uint8_t> pieces[3] = {whole.first(cut), whole.subspan(cut, front - cut), tail};
      std::vector<uint8_t> out(text.size() + 16);
      CHECK(own.seal(nonce.data(), aad, pieces, out.data()));
      CHECK(out == expected);
      // And with a piece behind, as padding is.
      for (const size_t behind : {size_t{1}, size_t{17}, size_t{63}, size_t{64}, size_t{150}}) {
        if (behind > rest) continue;
        const std::vector<uint8_t> body(tail.begin(), tail.end() - static_cast<ptrdiff_t>(behind));
        const std::vector<uint8_t> padding(tail.end() - static_cast<ptrdiff_t>(behind), tail.end());
        const std::span<const uint8_t> three[3] = {whole.first(front), body, padding};
        std::fill(out.begin(), out.end(), 0);
        CHECK(own.seal(nonce.data(), aad, three, out.data()));
        CHECK(out == expected);
      }
    }
  }
}

TEST("RFC 3711 B.2: counter mode key stream") {
  if (skipped()) return;
  const auto key = hex("2B7E151628AED2A6ABF7158809CF4F3C");
  const auto iv = hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000");
  std::array<uint8_t, 176> round_keys;
  vaes_ctr_expand(key.data(), round_keys);
  const std::vector<uint8_t> zeros(0xff02 * 16, 0);
  std::vector<uint8_t> stream(zeros.size());
  vaes_ctr_apply(round_keys, iv.data(), {.body = zeros.data(), .body_size = zeros.size()}, stream.data());
  CHECK_EQ(to_hex(std::span(stream).first(48)),
           "e03ead0935c95e80e166b16dd92b4eb4d23513162b02d0f72a43a2fe4a5f97ab41e95b3bb0a2e8dd477901e4fca894c0");
  CHECK_EQ(to_hex(std::span(stream).last(48)),
           "ec8cdf7398607cb0f2d21675ea9ea1e4362b7c3c6773516318a077d7fc5073ae6a2cc3787889374fbeb4c81b17ba6c44");
}

TEST("counter mode agrees with OpenSSL over lengths and prefixes") {
  if (skipped()) return;
  Random random(6);
  EVP_CIPHER_CTX* ctx = EVP_CIPHER_CTX_new();
  for (size_t size = 0; size < 1400; ++size) {
    const auto key = random_bytes(random, 16);
    auto iv = random_bytes(random, 16);
    iv[14] = iv[15] = 0;  // as SRTP has it: the counter never carries out of 16 bits
    const auto text = random_bytes(random, size);
    std::vector<uint8_t> expected(size + 16);
    int written = 0;
    CHECK(EVP_EncryptInit_ex(ctx, EVP_aes_128_ctr(), nullptr, key.data(), iv.data()) == 1);
    CHECK(EVP_EncryptUpdate(ctx, expected.data(), &written, text.data(), static_cast<int>(size)) == 1);
    expected.resize(size);
    std::array<uint8_t, 176> round_keys;
    vaes_ctr_expand(key.data(), round_keys);
    const size_t prefix = std::min<size_t>(size, random.below(65));
    std::vector<uint8_t> out(size + 64, 0xee);
    const std::vector<uint8_t> rest(text.begin() + static_cast<ptrdiff_t>(prefix), text.end());
    vaes_ctr_apply(round_keys, iv.data(),
                   {.prefix = text.data(), .prefix_size = prefix, .body = rest.data(), .body_size = rest.size()}, out.data());
    CHECK(std::equal(expected.begin(), expected.end(), out.begin()));
    for (size_t i = size; i < out.size(); ++i) CHECK_EQ(out[i], 0xee);
  }
  EVP_CIPHER_CTX_free(ctx);
}
