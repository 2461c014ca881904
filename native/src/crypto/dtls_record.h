// DTLS 1.2 records (RFC 6347 4.1) as far as we look at them ourselves: numbering, and the few encrypted ones after the
// handshake, when OpenSSL's object is gone.
#pragma once

#include <openssl/ssl.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace parley {

inline constexpr size_t kDtlsRecordHeaderSize = 13;
inline constexpr uint8_t kDtlsChangeCipherSpec = 20;
inline constexpr uint8_t kDtlsAlert = 21;
inline constexpr uint8_t kDtlsHandshake = 22;

// One record inside a datagram; views it.
struct DtlsRecord {
  uint8_t type;
  uint16_t epoch;
  uint64_t sequence;
  std::span<const uint8_t> fragment;
  size_t offset;  // of its header in the datagram
};

// Reads the record at the offset and moves the offset behind it; nullopt at the end and on anything malformed.
std::optional<DtlsRecord> read_dtls_record(std::span<const uint8_t> datagram, size_t& offset);

// Gives the unencrypted records (epoch 0) of a datagram new sequence numbers, counting up from next_sequence.
void renumber_plain_dtls_records(std::span<uint8_t> datagram, uint64_t& next_sequence);

// The record keys of a finished handshake with an AES-GCM suite (RFC 5288), one use at a time: cheap to keep, slow to
// use.
class DtlsRecordKeys {
 public:
  // From an established connection; nullopt when the library refuses.
  static std::optional<DtlsRecordKeys> from(SSL* ssl, bool is_server);

  DtlsRecordKeys(const DtlsRecordKeys&) = default;
  DtlsRecordKeys& operator=(const DtlsRecordKeys&) = default;
  ~DtlsRecordKeys();

  // The plain text of a record of epoch 1; nullopt when its tag is wrong.
  std::optional<std::vector<uint8_t>> open(const DtlsRecord& record) const;

  // Writes a record of ours into its datagram anew, the same text under another number and nonce; false when it is not
  // one of ours.
  bool reseal(std::span<uint8_t> datagram, const DtlsRecord& record, uint64_t sequence, uint64_t explicit_nonce) const;

  // A whole record of epoch 1. The explicit nonce must never have been used with these keys.
  std::vector<uint8_t> seal(uint8_t type, uint64_t sequence, uint64_t explicit_nonce,
                            std::span<const uint8_t> plain) const;

 private:
  DtlsRecordKeys() = default;
  std::optional<std::vector<uint8_t>> open_with(const std::array<uint8_t, 32>& key, const std::array<uint8_t, 4>& iv,
                                                const DtlsRecord& record) const;

  std::array<uint8_t, 32> local_key_{};
  std::array<uint8_t, 32> remote_key_{};
  std::array<uint8_t, 4> local_iv_{};
  std::array<uint8_t, 4> remote_iv_{};
  uint8_t key_size_ = 16;
};

}  // namespace parley
