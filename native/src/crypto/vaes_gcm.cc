// How the field is represented: GHASH (NIST SP 800-38D 6.3) numbers bits the other way round than the processor. With
// the bytes of every block reversed a carry-less product is the wanted one, bit-reflected and off by one bit. The bit
// is put into the key once (H times x), and the reduction folds from below, 64 bits at a time, by the reflected
// polynomial x^128 + x^127 + x^126 + x^121 + 1.
#include "vaes_gcm.h"

#include <algorithm>

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

// GCC 12 warns of the deliberately undefined registers in its own intrinsics, once per use.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#define PARLEY_VAES __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,vaes,vpclmulqdq,aes,pclmul,bmi2")))
#define PARLEY_VAES_INLINE PARLEY_VAES inline __attribute__((always_inline))

namespace parley {
namespace {

constexpr size_t kChunk = 256;  // 16 blocks in four registers, and as many powers of H

struct Product {
  __m512i low;
  __m512i middle;
  __m512i high;
};

PARLEY_VAES_INLINE __m512i byte_reversal() {
  return _mm512_broadcast_i32x4(_mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}

PARLEY_VAES_INLINE Product multiply(__m512i x, __m512i h) {
  return {_mm512_clmulepi64_epi128(x, h, 0x00),
          _mm512_xor_si512(_mm512_clmulepi64_epi128(x, h, 0x01), _mm512_clmulepi64_epi128(x, h, 0x10)),
          _mm512_clmulepi64_epi128(x, h, 0x11)};
}

PARLEY_VAES_INLINE void multiply_add(Product& sum, __m512i x, __m512i h) {
  sum.low = _mm512_xor_si512(sum.low, _mm512_clmulepi64_epi128(x, h, 0x00));
  sum.middle = _mm512_ternarylogic_epi64(sum.middle, _mm512_clmulepi64_epi128(x, h, 0x01),
                                         _mm512_clmulepi64_epi128(x, h, 0x10), 0x96);
  sum.high = _mm512_xor_si512(sum.high, _mm512_clmulepi64_epi128(x, h, 0x11));
}

// Reduces in every lane and adds the four lanes up.
PARLEY_VAES_INLINE __m128i reduce(const Product& p) {
  const __m512i fold = _mm512_set1_epi64(static_cast<long long>(0xc200000000000000ull));
  __m512i middle = _mm512_ternarylogic_epi64(p.middle, _mm512_clmulepi64_epi128(p.low, fold, 0x00),
                                             _mm512_shuffle_epi32(p.low, _MM_PERM_BADC), 0x96);
  const __m512i high = _mm512_ternarylogic_epi64(p.high, _mm512_clmulepi64_epi128(middle, fold, 0x00),
                                                 _mm512_shuffle_epi32(middle, _MM_PERM_BADC), 0x96);
  const __m256i half = _mm256_xor_si256(_mm512_castsi512_si256(high), _mm512_extracti64x4_epi64(high, 1));
  return _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

template <int kRounds>
struct RoundKeys {
  __m512i k[kRounds + 1];
};

template <int kRounds>
PARLEY_VAES_INLINE void load_round_keys(const uint8_t* bytes, RoundKeys<kRounds>& keys) {
#pragma GCC unroll 16
  for (int i = 0; i <= kRounds; ++i) {
    keys.k[i] = _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + 16 * i)));
  }
}

template <int kRounds, int kVectors>
PARLEY_VAES_INLINE void encrypt_blocks(const RoundKeys<kRounds>& keys, __m512i (&v)[kVectors]) {
#pragma GCC unroll 4
  for (int j = 0; j < kVectors; ++j) v[j] = _mm512_xor_si512(v[j], keys.k[0]);
#pragma GCC unroll 16
  for (int i = 1; i < kRounds; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) v[j] = _mm512_aesenc_epi128(v[j], keys.k[i]);
  }
#pragma GCC unroll 4
  for (int j = 0; j < kVectors; ++j) v[j] = _mm512_aesenclast_epi128(v[j], keys.k[kRounds]);
}

