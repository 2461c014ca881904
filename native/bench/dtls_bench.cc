// CPU of a DTLS handshake on each side, and what an association holds afterwards.
//   make bench && build/bench/bin/dtls_bench [handshakes, 300]
#include <malloc.h>
#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "parley/crypto/dtls.h"

using namespace parley;

namespace {

double cpu_us() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
}

}  // namespace

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::atoi(argv[1]) : 300;
  const auto server_certificate = DtlsCertificate::generate();
  const auto client_certificate = DtlsCertificate::generate();
  double spent_us[2] = {0, 0};
  std::vector<std::unique_ptr<DtlsEndpoint>> kept;
  kept.reserve(static_cast<size_t>(count));
  size_t before_bytes = 0;
  for (int i = 0; i < count; ++i) {
    if (i == count / 2) before_bytes = mallinfo2().uordblks;
    DtlsConfig configs[2];
    configs[0].peer_fingerprints = {client_certificate->fingerprint()};
    configs[1].peer_fingerprints = {server_certificate->fingerprint()};
    configs[1].role = DtlsRole::kClient;
    std::unique_ptr<DtlsEndpoint> ends[2];
    double start = cpu_us();
    ends[0] = DtlsEndpoint::create(server_certificate, configs[0]);
    spent_us[0] += cpu_us() - start;
    ends[1] = DtlsEndpoint::create(client_certificate, configs[1]);
    ends[1]->start(0);
    std::vector<uint8_t> datagram;
    for (int flight = 0; flight < 4; ++flight) {
      const int from = flight % 2 == 0 ? 1 : 0;
      while (ends[from]->take_datagram(datagram)) {
        start = cpu_us();
        ends[1 - from]->receive(datagram, 1);
        spent_us[1 - from] += cpu_us() - start;
      }
    }
    if (ends[0]->state() != DtlsState::kConnected || ends[1]->state() != DtlsState::kConnected) std::abort();
    if (!ends[0]->take_srtp_keys()) std::abort();
    kept.push_back(std::move(ends[0]));
  }
  const double bytes = static_cast<double>(mallinfo2().uordblks - before_bytes) / (count - count / 2);
  std::printf("server %.0f us, client %.0f us of CPU per handshake; a finished server association holds %.0f bytes\n",
              spent_us[0] / count, spent_us[1] / count, bytes);
}
