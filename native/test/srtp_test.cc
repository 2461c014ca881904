// SRTP contexts: round trips, roll-over, replay, reordering, tampering.
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "check.h"
#include "parley/crypto/srtp.h"

using namespace parley;
using parley::test::Random;
using parley::test::to_hex;

namespace {

constexpr SrtpProfile kProfiles[] = {SrtpProfile::kAeadAes128Gcm, SrtpProfile::kAeadAes256Gcm,
                                     SrtpProfile::kAes128CmSha1_80};
constexpr SrtpBackend kBackends[] = {SrtpBackend::kAuto, SrtpBackend::kPortable};
constexpr uint32_t kSsrc = 0xcafe0001;

SrtpMasterKey make_key(SrtpProfile profile, uint64_t seed) {
  Random random(seed);
  SrtpMasterKey key;
  key.profile = profile;
  for (auto& byte : key.key) byte = static_cast<uint8_t>(random.next());
  for (auto& byte : key.salt) byte = static_cast<uint8_t>(random.next());
  return key;
}

std::vector<uint8_t> make_header(uint16_t sequence, uint32_t ssrc) {
  return {0x90, 96, static_cast<uint8_t>(sequence >> 8), static_cast<uint8_t>(sequence), 1, 2, 3, 4,
          static_cast<uint8_t>(ssrc >> 24), static_cast<uint8_t>(ssrc >> 16), static_cast<uint8_t>(ssrc >> 8),
          static_cast<uint8_t>(ssrc), 0xbe, 0xde, 0, 1, 0x10, 7, 0, 0};
}

std::vector<uint8_t> make_payload(size_t size, uint64_t seed) {
  Random random(seed);
  std::vector<uint8_t> payload(size);
  for (auto& byte : payload) byte = static_cast<uint8_t>(random.next());
  return payload;
}

std::vector<uint8_t> protect(SrtpSendContext& sender, uint64_t index, size_t payload_size = 50, uint32_t ssrc = kSsrc) {
  auto packet = make_header(static_cast<uint16_t>(index), ssrc);
  const size_t header_size = packet.size();
  const auto payload = make_payload(payload_size, index);
  packet.resize(header_size + payload_size + kSrtpMaxOverhead);
  const auto result = sender.protect_rtp(packet.data(), header_size, packet.size(), payload, index);
  CHECK_EQ(result.error, SrtpError::kNone);
  packet.resize(result.size);
  return packet;
}

SrtpError unprotect(SrtpReceiveContext& receiver, std::vector<uint8_t> packet, uint64_t expected_index) {
  const auto result = receiver.unprotect_rtp(packet.data(), packet.size());
  if (!result.ok()) return result.error;
  CHECK_EQ(result.packet_index, expected_index);
  CHECK_EQ(result.header_size, 20u);
  CHECK(to_hex({packet.data() + 20, result.size - 20u}) ==
        to_hex(make_payload(result.size - 20u, expected_index)));
  return SrtpError::kNone;
}

std::vector<uint8_t> make_rtcp(size_t words) {
  std::vector<uint8_t> packet = {0x80, 201, 0, static_cast<uint8_t>(words - 1), 0xca, 0xfe, 0, 1};
  packet.resize(words * 4, 0x5a);
  return packet;
}

std::vector<uint8_t> protect_rtcp(SrtpSendContext& sender, const std::vector<uint8_t>& plain) {
  auto packet = plain;
  packet.resize(plain.size() + kSrtpMaxOverhead);
  const auto result = sender.protect_rtcp(packet.data(), plain.size(), packet.size());
  CHECK_EQ(result.error, SrtpError::kNone);
  packet.resize(result.size);
  return packet;
}

}  // namespace

TEST("every profile and back end understands every other back end of the profile, all sizes") {
  for (const SrtpProfile profile : kProfiles) {
    for (const SrtpBackend from : kBackends) {
      for (const SrtpBackend to : kBackends) {
        auto sender = SrtpSendContext::create(make_key(profile, 1), from);
        auto receiver = SrtpReceiveContext::create(make_key(profile, 1), to);
        CHECK(sender && receiver);
        for (size_t size = 0; size < 1400; size += size < 300 ? 1 : 37) {
          CHECK_EQ(unprotect(*receiver, protect(*sender, 1000 + size, size), 1000 + size), SrtpError::kNone);
        }
      }
    }
  }
}