template <int kRounds>
PARLEY_VAES_INLINE __m128i encrypt_block(const RoundKeys<kRounds>& keys, __m128i block) {
  block = _mm_xor_si128(block, _mm512_castsi512_si128(keys.k[0]));
#pragma GCC unroll 16
  for (int i = 1; i < kRounds; ++i) block = _mm_aesenc_si128(block, _mm512_castsi512_si128(keys.k[i]));
  return _mm_aesenclast_si128(block, _mm512_castsi512_si128(keys.k[kRounds]));
}

PARLEY_VAES_INLINE __mmask64 low_bytes(size_t count) {
  return count >= 64 ? ~__mmask64{0} : _bzhi_u64(~uint64_t{0}, static_cast<unsigned>(count));
}

// Reads the source vector by vector. The virtual start lies prefix_size before the body, so that all vectors but the
// first and the last are read from where they are; bytes outside a mask are not touched.
struct SourceReader {
  const uint8_t* prefix;
  size_t prefix_size;
  uintptr_t at;         // where the next vector would lie in the body
  uintptr_t suffix_at;  // and where in the suffix
  size_t body_left;

  explicit SourceReader(const GcmSource& source)
      : prefix(source.prefix),
        prefix_size(source.prefix_size),
        at(reinterpret_cast<uintptr_t>(source.body) - source.prefix_size),
        suffix_at(reinterpret_cast<uintptr_t>(source.suffix) - source.prefix_size - source.body_size),
        // Without a suffix masks end the reading.
        body_left(source.suffix_size == 0 ? SIZE_MAX : source.prefix_size + source.body_size) {}

  PARLEY_VAES_INLINE __m512i next(__mmask64 mask) {
    __m512i v;
    if (__builtin_expect(prefix_size == 0 && body_left >= 64, 1)) {
      v = _mm512_maskz_loadu_epi8(mask, reinterpret_cast<const void*>(at));
      body_left -= 64;
    } else {
      const __mmask64 in_prefix = low_bytes(prefix_size);
      const __mmask64 in_front = low_bytes(body_left);
      v = _mm512_maskz_loadu_epi8(mask & in_prefix, prefix);
      v = _mm512_mask_loadu_epi8(v, mask & in_front & ~in_prefix, reinterpret_cast<const void*>(at));
      v = _mm512_mask_loadu_epi8(v, mask & ~in_front & ~in_prefix, reinterpret_cast<const void*>(suffix_at));
      prefix_size = 0;
      body_left -= std::min<size_t>(64, body_left);
    }
    at += 64;
    suffix_at += 64;
    return v;
  }
};

// Counter blocks with the bytes reversed, so that the counter is a number in the lowest 32 bits of each lane.
struct Counter {
  __m512i value;

  PARLEY_VAES_INLINE __m512i next() {
    const __m512i block = _mm512_shuffle_epi8(value, byte_reversal());
    value = _mm512_add_epi32(value, _mm512_broadcast_i32x4(_mm_set_epi32(0, 0, 0, 4)));
    return block;
  }
};

PARLEY_VAES_INLINE Counter counter_from(__m128i reversed_block) {
  const __m512i lanes = _mm512_set_epi32(0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0);
  return {_mm512_add_epi32(_mm512_broadcast_i32x4(reversed_block), lanes)};
}

// Powers H^count and lower for count blocks (up to 16), the vector'th four of them; zero behind H^1.
PARLEY_VAES_INLINE __m512i load_powers(const uint8_t* powers, size_t count, size_t vector) {
  const size_t first = 16 - count + 4 * vector;
  const auto lanes = static_cast<__mmask8>(_bzhi_u32(0xff, static_cast<unsigned>(2 * std::min<size_t>(4, 16 - first))));
  return _mm512_maskz_loadu_epi64(lanes, powers + 16 * first);
}

