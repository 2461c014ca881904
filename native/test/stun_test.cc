#include "check.h"
#include "parley/wire/stun.h"

#include <openssl/md5.h>

using namespace parley;
using namespace parley::test;

namespace {

const char* kPassword = "VOkJxbRl1RmTxUk/WvJxBt";

const std::vector<uint8_t> kRequest = hex(
    "00010058 2112a442 b7e7a701bc34d686fa87dfae"
    "80220010 5354554e207465737420636c69656e74"
    "00240004 6e0001ff"
    "80290008 932ff9b151263b36"
    "00060009 6576746a3a68367659202020"
    "00080014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"
    "80280004 e57a3bcf");
const std::vector<uint8_t> kResponse4 = hex(
    "0101003c 2112a442 b7e7a701bc34d686fa87dfae"
    "8022000b 7465737420766563746f7220"
    "00200008 0001a147e112a643"
    "00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7"
    "80280004 c07d4c96");
const std::vector<uint8_t> kResponse6 = hex(
    "01010048 2112a442 b7e7a701bc34d686fa87dfae"
    "8022000b 7465737420766563746f7220"
    "00200014 0002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
    "00080014 a382954e4be67bf11784c97c8292c275bfe3ed41"
    "80280004 c8fb0b4c");
const std::vector<uint8_t> kLongTerm = hex(
    "00010060 2112a442 78ad3433c6ad72c029da412e"
    "00060012 e3839ee38388e383aae38383e382afe382b90000"
    "0015001c 662f2f3439396b39353464364f4c33346f4c39465354767936347341"
    "0014000b 6578616d706c652e6f726700"
    "00080014 f67024656dd64a3e02b8e0712e85c9a28ca89666");

}  // namespace

TEST("RFC 5769 2.1: sample request") {
  const auto view = parse_stun(kRequest);
  CHECK(view.has_value());
  CHECK_EQ(view->type, static_cast<uint16_t>(StunType::kBindingRequest));
  CHECK_EQ(view->username, "evtj:h6vY");
  CHECK_EQ(view->local_ufrag(), "evtj");
  CHECK_EQ(view->remote_ufrag(), "h6vY");
  CHECK_EQ(view->priority, 0x6e0001ffu);
  CHECK(view->controlled && !view->controlling);
  CHECK_EQ(view->tie_breaker, 0x932ff9b151263b36u);
  CHECK(view->fingerprint);
  CHECK(stun_integrity_ok(kRequest, *view, StunKey(kPassword)));
  CHECK(!stun_integrity_ok(kRequest, *view, StunKey("VOkJxbRl1RmTxUk/WvJxBu")));
}

TEST("RFC 5769 2.2 and 2.3: sample responses") {
  auto view = parse_stun(kResponse4);
  CHECK(view.has_value());
  CHECK_EQ(view->type, static_cast<uint16_t>(StunType::kBindingSuccess));
  CHECK(view->has_mapped && !view->mapped.ipv6);
  CHECK_EQ(to_hex(std::span(view->mapped.ip).first(4)), "c0000201");
  CHECK_EQ(view->mapped.port, 32853);
  CHECK(stun_integrity_ok(kResponse4, *view, StunKey(kPassword)));
  view = parse_stun(kResponse6);
  CHECK(view.has_value() && view->has_mapped && view->mapped.ipv6);
  CHECK_EQ(to_hex(view->mapped.ip), "20010db8123456780011223344556677");
  CHECK_EQ(view->mapped.port, 32853);
  CHECK(stun_integrity_ok(kResponse6, *view, StunKey(kPassword)));
}

TEST("RFC 5769 2.4: long-term credentials, a key that is no text, padded user name, no fingerprint") {
  const auto view = parse_stun(kLongTerm);
  CHECK(view.has_value());
  CHECK_EQ(view->username.size(), 18u);
  CHECK(!view->fingerprint);
  const std::string text = "\xe3\x83\x9e\xe3\x83\x88\xe3\x83\xaa\xe3\x83\x83\xe3\x82\xaf\xe3\x82\xb9:example.org:TheMatrIX";
  uint8_t digest[16];
  MD5(reinterpret_cast<const uint8_t*>(text.data()), text.size(), digest);
  CHECK(stun_integrity_ok(kLongTerm, *view, StunKey({reinterpret_cast<const char*>(digest), 16})));
}

