// A DTLS server fed with anything: the input is cut into datagrams (two bytes of length before each), and some of them
// are true datagrams of a client, so that deeper states are reached too.
#include <cstdint>
#include <memory>
#include <vector>

#include "parley/crypto/dtls.h"

using namespace parley;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto server_certificate = DtlsCertificate::generate();
  static const auto client_certificate = DtlsCertificate::generate();
  DtlsConfig server_config;
  server_config.peer_fingerprints = {client_certificate->fingerprint()};
  DtlsConfig client_config;
  client_config.role = DtlsRole::kClient;
  client_config.peer_fingerprints = {server_certificate->fingerprint()};
  const auto server = DtlsEndpoint::create(server_certificate, server_config);
  const auto client = DtlsEndpoint::create(client_certificate, client_config);
  client->start(0);
  uint64_t now_ms = 0;
  std::vector<uint8_t> datagram;
  while (size >= 2) {
    const uint8_t command = data[0];
    const size_t length = std::min<size_t>(data[1] * 5u, size - 2);
    data += 2;
    size -= 2;
    now_ms += command >> 4;
    if ((command & 3) == 0) {
      // One step of the true handshake, with some bytes of the input laid over it.
      const size_t overlay = std::min<size_t>(length, 8);
      while (client->take_datagram(datagram)) {
        for (size_t i = 0; i + 1 < overlay; i += 2) datagram[data[i] * 7u % datagram.size()] ^= data[i + 1];
        server->receive(datagram, now_ms);
      }
      while (server->take_datagram(datagram)) client->receive(datagram, now_ms);
      data += overlay;
      size -= overlay;
    } else if ((command & 3) == 1) {
      now_ms += 500;
      server->timeout(now_ms);
      client->timeout(now_ms);
    } else {
      const std::vector<uint8_t> exact(data, data + length);
      ((command & 3) == 2 ? server : client)->receive(exact, now_ms);
      data += length;
      size -= length;
    }
  }
  return 0;
}