PARLEY_VAES_INLINE __m128i hash_aad(const uint8_t* powers, const uint8_t* aad, size_t size) {
  __m128i hash = _mm_setzero_si128();
  for (size_t at = 0; at < size; at += 64) {
    const size_t take = std::min<size_t>(64, size - at);
    __m512i v = _mm512_shuffle_epi8(_mm512_maskz_loadu_epi8(low_bytes(take), aad + at), byte_reversal());
    v = _mm512_xor_si512(v, _mm512_zextsi128_si512(hash));
    hash = reduce(multiply(v, load_powers(powers, (take + 15) / 16, 0)));
  }
  return hash;
}

// The last 0 to 240 bytes and the block of lengths, in kVectors registers: returns the finished hash.
template <int kRounds, int kVectors, bool kEncrypt>
PARLEY_VAES_INLINE __m128i finish_tail(const RoundKeys<kRounds>& keys, const uint8_t* powers, Counter counter,
                                       SourceReader& reader, uint8_t* out, size_t size, __m128i lengths,
                                       __m128i hash) {
  __m512i v[kVectors];
#pragma GCC unroll 4
  for (int j = 0; j < kVectors; ++j) v[j] = counter.next();
  encrypt_blocks<kRounds, kVectors>(keys, v);
  const size_t blocks = (size + 15) / 16;
  Product sum = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
#pragma GCC unroll 4
  for (int j = 0; j < kVectors; ++j) {
    const size_t before = 64 * static_cast<size_t>(j);
    const __mmask64 mask = low_bytes(size > before ? size - before : 0);
    const __m512i in = reader.next(mask);
    const __m512i result = _mm512_maskz_mov_epi8(mask, _mm512_xor_si512(v[j], in));
    _mm512_mask_storeu_epi8(out + before, mask, result);
    __m512i hashed = _mm512_shuffle_epi8(kEncrypt ? result : in, byte_reversal());
    if (j == kVectors - 1) {
      const auto lane = static_cast<__mmask8>(3u << (2 * (blocks % 4)));
      hashed = _mm512_mask_broadcast_i64x2(hashed, lane, lengths);
    }
    if (j == 0) hashed = _mm512_xor_si512(hashed, _mm512_zextsi128_si512(hash));
    multiply_add(sum, hashed, load_powers(powers, blocks + 1, static_cast<size_t>(j)));
  }
  return reduce(sum);
}

template <int kRounds, bool kEncrypt>
PARLEY_VAES void crypt(const uint8_t* round_keys, const uint8_t* powers, const uint8_t nonce[12], const uint8_t* aad,
                       size_t aad_size, const GcmSource& source, uint8_t* out, uint8_t tag[16]) {
  RoundKeys<kRounds> keys;
  load_round_keys<kRounds>(round_keys, keys);
  // J0 is the nonce and the number 1 (NIST SP 800-38D 7.1); the payload begins at 2.
  const __m128i j0 = _mm_insert_epi32(_mm_maskz_loadu_epi8(0x0fff, nonce), 0x01000000, 3);
  const __m128i j0_reversed = _mm_shuffle_epi8(j0, _mm512_castsi512_si128(byte_reversal()));
  const __m128i tag_mask = encrypt_block<kRounds>(keys, j0);
  Counter counter = counter_from(_mm_add_epi32(j0_reversed, _mm_set_epi32(0, 0, 0, 1)));
  __m128i hash = hash_aad(powers, aad, aad_size);
  SourceReader reader(source);
  const size_t size = source.size();
  size_t left = size;

  if (left > kChunk - 16) {
    const __m512i power[4] = {_mm512_loadu_si512(powers), _mm512_loadu_si512(powers + 64),
                              _mm512_loadu_si512(powers + 128), _mm512_loadu_si512(powers + 192)};
    do {
      const size_t take = std::min(left, kChunk);
      const __mmask64 last_mask = low_bytes(take - 192);
      __m512i v[4];
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) v[j] = counter.next();
      encrypt_blocks<kRounds, 4>(keys, v);
      Product sum;
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        const __mmask64 mask = j == 3 ? last_mask : ~__mmask64{0};
        const __m512i in = reader.next(mask);
        __m512i result = _mm512_xor_si512(v[j], in);
        if (j == 3) {
          result = _mm512_maskz_mov_epi8(mask, result);
          _mm512_mask_storeu_epi8(out + 192, mask, result);
        } else {
          _mm512_storeu_si512(out + 64 * j, result);
        }
        __m512i hashed = _mm512_shuffle_epi8(kEncrypt ? result : in, byte_reversal());
        if (j == 0) {
          sum = multiply(_mm512_xor_si512(hashed, _mm512_zextsi128_si512(hash)), power[0]);
        } else {
          multiply_add(sum, hashed, power[j]);
        }
      }
      hash = reduce(sum);
      out += take;
      left -= take;
    } while (left > kChunk - 16);
  }

  // In bits, reversed like every block.
  const __m128i lengths = _mm_set_epi64x(static_cast<long long>(aad_size * 8), static_cast<long long>(size * 8));
  switch ((left + 15) / 16 / 4) {
    case 0:
      hash = finish_tail<kRounds, 1, kEncrypt>(keys, powers, counter, reader, out, left, lengths, hash);
      break;
    case 1:
      hash = finish_tail<kRounds, 2, kEncrypt>(keys, powers, counter, reader, out, left, lengths, hash);
      break;
    case 2:
      hash = finish_tail<kRounds, 3, kEncrypt>(keys, powers, counter, reader, out, left, lengths, hash);
      break;
    default:
      hash = finish_tail<kRounds, 4, kEncrypt>(keys, powers, counter, reader, out, left, lengths, hash);
      break;
  }
  hash = _mm_shuffle_epi8(hash, _mm512_castsi512_si128(byte_reversal()));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(tag), _mm_xor_si128(hash, tag_mask));
}