TEST("HMAC-SHA1 of RFC 2202, long keys too") {
  uint8_t out[20];
  const auto mac = [&](std::string_view key, std::string_view data) {
    const std::span<const uint8_t> piece(reinterpret_cast<const uint8_t*>(data.data()), data.size());
    StunKey(key).mac({&piece, 1}, out);
    return to_hex(out);
  };
  CHECK_EQ(mac(std::string(20, '\x0b'), "Hi There"), "b617318655057264e28bc0b6fb378c8ef146be00");
  CHECK_EQ(mac("Jefe", "what do ya want for nothing?"), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
  CHECK_EQ(mac(std::string(80, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First"), "aa4ae5e15272d00e95705637ce8a3b55ed402112");
}

TEST("no byte of a message may change, and no prefix of it is a message") {
  const StunKey key(kPassword);
  for (size_t i = 0; i < kRequest.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      auto changed = kRequest;
      changed[i] ^= static_cast<uint8_t>(1 << bit);
      const auto view = parse_stun(changed);
      CHECK(!view.has_value() || !view->fingerprint || !stun_integrity_ok(changed, *view, key));
    }
    CHECK(!parse_stun(std::span(kRequest).first(i)).has_value());
  }
}

TEST("a request that is written is read back, and its answer too") {
  Random random(7);
  for (int round = 0; round < 200; ++round) {
    BindingRequest request;
    for (auto& b : request.transaction_id) b = static_cast<uint8_t>(random.next());
    const std::string name = std::string(random.between(1, 60), 'a') + ":" + std::string(random.between(1, 30), 'b');
    request.username = name;
    request.controlling = random.chance(0.5);
    request.tie_breaker = random.next();
    request.priority = static_cast<uint32_t>(random.next());
    request.use_candidate = random.chance(0.5);
    const StunKey key(name);
    uint8_t out[kStunMaxWrite];
    const size_t size = write_binding_request(request, key, out);
    const std::span<const uint8_t> message(out, size);
    const auto view = parse_stun(message);
    CHECK(view.has_value() && view->fingerprint);
    CHECK_EQ(view->username, name);
    CHECK_EQ(view->controlling, request.controlling);
    CHECK_EQ(view->controlled, !request.controlling);
    CHECK_EQ(view->tie_breaker, request.tie_breaker);
    CHECK_EQ(view->priority, request.priority);
    CHECK_EQ(view->use_candidate, request.use_candidate);
    CHECK(stun_integrity_ok(message, *view, key));

    StunMappedAddress mapped{random.chance(0.5), {}, static_cast<uint16_t>(random.next())};
    for (size_t i = 0; i < (mapped.ipv6 ? 16 : 4); ++i) mapped.ip[i] = static_cast<uint8_t>(random.next());
    uint8_t answer[kStunMaxWrite];
    const size_t answer_size = write_binding_success(view->transaction_id, mapped, key, answer);
    const auto read = parse_stun({answer, answer_size});
    CHECK(read.has_value() && read->has_mapped);
    CHECK_EQ(read->type, static_cast<uint16_t>(StunType::kBindingSuccess));
    CHECK(std::memcmp(read->transaction_id, request.transaction_id.data(), 12) == 0);
    CHECK_EQ(read->mapped.ipv6, mapped.ipv6);
    CHECK_EQ(read->mapped.port, mapped.port);
    CHECK(read->mapped.ip == mapped.ip);
    CHECK(stun_integrity_ok({answer, answer_size}, *read, key));
  }
}

TEST("an error response says its code; too long a name or reason is refused") {
  const std::array<uint8_t, 12> id{1, 2, 3};
  uint8_t out[kStunMaxWrite];
  const size_t size = write_binding_error(id.data(), 487, "Role Conflict", StunKey("x"), out);
  const auto view = parse_stun({out, size});
  CHECK(view.has_value());
  CHECK_EQ(view->type, static_cast<uint16_t>(StunType::kBindingError));
  CHECK_EQ(view->error_code, 487);
  CHECK(stun_integrity_ok({out, size}, *view, StunKey("x")));
  CHECK_EQ(write_binding_error(id.data(), 400, std::string(101, 'r'), StunKey("x"), out), 0u);
  BindingRequest request;
  const std::string name(101, 'u');
  request.username = name;
  CHECK_EQ(write_binding_request(request, StunKey("x"), out), 0u);
}

TEST("attributes behind MESSAGE-INTEGRITY do not count, FINGERPRINT is the last") {
  // Request with only MESSAGE-INTEGRITY, then USE-CANDIDATE added by somebody on the way (RFC 8489 14.5).
  auto message = hex("0001001c 2112a442 000102030405060708090a0b 00080014 0000000000000000000000000000000000000000 00250000");
  const auto view = parse_stun(message);
  CHECK(view.has_value());
  CHECK(!view->use_candidate);
  auto tail = kRequest;
  tail.insert(tail.end(), {0x00, 0x25, 0x00, 0x00});
  tail[3] = 0x5c;
  CHECK(!parse_stun(tail).has_value());
}

TEST("lengths that are wrong for their attribute are refused") {
  const char* header = "2112a442 000102030405060708090a0b";
  CHECK(!parse_stun(hex(std::string("00010008") + header + "00240003 01020300")).has_value());
  CHECK(!parse_stun(hex(std::string("00010008") + header + "802a0004 01020304")).has_value());
  CHECK(!parse_stun(hex(std::string("00010008") + header + "00250004 01020304")).has_value());
  CHECK(!parse_stun(hex(std::string("00010008") + header + "00060005 01020304")).has_value());
  CHECK(!parse_stun(hex(std::string("00010006") + header + "00060002 0102")).has_value());
  CHECK(!parse_stun(hex(std::string("01010008") + header + "00200004 00010000")).has_value());
  CHECK(parse_stun(hex(std::string("00010008") + header + "00060002 61620000")).has_value());
}
