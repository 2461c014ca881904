// Which of several sockets on one port gets a datagram, decided by the kernel: RTCP apart from everything else, so that reading it
// can wait a moment for company while media wakes its worker at once.
#pragma once

#include <cstddef>
#include <cstdint>

namespace parley {

// For the SO_REUSEPORT group of `fd`, bound in the order worker 0 media, worker 0 RTCP, worker 1 media, ... : RTCP (RFC 5761 4, by
// its first two bytes) to the second socket of a pair, the rest to the first; the pair by the sender's address and port, mixed with
// `seed`. `family` is 4 or 6. False where the kernel does not take the program; then it spreads datagrams over all of the group.
bool steer_rtcp(int fd, uint8_t family, size_t workers, uint32_t seed);

}  // namespace parley