// ---- keys

PARLEY_VAES_INLINE __m128i spread_key(__m128i key) {
  key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
  return _mm_xor_si128(key, _mm_slli_si128(key, 8));
}

// FIPS 197 5.2. The round constant must be an immediate, hence templates.
template <int kConstant>
PARLEY_VAES_INLINE __m128i next_key(__m128i key, __m128i from) {
  return _mm_xor_si128(spread_key(key), _mm_shuffle_epi32(_mm_aeskeygenassist_si128(from, kConstant), 0xff));
}

PARLEY_VAES_INLINE __m128i next_odd_key(__m128i key, __m128i from) {
  return _mm_xor_si128(spread_key(key), _mm_shuffle_epi32(_mm_aeskeygenassist_si128(from, 0), 0xaa));
}

PARLEY_VAES void expand_128(const uint8_t* key, uint8_t* out) {
  __m128i k[11];
  k[0] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(key));
  k[1] = next_key<0x01>(k[0], k[0]);
  k[2] = next_key<0x02>(k[1], k[1]);
  k[3] = next_key<0x04>(k[2], k[2]);
  k[4] = next_key<0x08>(k[3], k[3]);
  k[5] = next_key<0x10>(k[4], k[4]);
  k[6] = next_key<0x20>(k[5], k[5]);
  k[7] = next_key<0x40>(k[6], k[6]);
  k[8] = next_key<0x80>(k[7], k[7]);
  k[9] = next_key<0x1b>(k[8], k[8]);
  k[10] = next_key<0x36>(k[9], k[9]);
  for (int i = 0; i < 11; ++i) _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 16 * i), k[i]);
}

PARLEY_VAES void expand_256(const uint8_t* key, uint8_t* out) {
  __m128i k[15];
  k[0] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(key));
  k[1] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(key + 16));
  k[2] = next_key<0x01>(k[0], k[1]);
  k[3] = next_odd_key(k[1], k[2]);
  k[4] = next_key<0x02>(k[2], k[3]);
  k[5] = next_odd_key(k[3], k[4]);
  k[6] = next_key<0x04>(k[4], k[5]);
  k[7] = next_odd_key(k[5], k[6]);
  k[8] = next_key<0x08>(k[6], k[7]);
  k[9] = next_odd_key(k[7], k[8]);
  k[10] = next_key<0x10>(k[8], k[9]);
  k[11] = next_odd_key(k[9], k[10]);
  k[12] = next_key<0x20>(k[10], k[11]);
  k[13] = next_odd_key(k[11], k[12]);
  k[14] = next_key<0x40>(k[12], k[13]);
  for (int i = 0; i < 15; ++i) _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 16 * i), k[i]);
}

