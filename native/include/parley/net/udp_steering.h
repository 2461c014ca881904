// Which of several sockets on one port gets a datagram, decided by the kernel: what clients report all the time, and their connectivity
// checks, apart from everything else, so that reading them can wait for company while media, and RTCP that asks for something, wake their
// worker at once.
#pragma once

#include <cstddef>
#include <cstdint>

namespace parley {

// For the SO_REUSEPORT group of `fd`, bound in the order worker 0 media, worker 0 reports, worker 1 media, ... : RTCP (RFC 5761 4) that begins
// with a report, transport-wide feedback or anything else that is no request, and STUN binding requests, go to the second socket of a pair;
// NACK, PLI and FIR that come without a report in front (RFC 5506), and the rest, to the first. SRTCP leaves the first eight bytes readable.
// The pair is chosen by the sender's address and port, mixed with `seed`. `family` is 4 or 6. False where the kernel does not take the
// program; then it spreads datagrams over all of the group.
bool steer_reports(int fd, uint8_t family, size_t workers, uint32_t seed);

}  // namespace parley
