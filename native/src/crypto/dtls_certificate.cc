#include "dtls_certificate.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include <algorithm>

namespace parley {
namespace {

// The hash functions of RFC 8122 5. MD5 and MD2 are not taken: anybody can make a second certificate for them.
struct HashName {
  std::string_view name;
  size_t size;
};
constexpr HashName kHashes[] = {{"sha-1", 20}, {"sha-224", 28}, {"sha-256", 32}, {"sha-384", 48}, {"sha-512", 64}};

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// A fresh certificate that says nothing about its owner (RFC 8827 6.5 wants nothing that identifies).
X509* self_signed(EVP_PKEY* key) {
  X509* certificate = X509_new();
  if (certificate == nullptr) return nullptr;
  unsigned char serial[8];
  bool ok = RAND_bytes(serial, sizeof(serial)) == 1;
  serial[0] &= 0x7f;  // positive
  serial[0] |= 0x01;  // and not zero
  BIGNUM* number = BN_bin2bn(serial, sizeof(serial), nullptr);
  ok = ok && number != nullptr && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr;
  BN_free(number);
  constexpr long kDay = 24 * 3600;
  X509_NAME* name = X509_get_subject_name(certificate);
  ok = ok && X509_set_version(certificate, 2) == 1 &&
       // A day back, for peers whose clock is behind.
       X509_gmtime_adj(X509_getm_notBefore(certificate), -kDay) != nullptr &&
       X509_gmtime_adj(X509_getm_notAfter(certificate), 365 * kDay) != nullptr &&
       X509_set_pubkey(certificate, key) == 1 &&
       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("WebRTC"), -1, -1,
                                  0) == 1 &&
       X509_set_issuer_name(certificate, name) == 1 && X509_sign(certificate, key, EVP_sha256()) > 0;
  if (ok) return certificate;
  X509_free(certificate);
  return nullptr;
}

std::string drain(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, size > 0 ? static_cast<size_t>(size) : 0);
  BIO_free(bio);
  return text;
}

}  // namespace

std::optional<DtlsFingerprint> DtlsFingerprint::parse(std::string_view algorithm, std::string_view colon_hex) {
  DtlsFingerprint fingerprint;
  for (const char c : algorithm) fingerprint.algorithm += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  const auto* hash = std::find_if(std::begin(kHashes), std::end(kHashes),
                                  [&](const HashName& known) { return known.name == fingerprint.algorithm; });
  if (hash == std::end(kHashes) || colon_hex.size() != hash->size * 3 - 1) return std::nullopt;
  for (size_t i = 0; i < colon_hex.size(); i += 3) {
    const int high = hex_digit(colon_hex[i]);
    const int low = hex_digit(colon_hex[i + 1]);
    if (high < 0 || low < 0 || (i + 2 < colon_hex.size() && colon_hex[i + 2] != ':')) return std::nullopt;
    fingerprint.digest.push_back(static_cast<uint8_t>(high << 4 | low));
  }
  return fingerprint;
}

std::string DtlsFingerprint::colon_hex() const {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string text;
  for (const uint8_t byte : digest) {
    if (!text.empty()) text += ':';
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

DtlsCertificate::Handles::~Handles() {
  SSL_CTX_free(context);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

DtlsCertificate::DtlsCertificate() : handles_(std::make_unique<Handles>()) {}
DtlsCertificate::~DtlsCertificate() = default;

bool DtlsCertificate::finish() {
  if (handles_->certificate == nullptr || handles_->key == nullptr) return false;
  handles_->context = make_dtls_context(handles_->certificate, handles_->key);
  if (handles_->context == nullptr) return false;
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (X509_digest(handles_->certificate, EVP_sha256(), digest, &size) != 1) return false;
  fingerprint_.algorithm = "sha-256";
  fingerprint_.digest.assign(digest, digest + size);
  return true;
}

std::shared_ptr<const DtlsCertificate> DtlsCertificate::generate() {
  std::shared_ptr<DtlsCertificate> result(new DtlsCertificate());
  result->handles_->key = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
  if (result->handles_->key != nullptr) result->handles_->certificate = self_signed(result->handles_->key);
  const bool ok = result->finish();
  ERR_clear_error();
  return ok ? result : nullptr;
}

std::shared_ptr<const DtlsCertificate> DtlsCertificate::from_pem(std::string_view certificate_pem,
                                                                 std::string_view key_pem) {
  std::shared_ptr<DtlsCertificate> result(new DtlsCertificate());
  BIO* bio = BIO_new_mem_buf(certificate_pem.data(), static_cast<int>(certificate_pem.size()));
  result->handles_->certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  bio = BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size()));
  // The callback refuses to ask a terminal for a password.
  result->handles_->key = PEM_read_bio_PrivateKey(
      bio, nullptr, [](char*, int, int, void*) { return -1; }, nullptr);
  BIO_free(bio);
  const bool ok = result->finish();  // SSL_CTX_use_PrivateKey checks that they belong together
  ERR_clear_error();
  return ok ? result : nullptr;
}

std::string DtlsCertificate::certificate_pem() const {
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(bio, handles_->certificate);
  return drain(bio);
}

std::string DtlsCertificate::key_pem() const {
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(bio, handles_->key, nullptr, nullptr, 0, nullptr, nullptr);
  return drain(bio);
}

}  // namespace parley