// H times x in the reflected field: one bit up, and the polynomial where a bit fell out.
PARLEY_VAES_INLINE __m128i times_x(__m128i h) {
  const auto low = static_cast<uint64_t>(_mm_extract_epi64(h, 0));
  const auto high = static_cast<uint64_t>(_mm_extract_epi64(h, 1));
  const uint64_t carry = high >> 63;
  return _mm_set_epi64x(static_cast<long long>((high << 1 | low >> 63) ^ (carry * 0xc200000000000000ull)),
                        static_cast<long long>((low << 1) ^ carry));
}

template <int kRounds>
PARLEY_VAES void make_powers(const uint8_t* round_keys, uint8_t* powers) {
  RoundKeys<kRounds> keys;
  load_round_keys<kRounds>(round_keys, keys);
  __m128i h = encrypt_block<kRounds>(keys, _mm_setzero_si128());
  h = times_x(_mm_shuffle_epi8(h, _mm512_castsi512_si128(byte_reversal())));
  __m128i power = h;
  for (int i = 15; i >= 0; --i) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(powers + 16 * i), power);
    power = reduce(multiply(_mm512_zextsi128_si512(power), _mm512_zextsi128_si512(h)));
  }
}

}  // namespace

bool vaes_available() {
#ifdef PARLEY_PORTABLE_CRYPTO
  // For counts that are the same on every machine.
  return false;
#else
  static const bool available = [] {
    __builtin_cpu_init();
    // This asks the system too, whether it saves the registers.
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("bmi2") || !__builtin_cpu_supports("aes") || !__builtin_cpu_supports("pclmul")) {
      return false;
    }
    unsigned a = 0, b = 0, c = 0, d = 0;
    // Leaf 7: ECX bit 9 is VAES, bit 10 VPCLMULQDQ. Not every compiler knows their names.
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) == 1 && (c & (1u << 9)) != 0 && (c & (1u << 10)) != 0;
  }();
  return available;
#endif
}

template <>
void vaes_gcm_expand<10>(const uint8_t* key, VaesGcmKey<10>& out) {
  expand_128(key, out.round_keys.data());
  make_powers<10>(out.round_keys.data(), out.powers.data());
}

template <>
void vaes_gcm_expand<14>(const uint8_t* key, VaesGcmKey<14>& out) {
  expand_256(key, out.round_keys.data());
  make_powers<14>(out.round_keys.data(), out.powers.data());
}

template <int kRounds>
void vaes_gcm_seal(const VaesGcmKey<kRounds>& key, const uint8_t nonce[12], std::span<const uint8_t> aad,
                   const GcmSource& source, uint8_t* out) {
  crypt<kRounds, true>(key.round_keys.data(), key.powers.data(), nonce, aad.data(), aad.size(), source, out,
                       out + source.size());
}

template <int kRounds>
void vaes_gcm_open(const VaesGcmKey<kRounds>& key, const uint8_t nonce[12], std::span<const uint8_t> aad, uint8_t* data,
                   size_t size, uint8_t expected_tag[16]) {
  const GcmSource source = {.body = data, .body_size = size};
  crypt<kRounds, false>(key.round_keys.data(), key.powers.data(), nonce, aad.data(), aad.size(), source, data,
                        expected_tag);
}

void vaes_ctr_expand(const uint8_t key[16], std::array<uint8_t, 176>& round_keys) {
  expand_128(key, round_keys.data());
}

PARLEY_VAES static void ctr(const uint8_t* round_keys, const uint8_t iv[16], const GcmSource& source, uint8_t* out) {
  RoundKeys<10> keys;
  load_round_keys<10>(round_keys, keys);
  const __m128i first = _mm_loadu_si128(reinterpret_cast<const __m128i*>(iv));
  Counter counter = counter_from(_mm_shuffle_epi8(first, _mm512_castsi512_si128(byte_reversal())));
  SourceReader reader(source);
  const size_t size = source.size();
  for (size_t at = 0; at < size; at += kChunk) {
    __m512i v[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) v[j] = counter.next();
    encrypt_blocks<10, 4>(keys, v);
    const size_t left = size - at;
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      const size_t before = 64 * static_cast<size_t>(j);
      const __mmask64 mask = low_bytes(left > before ? left - before : 0);
      _mm512_mask_storeu_epi8(out + at + before, mask, _mm512_xor_si512(v[j], reader.next(mask)));
    }
  }
}

