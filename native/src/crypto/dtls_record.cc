#include "dtls_record.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "evp_gcm.h"

namespace parley {
namespace {

constexpr size_t kExplicitNonceSize = 8;
constexpr size_t kTagSize = 16;
constexpr uint8_t kVersionMajor = 0xfe;  // DTLS 1.0 is fe ff, 1.2 is fe fd
constexpr uint8_t kVersionMinor12 = 0xfd;

void store_number(uint8_t* p, uint64_t value, size_t size) {
  for (size_t i = 0; i < size; ++i) p[i] = static_cast<uint8_t>(value >> (8 * (size - 1 - i)));
}

// RFC 5246 6.2.3.3: epoch and sequence, type, version, length of the plain text.
std::array<uint8_t, 13> additional_data(uint8_t type, uint64_t sequence, size_t plain_size) {
  std::array<uint8_t, 13> aad{};
  store_number(aad.data(), 1, 2);
  store_number(aad.data() + 2, sequence, 6);
  aad[8] = type;
  aad[9] = kVersionMajor;
  aad[10] = kVersionMinor12;
  store_number(aad.data() + 11, plain_size, 2);
  return aad;
}

// RFC 5246 5: PRF(secret, label + seed).
bool tls_prf(const char* digest, std::span<const uint8_t> secret, std::span<const uint8_t> seed,
             std::span<uint8_t> out) {
  static EVP_KDF* const kdf = EVP_KDF_fetch(nullptr, "TLS1-PRF", nullptr);
  EVP_KDF_CTX* ctx = kdf != nullptr ? EVP_KDF_CTX_new(kdf) : nullptr;
  if (ctx == nullptr) return false;
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, const_cast<char*>(digest), 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, const_cast<uint8_t*>(secret.data()), secret.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, const_cast<uint8_t*>(seed.data()), seed.size()),
      OSSL_PARAM_construct_end(),
  };
  const bool ok = EVP_KDF_derive(ctx, out.data(), out.size(), params) == 1;
  EVP_KDF_CTX_free(ctx);
  return ok;
}

}  // namespace

std::optional<DtlsRecord> read_dtls_record(std::span<const uint8_t> datagram, size_t& offset) {
  if (datagram.size() < offset + kDtlsRecordHeaderSize) return std::nullopt;
  const uint8_t* p = datagram.data() + offset;
  if (p[0] < kDtlsChangeCipherSpec || p[0] > 63 || p[1] != kVersionMajor) return std::nullopt;
  const size_t size = size_t{p[11]} << 8 | p[12];
  if (datagram.size() - offset - kDtlsRecordHeaderSize < size) return std::nullopt;
  DtlsRecord record{.type = p[0],
                    .epoch = static_cast<uint16_t>(p[3] << 8 | p[4]),
                    .sequence = 0,
                    .fragment = datagram.subspan(offset + kDtlsRecordHeaderSize, size),
                    .offset = offset};
  for (size_t i = 5; i < 11; ++i) record.sequence = record.sequence << 8 | p[i];
  offset += kDtlsRecordHeaderSize + size;
  return record;
}

void renumber_plain_dtls_records(std::span<uint8_t> datagram, uint64_t& next_sequence) {
  size_t offset = 0;
  while (const auto record = read_dtls_record(datagram, offset)) {
    if (record->epoch == 0) store_number(datagram.data() + record->offset + 5, next_sequence++, 6);
  }
}

std::optional<DtlsRecordKeys> DtlsRecordKeys::from(SSL* ssl, bool is_server) {
  const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl);
  const EVP_MD* digest = cipher != nullptr ? SSL_CIPHER_get_handshake_digest(cipher) : nullptr;
  if (digest == nullptr) return std::nullopt;
  DtlsRecordKeys keys;
  keys.key_size_ = SSL_CIPHER_get_cipher_nid(cipher) == NID_aes_256_gcm ? 32 : 16;

  std::array<uint8_t, SSL_MAX_MASTER_KEY_LENGTH> master;
  const size_t master_size = SSL_SESSION_get_master_key(SSL_get_session(ssl), master.data(), master.size());
  constexpr std::string_view kLabel = "key expansion";
  std::array<uint8_t, kLabel.size() + 2 * SSL3_RANDOM_SIZE> seed;
  std::copy(kLabel.begin(), kLabel.end(), seed.begin());
  uint8_t* randoms = seed.data() + kLabel.size();
  const bool have_randoms =
      SSL_get_server_random(ssl, randoms, SSL3_RANDOM_SIZE) == SSL3_RANDOM_SIZE &&
      SSL_get_client_random(ssl, randoms + SSL3_RANDOM_SIZE, SSL3_RANDOM_SIZE) == SSL3_RANDOM_SIZE;

  // RFC 5246 6.3, without MAC keys: client key, server key, client IV, server IV.
  std::array<uint8_t, 2 * 32 + 2 * 4> block;
  const size_t block_size = 2 * size_t{keys.key_size_} + 8;
  const bool ok = have_randoms && master_size > 0 &&
                  tls_prf(EVP_MD_get0_name(digest), std::span(master).first(master_size), seed,
                          std::span(block).first(block_size));
  if (ok) {
    const uint8_t* client = block.data();
    const uint8_t* server = client + keys.key_size_;
    const uint8_t* client_iv = server + keys.key_size_;
    const uint8_t* server_iv = client_iv + 4;
    std::copy_n(is_server ? server : client, keys.key_size_, keys.local_key_.begin());
    std::copy_n(is_server ? client : server, keys.key_size_, keys.remote_key_.begin());
    std::copy_n(is_server ? server_iv : client_iv, 4, keys.local_iv_.begin());
    std::copy_n(is_server ? client_iv : server_iv, 4, keys.remote_iv_.begin());
  }
  OPENSSL_cleanse(master.data(), master.size());
  OPENSSL_cleanse(block.data(), block.size());
  if (!ok) return std::nullopt;
  return keys;
}

