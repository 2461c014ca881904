// Published vectors: RFC 3711 appendix B.3 (key derivation), RFC 7714 sections 16 and 17 (GCM packets).
#include "check.h"
#include "crypto/srtp_transform.h"
#include "parley/crypto/srtp.h"

using namespace parley;
using parley::test::hex;
using parley::test::to_hex;

namespace {

const char* kSalt = "51756964 2070726f 2071756f";
const char* kRtp =
    "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 61727465 73207472 6573";
const char* kSrtp128 =
    "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b 36de3adf"
    "8833899d 7f27beb1 6a9152cf 765ee439 0cce";
const char* kSrtp256 =
    "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 76ffae0f 1ba63799"
    "b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13";
const char* kRtcp =
    "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef deadbeef"
    "deadbeef";
const char* kSrtcp128 =
    "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda 4ce09b46 86303ded"
    "0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4";
const char* kSrtcp256 =
    "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1 110555be 8415f658 c61de047"
    "6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4";
const char* kSrtcp128TagOnly =
    "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef deadbeef"
    "deadbeef 841dd968 3dd78ec9 2ae58790 125f62b3 000005d4";

void fill_gcm_keys(SrtpProfile profile, SrtpSessionKeys& keys) {
  keys.profile = profile;
  for (size_t i = 0; i < 32; ++i) keys.rtp_key[i] = keys.rtcp_key[i] = static_cast<uint8_t>(i);
  const auto salt = hex(kSalt);
  std::copy(salt.begin(), salt.end(), keys.rtp_salt.begin());
  std::copy(salt.begin(), salt.end(), keys.rtcp_salt.begin());
}

void check_gcm_vectors(SrtpProfile profile, const char* srtp, const char* srtcp) {
  for (const SrtpBackend backend : {SrtpBackend::kPortable, SrtpBackend::kAuto}) {
    SrtpSessionKeys keys;
    fill_gcm_keys(profile, keys);
    const auto sender = make_gcm_transform(keys, SrtpDirection::kSend, backend);
    const auto receiver = make_gcm_transform(keys, SrtpDirection::kReceive, backend);
    CHECK(sender != nullptr && receiver != nullptr);

    const auto rtp = hex(kRtp);
    auto packet = rtp;
    packet.resize(rtp.size() + 16);
    const std::span<const uint8_t> payload(rtp.data() + 12, rtp.size() - 12);
    CHECK(sender->seal_rtp(packet.data(), 12, std::span(&payload, 1), payload.size(), 0xf17b, nullptr));
    CHECK_EQ(to_hex(packet), to_hex(hex(srtp)));
    CHECK_EQ(receiver->open_rtp(packet.data(), 12, packet.size(), 0xf17b), SrtpError::kNone);
    packet.resize(rtp.size());
    CHECK_EQ(to_hex(packet), to_hex(rtp));

    const auto rtcp = hex(kRtcp);
    packet = rtcp;
    packet.resize(rtcp.size() + 20);
    CHECK(sender->seal_rtcp(packet.data(), rtcp.size(), 0x5d4));
    CHECK_EQ(to_hex(packet), to_hex(hex(srtcp)));
    CHECK_EQ(receiver->rtcp_index_word(packet.data(), packet.size()), 0x800005d4u);
    CHECK_EQ(receiver->open_rtcp(packet.data(), packet.size()), SrtpError::kNone);
    packet.resize(rtcp.size());
    CHECK_EQ(to_hex(packet), to_hex(rtcp));
  }
}

}  // namespace

TEST("RFC 3711 B.3: key derivation") {
  SrtpMasterKey master;
  master.profile = SrtpProfile::kAes128CmSha1_80;
  const auto key = hex("E1F97A0D3E018BE0D64FA32C06DE4139");
  const auto salt = hex("0EC675AD498AFEEBB6960B3AABE6");
  std::copy(key.begin(), key.end(), master.key.begin());
  std::copy(salt.begin(), salt.end(), master.salt.begin());
  SrtpSessionKeys keys;
  CHECK(keys.derive(master));
  CHECK_EQ(to_hex(std::span(keys.rtp_key).first(16)), "c61e7a93744f39ee10734afe3ff7a087");
  CHECK_EQ(to_hex(keys.rtp_salt), "30cbbc08863d8c85d49db34a9ae1");
  CHECK_EQ(to_hex(keys.rtp_auth), "cebe321f6ff7716b6fd4ab49af256a156d38baa4");
  std::array<uint8_t, 16> single;
  CHECK(srtp_derive_key(master, SrtpKeyLabel::kRtcpEncryption, single));
  CHECK_EQ(to_hex(single), to_hex(std::span(keys.rtcp_key).first(16)));
  CHECK(to_hex(single) != to_hex(std::span(keys.rtp_key).first(16)));
}

TEST("RFC 7714 16.1, 17.1: AEAD_AES_128_GCM") {
  check_gcm_vectors(SrtpProfile::kAeadAes128Gcm, kSrtp128, kSrtcp128);
}

TEST("RFC 7714 16.2, 17.2: AEAD_AES_256_GCM") {
  check_gcm_vectors(SrtpProfile::kAeadAes256Gcm, kSrtp256, kSrtcp256);
}

TEST("RFC 7714 17.3: SRTCP that is tagged and not encrypted") {
  for (const SrtpBackend backend : {SrtpBackend::kPortable, SrtpBackend::kAuto}) {
    SrtpSessionKeys keys;
    fill_gcm_keys(SrtpProfile::kAeadAes128Gcm, keys);
    const auto receiver = make_gcm_transform(keys, SrtpDirection::kReceive, backend);
    auto packet = hex(kSrtcp128TagOnly);
    CHECK_EQ(receiver->open_rtcp(packet.data(), packet.size()), SrtpError::kNone);
    packet[20] ^= 1;
    CHECK_EQ(receiver->open_rtcp(packet.data(), packet.size()), SrtpError::kAuthFailed);
  }
}