void vaes_ctr_apply(const std::array<uint8_t, 176>& round_keys, const uint8_t iv[16], const GcmSource& source,
                    uint8_t* out) {
  ctr(round_keys.data(), iv, source, out);
}

}  // namespace parley

#else

#include <cstdlib>

// Other processors: never called, as vaes_available() says no.
namespace parley {

bool vaes_available() { return false; }
template <int kRounds>
void vaes_gcm_expand(const uint8_t*, VaesGcmKey<kRounds>&) {
  std::abort();
}
template <int kRounds>
void vaes_gcm_seal(const VaesGcmKey<kRounds>&, const uint8_t[12], std::span<const uint8_t>, const GcmSource&,
                   uint8_t*) {
  std::abort();
}
template <int kRounds>
void vaes_gcm_open(const VaesGcmKey<kRounds>&, const uint8_t[12], std::span<const uint8_t>, uint8_t*, size_t,
                   uint8_t[16]) {
  std::abort();
}
template void vaes_gcm_expand<10>(const uint8_t*, VaesGcmKey<10>&);
template void vaes_gcm_expand<14>(const uint8_t*, VaesGcmKey<14>&);
void vaes_ctr_expand(const uint8_t[16], std::array<uint8_t, 176>&) { std::abort(); }
void vaes_ctr_apply(const std::array<uint8_t, 176>&, const uint8_t[16], const GcmSource&, uint8_t*) { std::abort(); }

}  // namespace parley

#endif

namespace parley {

template void vaes_gcm_seal<10>(const VaesGcmKey<10>&, const uint8_t[12], std::span<const uint8_t>, const GcmSource&,
                                uint8_t*);
template void vaes_gcm_seal<14>(const VaesGcmKey<14>&, const uint8_t[12], std::span<const uint8_t>, const GcmSource&,
                                uint8_t*);
template void vaes_gcm_open<10>(const VaesGcmKey<10>&, const uint8_t[12], std::span<const uint8_t>, uint8_t*, size_t,
                                uint8_t[16]);
template void vaes_gcm_open<14>(const VaesGcmKey<14>&, const uint8_t[12], std::span<const uint8_t>, uint8_t*, size_t,
                                uint8_t[16]);

GcmSource gather_pieces(std::span<const std::span<const uint8_t>> pieces, std::array<uint8_t, 64>& buffer,
                        uint8_t* out) {
  if (pieces.empty()) return {};
  if (pieces.size() == 1) return {.body = pieces[0].data(), .body_size = pieces[0].size()};
  size_t largest = 0;
  for (size_t i = 1; i < pieces.size(); ++i) {
    if (pieces[i].size() > pieces[largest].size()) largest = i;
  }
  size_t front = 0;
  for (size_t i = 0; i < largest; ++i) front += pieces[i].size();
  const bool fits = front <= buffer.size() && largest + 2 >= pieces.size();
  uint8_t* to = fits ? buffer.data() : out;
  for (const auto& piece : fits ? pieces.first(largest) : pieces) {
    if (!piece.empty()) std::memcpy(to, piece.data(), piece.size());
    to += piece.size();
  }
  if (!fits) return {.body = out, .body_size = static_cast<size_t>(to - out)};
  GcmSource source{.prefix = buffer.data(),
                   .prefix_size = front,
                   .body = pieces[largest].data(),
                   .body_size = pieces[largest].size()};
  if (largest + 1 < pieces.size()) {
    source.suffix = pieces[largest + 1].data();
    source.suffix_size = pieces[largest + 1].size();
  }
  return source;
}

}  // namespace parley