DtlsRecordKeys::~DtlsRecordKeys() {
  OPENSSL_cleanse(local_key_.data(), local_key_.size());
  OPENSSL_cleanse(remote_key_.data(), remote_key_.size());
}

std::optional<std::vector<uint8_t>> DtlsRecordKeys::open(const DtlsRecord& record) const {
  return open_with(remote_key_, remote_iv_, record);
}

bool DtlsRecordKeys::reseal(std::span<uint8_t> datagram, const DtlsRecord& record, uint64_t sequence,
                            uint64_t explicit_nonce) const {
  const auto plain = open_with(local_key_, local_iv_, record);
  if (!plain) return false;
  const std::vector<uint8_t> again = seal(record.type, sequence, explicit_nonce, *plain);
  if (again.size() != kDtlsRecordHeaderSize + record.fragment.size()) return false;
  std::copy(again.begin(), again.end(), datagram.begin() + static_cast<ptrdiff_t>(record.offset));
  return true;
}

std::optional<std::vector<uint8_t>> DtlsRecordKeys::open_with(const std::array<uint8_t, 32>& key,
                                                              const std::array<uint8_t, 4>& iv,
                                                              const DtlsRecord& record) const {
  if (record.epoch != 1 || record.fragment.size() < kExplicitNonceSize + kTagSize) return std::nullopt;
  uint8_t nonce[12];
  std::memcpy(nonce, iv.data(), 4);
  std::memcpy(nonce + 4, record.fragment.data(), kExplicitNonceSize);
  const size_t plain_size = record.fragment.size() - kExplicitNonceSize - kTagSize;
  const uint8_t* cipher_text = record.fragment.data() + kExplicitNonceSize;
  std::vector<uint8_t> plain(cipher_text, cipher_text + plain_size);
  EvpGcm gcm;
  if (!gcm.init(std::span(key).first(key_size_), false)) return std::nullopt;
  const auto aad = additional_data(record.type, record.sequence, plain_size);
  if (!gcm.open(nonce, aad, plain.data(), plain_size, cipher_text + plain_size)) return std::nullopt;
  return plain;
}

std::vector<uint8_t> DtlsRecordKeys::seal(uint8_t type, uint64_t sequence, uint64_t explicit_nonce,
                                          std::span<const uint8_t> plain) const {
  std::vector<uint8_t> record(kDtlsRecordHeaderSize + kExplicitNonceSize + plain.size() + kTagSize);
  record[0] = type;
  record[1] = kVersionMajor;
  record[2] = kVersionMinor12;
  store_number(record.data() + 3, 1, 2);
  store_number(record.data() + 5, sequence, 6);
  store_number(record.data() + 11, record.size() - kDtlsRecordHeaderSize, 2);
  store_number(record.data() + kDtlsRecordHeaderSize, explicit_nonce, kExplicitNonceSize);
  uint8_t nonce[12];
  std::memcpy(nonce, local_iv_.data(), 4);
  store_number(nonce + 4, explicit_nonce, kExplicitNonceSize);
  EvpGcm gcm;
  const auto aad = additional_data(type, sequence, plain.size());
  const bool ok = gcm.init(std::span(local_key_).first(key_size_), true) &&
                  gcm.seal(nonce, aad, std::span(&plain, 1),
                           record.data() + kDtlsRecordHeaderSize + kExplicitNonceSize);
  if (!ok) record.clear();
  return record;
}

}  // namespace parley
