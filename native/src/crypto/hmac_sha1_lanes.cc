// SHA-1 (FIPS 180-4 6.1) of sixteen packets side by side: word t of every packet stands in one register.
#include <algorithm>
#include <cstring>

#include "hmac_sha1.h"

#if defined(__x86_64__)

#include <immintrin.h>

// GCC 12 warns of the deliberately undefined registers in its own intrinsics, once per use.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#define PARLEY_LANES __attribute__((target("avx512f,avx512bw")))
#define PARLEY_LANES_INLINE PARLEY_LANES inline __attribute__((always_inline))

namespace parley {
namespace {

constexpr size_t kLanes = kHmacSha1Lanes;
constexpr size_t kBlock = 64;

struct LaneState {
  __m512i h[5];
};

// The blocks of one packet: whole ones from where they lie, then one or two made here with the suffix and the padding.
struct LaneInput {
  const uint8_t* data;
  size_t whole_blocks;
  size_t blocks;
  uint8_t end[2 * kBlock];
};

void prepare(const HmacSha1Job& job, LaneInput& lane) {
  lane.data = job.data;
  lane.whole_blocks = job.size / kBlock;
  const size_t rest = job.size % kBlock;
  const size_t end_blocks = rest + 4 + 9 <= kBlock ? 1 : 2;
  lane.blocks = lane.whole_blocks + end_blocks;
  std::memcpy(lane.end, job.data + lane.whole_blocks * kBlock, rest);
  std::memset(lane.end + rest, 0, end_blocks * kBlock - rest);
  const uint32_t suffix = __builtin_bswap32(job.suffix);
  std::memcpy(lane.end + rest, &suffix, 4);
  lane.end[rest + 4] = 0x80;
  // The block of the padded key counts in the length too.
  const uint64_t bits = __builtin_bswap64((uint64_t{job.size} + 4 + kBlock) * 8);
  std::memcpy(lane.end + end_blocks * kBlock - 8, &bits, 8);
}

// Rows to columns, 16 x 16 words.
PARLEY_LANES_INLINE void transpose(__m512i (&r)[16]) {
  __m512i t[16];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    r[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
    r[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
    r[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
    r[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm512_shuffle_i32x4(r[i], r[4 + i], 0x88);
    t[4 + i] = _mm512_shuffle_i32x4(r[i], r[4 + i], 0xdd);
    t[8 + i] = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0x88);
    t[12 + i] = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0xdd);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    r[i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0x88);
    r[4 + i] = _mm512_shuffle_i32x4(t[4 + i], t[12 + i], 0x88);
    r[8 + i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0xdd);
    r[12 + i] = _mm512_shuffle_i32x4(t[4 + i], t[12 + i], 0xdd);
  }
}

// One of the four groups of twenty rounds; kLogic is the truth table of its function of b, c and d.
template <int kFirst, int kLogic>
PARLEY_LANES_INLINE void twenty_rounds(__m512i (&s)[5], __m512i (&w)[16], uint32_t constant) {
  const __m512i k = _mm512_set1_epi32(static_cast<int>(constant));
#pragma GCC unroll 20
  for (int t = kFirst; t < kFirst + 20; ++t) {
    if (t >= 16) {
      const __m512i mixed = _mm512_ternarylogic_epi32(w[(t + 13) & 15], w[(t + 8) & 15], w[(t + 2) & 15], 0x96);
      w[t & 15] = _mm512_rol_epi32(_mm512_xor_si512(mixed, w[t & 15]), 1);
    }
    const __m512i f = _mm512_ternarylogic_epi32(s[1], s[2], s[3], kLogic);
    const __m512i sum = _mm512_add_epi32(_mm512_add_epi32(s[4], k), _mm512_add_epi32(f, w[t & 15]));
    const __m512i next = _mm512_add_epi32(sum, _mm512_rol_epi32(s[0], 5));
    s[4] = s[3];
    s[3] = s[2];
    s[2] = _mm512_rol_epi32(s[1], 30);
    s[1] = s[0];
    s[0] = next;
  }
}

// Compresses one block in the lanes of the mask.
PARLEY_LANES_INLINE void compress(LaneState& state, __m512i (&w)[16], __mmask16 lanes) {
  __m512i s[5] = {state.h[0], state.h[1], state.h[2], state.h[3], state.h[4]};
  twenty_rounds<0, 0xca>(s, w, 0x5a827999u);   // b ? c : d
  twenty_rounds<20, 0x96>(s, w, 0x6ed9eba1u);  // parity
  twenty_rounds<40, 0xe8>(s, w, 0x8f1bbcdcu);  // majority
  twenty_rounds<60, 0x96>(s, w, 0xca62c1d6u);
#pragma GCC unroll 5
  for (int i = 0; i < 5; ++i) state.h[i] = _mm512_mask_add_epi32(state.h[i], lanes, state.h[i], s[i]);
}

PARLEY_LANES void load_state(std::span<const HmacSha1Job> jobs, std::array<uint32_t, 5> HmacSha1::*which,
                             LaneState& state) {
  alignas(64) uint32_t words[5][kLanes] = {};
  for (size_t lane = 0; lane < jobs.size(); ++lane) {
    for (size_t i = 0; i < 5; ++i) words[i][lane] = (jobs[lane].key.*which)[i];
  }
  for (size_t i = 0; i < 5; ++i) state.h[i] = _mm512_load_si512(words[i]);
}

PARLEY_LANES void run(std::span<const HmacSha1Job> jobs, LaneInput* inputs) {
  const __m512i swap = _mm512_broadcast_i32x4(_mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3));
  alignas(64) static constexpr uint8_t kNothing[kBlock] = {};
  LaneState state;
  load_state(jobs, &HmacSha1::inner, state);
  size_t most = 0;
  for (size_t lane = 0; lane < jobs.size(); ++lane) most = std::max(most, inputs[lane].blocks);
  for (size_t block = 0; block < most; ++block) {
    const uint8_t* from[kLanes];
    uint32_t active = 0;
    for (size_t lane = 0; lane < kLanes; ++lane) {
      from[lane] = kNothing;
      if (lane >= jobs.size() || block >= inputs[lane].blocks) continue;
      const LaneInput& input = inputs[lane];
      from[lane] = block < input.whole_blocks ? input.data + block * kBlock
                                              : input.end + (block - input.whole_blocks) * kBlock;
      active |= 1u << lane;
    }
    __m512i w[16];
#pragma GCC unroll 16
    for (size_t lane = 0; lane < kLanes; ++lane) w[lane] = _mm512_shuffle_epi8(_mm512_loadu_si512(from[lane]), swap);
    transpose(w);
    compress(state, w, static_cast<__mmask16>(active));
  }

  // The outer hash: one block of the inner digest, the padding and the length of key block and digest.
  const __m512i zero = _mm512_setzero_si512();
  __m512i w[16] = {state.h[0], state.h[1], state.h[2], state.h[3], state.h[4],
                   _mm512_set1_epi32(static_cast<int>(0x80000000u)), zero, zero, zero, zero, zero, zero, zero, zero,
                   zero, _mm512_set1_epi32((64 + 20) * 8)};
  load_state(jobs, &HmacSha1::outer, state);
  compress(state, w, 0xffff);
  alignas(64) uint32_t words[3][kLanes];
  for (size_t i = 0; i < 3; ++i) _mm512_store_si512(words[i], _mm512_shuffle_epi8(state.h[i], swap));
  for (size_t lane = 0; lane < jobs.size(); ++lane) {
    std::memcpy(jobs[lane].tag, &words[0][lane], 4);
    std::memcpy(jobs[lane].tag + 4, &words[1][lane], 4);
    std::memcpy(jobs[lane].tag + 8, &words[2][lane], 2);
  }
}

}  // namespace

void hmac_sha1_lanes(std::span<const HmacSha1Job> jobs) {
  LaneInput inputs[kLanes];
  for (size_t lane = 0; lane < jobs.size(); ++lane) prepare(jobs[lane], inputs[lane]);
  run(jobs, inputs);
}

}  // namespace parley

#else

namespace parley {

void hmac_sha1_lanes(std::span<const HmacSha1Job> jobs) {
  for (const HmacSha1Job& job : jobs) job.key.tag({job.data, job.size}, job.suffix, job.tag);
}

}  // namespace parley

#endif