TEST("AES128_CM_SHA1_80 is counter mode and HMAC as RFC 3711 4.1.1 and 4.2 write it") {
  const auto master = make_key(SrtpProfile::kAes128CmSha1_80, 5);
  std::array<uint8_t, 16> key;
  std::array<uint8_t, 20> auth;
  std::array<uint8_t, 14> salt;
  CHECK(srtp_derive_key(master, SrtpKeyLabel::kRtpEncryption, key));
  CHECK(srtp_derive_key(master, SrtpKeyLabel::kRtpAuth, auth));
  CHECK(srtp_derive_key(master, SrtpKeyLabel::kRtpSalt, salt));
  const uint64_t index = 0x1234'5678'9abcull;
  const auto header = make_header(0x9abc, kSsrc);
  const auto payload = make_payload(333, index);
  // The definition, by independent calls: IV, key stream, tag over packet and ROC.
  std::array<uint8_t, 16> iv{};
  std::copy(salt.begin(), salt.end(), iv.begin());
  for (int i = 0; i < 4; ++i) iv[4 + i] ^= static_cast<uint8_t>(kSsrc >> (24 - 8 * i));
  for (int i = 0; i < 6; ++i) iv[8 + i] ^= static_cast<uint8_t>(index >> (40 - 8 * i));
  std::vector<uint8_t> expected = header;
  expected.resize(header.size() + payload.size());
  EVP_CIPHER_CTX* ctx = EVP_CIPHER_CTX_new();
  int written = 0;
  CHECK(EVP_EncryptInit_ex(ctx, EVP_aes_128_ctr(), nullptr, key.data(), iv.data()) == 1);
  CHECK(EVP_EncryptUpdate(ctx, expected.data() + header.size(), &written, payload.data(), 333) == 1);
  EVP_CIPHER_CTX_free(ctx);
  auto authenticated = expected;
  for (const uint8_t byte : {0x12, 0x34, 0x56, 0x78}) authenticated.push_back(byte);
  uint8_t mac[20];
  unsigned mac_size = 0;
  HMAC(EVP_sha1(), auth.data(), 20, authenticated.data(), authenticated.size(), mac, &mac_size);
  expected.insert(expected.end(), mac, mac + 10);
  for (const SrtpBackend backend : kBackends) {
    auto sender = SrtpSendContext::create(master, backend);
    CHECK_EQ(to_hex(protect(*sender, index, 333)), to_hex(expected));
  }
}

TEST("a payload in pieces gives the same packet as in one, and in place too") {
  Random random(7);
  for (const SrtpProfile profile : kProfiles) {
    for (const SrtpBackend backend : kBackends) {
      auto sender = SrtpSendContext::create(make_key(profile, 2), backend);
      for (int round = 0; round < 300; ++round) {
        const auto payload = make_payload(random.below(1300), static_cast<uint64_t>(round));
        auto whole = make_header(static_cast<uint16_t>(round), kSsrc);
        auto pieced = whole;
        auto in_place = whole;
        const size_t size = 20 + payload.size();
        whole.resize(size + kSrtpMaxOverhead);
        pieced.resize(size + kSrtpMaxOverhead);
        in_place.resize(size + kSrtpMaxOverhead);
        std::copy(payload.begin(), payload.end(), in_place.begin() + 20);
        const auto index = static_cast<uint64_t>(round);
        CHECK(sender->protect_rtp(whole.data(), 20, whole.size(), payload, index).ok());
        std::vector<std::span<const uint8_t>> pieces;
        size_t at = 0;
        const size_t cut = round % 2 == 0 ? 20 : 1300;
        while (pieces.size() < 4 && at < payload.size()) {
          const size_t take = std::min<size_t>(random.below(cut), payload.size() - at);
          pieces.emplace_back(payload.data() + at, take);
          at += take;
        }
        pieces.emplace_back(payload.data() + at, payload.size() - at);
        CHECK(sender->protect_rtp(pieced.data(), 20, pieced.size(), pieces, index).ok());
        CHECK(sender
                  ->protect_rtp(in_place.data(), 20, in_place.size(),
                                std::span<const uint8_t>(in_place.data() + 20, payload.size()), index)
                  .ok());
        CHECK(to_hex(whole) == to_hex(pieced));
        CHECK(to_hex(whole) == to_hex(in_place));
      }
    }
  }
}

TEST("RFC 3711 3.3.1: the roll-over counter follows three wraps, also with gaps and reordering across them") {
  for (const SrtpProfile profile : kProfiles) {
    auto sender = SrtpSendContext::create(make_key(profile, 3));
    auto receiver = SrtpReceiveContext::create(make_key(profile, 3));
    CHECK_EQ(unprotect(*receiver, protect(*sender, 65'000), 65'000), SrtpError::kNone);
    Random random(11);
    for (uint64_t base = 65'500; base < 200'000; base += 800) {
      // A block of 40 in random order.
      std::vector<uint64_t> order;
      for (uint64_t i = 0; i < 40; ++i) order.push_back(base + i);
      for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
      for (const uint64_t index : order) {
        CHECK_EQ(unprotect(*receiver, protect(*sender, index), index), SrtpError::kNone);
      }
    }
  }
}

TEST("a packet from before the first sequence number is too old, not a crash") {
  auto sender = SrtpSendContext::create(make_key(SrtpProfile::kAeadAes128Gcm, 3));
  auto receiver = SrtpReceiveContext::create(make_key(SrtpProfile::kAeadAes128Gcm, 3));
  CHECK_EQ(unprotect(*receiver, protect(*sender, 2), 2), SrtpError::kNone);
  CHECK_EQ(unprotect(*receiver, protect(*sender, 65'534), 0), SrtpError::kTooOld);
}

TEST("RFC 3711 3.3.2: replays are refused, late packets inside the window are taken once") {
  for (const SrtpProfile profile : kProfiles) {
    auto sender = SrtpSendContext::create(make_key(profile, 4));
    auto receiver = SrtpReceiveContext::create(make_key(profile, 4));
    for (uint64_t index = 1000; index < 3000; index += 2) {
      CHECK_EQ(unprotect(*receiver, protect(*sender, index), index), SrtpError::kNone);
    }
    CHECK_EQ(unprotect(*receiver, protect(*sender, 2998), 2998), SrtpError::kReplayed);
    CHECK_EQ(unprotect(*receiver, protect(*sender, 2100), 2100), SrtpError::kReplayed);
    CHECK_EQ(unprotect(*receiver, protect(*sender, 2871), 2871), SrtpError::kNone);
    CHECK_EQ(unprotect(*receiver, protect(*sender, 2871), 2871), SrtpError::kReplayed);
    CHECK_EQ(unprotect(*receiver, protect(*sender, 2041), 2041), SrtpError::kNone);
    CHECK_EQ(unprotect(*receiver, protect(*sender, 1901), 1901), SrtpError::kTooOld);
  }
}

TEST("the replay window agrees with a set of indices") {
  Random random(99);
  ReplayWindow<3> window;
  std::vector<bool> seen(100'000, false);
  uint64_t highest = 0;
  for (int i = 0; i < 50'000; ++i) {
    const uint64_t index = highest < 200 || random.chance(0.5)
                               ? highest + random.below(random.chance(0.01) ? 300 : 4)
                               : highest - random.below(150);
    if (index >= seen.size()) break;
    const ReplayVerdict verdict = window.check(index);
    if (!window.empty() && index <= highest) {
      if (verdict == ReplayVerdict::kTooOld) {
        CHECK(highest - index >= ReplayWindow<3>::kGuaranteedDepth);
        continue;
      }
      CHECK_EQ(verdict == ReplayVerdict::kReplayed, static_cast<bool>(seen[index]));
    } else {
      CHECK(verdict == ReplayVerdict::kFresh);
    }
    if (verdict != ReplayVerdict::kFresh) continue;
    window.accept(index);
    seen[index] = true;
    highest = std::max(highest, index);
    CHECK_EQ(window.highest(), highest);
  }
  CHECK(highest > 20'000);
}

TEST("one flipped bit anywhere is noticed, makes no state, and the true packet still passes") {
  for (const SrtpProfile profile : kProfiles) {
    for (const SrtpBackend backend : kBackends) {
      auto sender = SrtpSendContext::create(make_key(profile, 6), backend);
      auto receiver = SrtpReceiveContext::create(make_key(profile, 6), backend);
      const auto packet = protect(*sender, 77, 90);
      for (size_t i = 0; i < packet.size(); ++i) {
        auto tampered = packet;
        tampered[i] ^= static_cast<uint8_t>(1 << (i % 8));
        const auto result = receiver->unprotect_rtp(tampered.data(), tampered.size());
        CHECK(result.error == SrtpError::kAuthFailed || result.error == SrtpError::kMalformed);
        CHECK_EQ(receiver->stream_count(), 0u);
      }
      const auto rtcp = protect_rtcp(*sender, make_rtcp(7));
      for (size_t i = 0; i < rtcp.size(); ++i) {
        auto tampered = rtcp;
        tampered[i] ^= static_cast<uint8_t>(1 << (i % 8));
        const auto result = receiver->unprotect_rtcp(tampered.data(), tampered.size());
        CHECK(result.error == SrtpError::kAuthFailed || result.error == SrtpError::kMalformed);
      }
      CHECK_EQ(unprotect(*receiver, packet, 77), SrtpError::kNone);
      auto good = rtcp;
      CHECK(receiver->unprotect_rtcp(good.data(), good.size()).ok());
      CHECK_EQ(receiver->stream_count(), 1u);
    }
  }
}

TEST("another key is not accepted, and every truncation is an error value") {
  for (const SrtpProfile profile : kProfiles) {
    auto sender = SrtpSendContext::create(make_key(profile, 8));
    auto other = SrtpReceiveContext::create(make_key(profile, 9));
    const auto packet = protect(*sender, 5);
    CHECK_EQ(unprotect(*other, packet, 5), SrtpError::kAuthFailed);
    for (size_t size = 0; size < packet.size(); ++size) {
      // Exactly as large as the packet claims to be, so that the sanitizer sees a read behind it.
      std::vector<uint8_t> cut(packet.begin(), packet.begin() + static_cast<ptrdiff_t>(size));
      CHECK(!other->unprotect_rtp(cut.data(), cut.size()).ok());
      CHECK(!other->unprotect_rtcp(cut.data(), cut.size()).ok());
    }
  }
}

TEST("SRTCP: round trip, replay, order, exhaustion") {
  for (const SrtpProfile profile : kProfiles) {
    auto sender = SrtpSendContext::create(make_key(profile, 10));
    auto receiver = SrtpReceiveContext::create(make_key(profile, 10));
    const auto plain = make_rtcp(13);
    std::vector<std::vector<uint8_t>> sent;
    for (int i = 0; i < 300; ++i) sent.push_back(protect_rtcp(*sender, plain));
    for (const int i : {0, 5, 3, 4, 299, 200}) {
      auto packet = sent[static_cast<size_t>(i)];
      const auto result = receiver->unprotect_rtcp(packet.data(), packet.size());
      CHECK_EQ(result.error, SrtpError::kNone);
      packet.resize(result.size);
      CHECK_EQ(to_hex(packet), to_hex(plain));
    }
    for (const int i : {0, 1}) {
      auto packet = sent[static_cast<size_t>(i)];
      CHECK_EQ(receiver->unprotect_rtcp(packet.data(), packet.size()).error, SrtpError::kTooOld);
    }
    auto packet = sent[200];
    CHECK_EQ(receiver->unprotect_rtcp(packet.data(), packet.size()).error, SrtpError::kReplayed);
    sender->set_next_rtcp_index(0x7fffffff);
    protect_rtcp(*sender, plain);
    packet = plain;
    packet.resize(plain.size() + kSrtpMaxOverhead);
    CHECK_EQ(sender->protect_rtcp(packet.data(), plain.size(), packet.size()).error, SrtpError::kExhausted);
  }
}

TEST("a sender refuses what would repeat a nonce or overrun the buffer") {
  auto sender = SrtpSendContext::create(make_key(SrtpProfile::kAeadAes128Gcm, 12));
  auto packet = make_header(100, kSsrc);
  const auto payload = make_payload(10, 1);
  packet.resize(20 + 10 + 16);
  CHECK_EQ(sender->protect_rtp(packet.data(), 20, packet.size(), payload, 101).error, SrtpError::kMalformed);
  CHECK_EQ(sender->protect_rtp(packet.data(), 20, packet.size() - 1, payload, 100).error, SrtpError::kNoSpace);
  CHECK_EQ(sender->protect_rtp(packet.data(), 20, packet.size(), payload, 100).error, SrtpError::kNone);
  CHECK_EQ(sender->protect_rtcp(packet.data(), 20, 39).error, SrtpError::kNoSpace);
  CHECK_EQ(sender->protect_rtcp(packet.data(), 7, 100).error, SrtpError::kMalformed);
}

TEST("the table of SSRCs is bounded, and forgetting makes room") {
  auto sender = SrtpSendContext::create(make_key(SrtpProfile::kAeadAes128Gcm, 13));
  auto receiver = SrtpReceiveContext::create(make_key(SrtpProfile::kAeadAes128Gcm, 13));
  for (uint32_t ssrc = 0; ssrc < SrtpReceiveContext::kMaxStreams; ++ssrc) {
    CHECK_EQ(unprotect(*receiver, protect(*sender, 9, 10, ssrc), 9), SrtpError::kNone);
  }
  const auto packet = protect(*sender, 9, 10, 5000);
  CHECK_EQ(unprotect(*receiver, packet, 9), SrtpError::kTooManyStreams);
  receiver->forget(17);
  CHECK_EQ(unprotect(*receiver, packet, 9), SrtpError::kNone);
  CHECK_EQ(unprotect(*receiver, packet, 9), SrtpError::kReplayed);
}

TEST("tags made in a batch are those made at once, for any number of packets and any sizes") {
  Random random(21);
  for (const SrtpProfile profile : kProfiles) {
    for (size_t count = 0; count <= 40; ++count) {
      SrtpTagBatch batch;
      std::vector<std::vector<uint8_t>> packets;
      std::vector<std::vector<uint8_t>> expected;
      for (size_t i = 0; i < count; ++i) {
        auto sender = SrtpSendContext::create(make_key(profile, 100 + i % 7));
        const size_t size = random.chance(0.5) ? random.below(1400) : 1000;
        const uint64_t index = random.next() & 0xffff'ffff'ffffull;
        expected.push_back(protect(*sender, index, size));
        auto packet = make_header(static_cast<uint16_t>(index), kSsrc);
        packet.resize(20 + size + srtp_rtp_tag_size(profile));
        const auto payload = make_payload(size, index);
        const std::span<const uint8_t> piece(payload);
        CHECK(sender->protect_rtp(packet.data(), 20, packet.size(), std::span(&piece, 1), index, &batch).ok());
        packets.push_back(std::move(packet));
        // The context is gone before the batch is finished.
      }
      batch.finish();
      for (size_t i = 0; i < count; ++i) CHECK(packets[i] == expected[i]);
    }
  }
}

TEST("contexts of a subscriber are small") {
  for (const SrtpProfile profile : kProfiles) {
    auto sender = SrtpSendContext::create(make_key(profile, 14));
    auto receiver = SrtpReceiveContext::create(make_key(profile, 14));
    protect(*sender, 1);
    auto back = SrtpSendContext::create(make_key(profile, 14));
    CHECK_EQ(unprotect(*receiver, protect(*back, 1), 1), SrtpError::kNone);
    CHECK(sender->memory_bytes() + receiver->memory_bytes() < 6000);
  }
}
