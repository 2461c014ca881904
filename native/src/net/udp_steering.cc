#include "parley/net/udp_steering.h"

#include <linux/filter.h>
#include <sys/socket.h>

#include <vector>

#ifndef SO_ATTACH_REUSEPORT_CBPF
#define SO_ATTACH_REUSEPORT_CBPF 51
#endif

namespace parley {
namespace {

// Offsets into the IP header and, behind a header without options, the UDP header. Whatever lies there instead when there are
// options is the same for all datagrams of a path, which is all that counts.
constexpr uint32_t at_network(uint32_t offset) { return static_cast<uint32_t>(SKF_NET_OFF) + offset; }
constexpr uint32_t kSourceIp4 = at_network(12);
constexpr uint32_t kSourcePort4 = at_network(20);
constexpr uint32_t kSourceIp6 = at_network(20);  // its last four bytes
constexpr uint32_t kSourcePort6 = at_network(40);
constexpr uint32_t kBindingRequest = 0x0001;
constexpr uint32_t kTransportFeedback = 205;
constexpr uint32_t kPayloadFeedback = 206;
// Transport-wide feedback, and what REMB comes as.
constexpr uint32_t kPeriodicFormat = 15;
constexpr uint32_t kMix = 0x9e3779b1;

sock_filter statement(int code, uint32_t k) { return {static_cast<uint16_t>(code), 0, 0, k}; }
sock_filter jump(int code, uint32_t k, uint8_t yes, uint8_t no) { return {static_cast<uint16_t>(code), yes, no, k}; }

}  // namespace

bool steer_reports(int fd, uint8_t family, size_t workers, uint32_t seed) {
  // Offset 0 is the datagram's first byte. A load behind its end makes the result 0.
  std::vector<sock_filter> program;
  program.push_back(statement(BPF_LD | BPF_H | BPF_ABS, 0));
  // A STUN binding request (RFC 8489 5). No RTP, RTCP or DTLS begins with a zero.
  program.push_back(jump(BPF_JMP | BPF_JEQ | BPF_K, kBindingRequest, 11, 0));
  program.push_back(statement(BPF_LD | BPF_B | BPF_ABS, 0));
  program.push_back(statement(BPF_ALU | BPF_AND | BPF_K, 0xc0));
  program.push_back(jump(BPF_JMP | BPF_JEQ | BPF_K, 0x80, 0, 10));
  program.push_back(statement(BPF_LD | BPF_B | BPF_ABS, 1));
  program.push_back(jump(BPF_JMP | BPF_JGE | BPF_K, 192, 0, 8));
  program.push_back(jump(BPF_JMP | BPF_JGT | BPF_K, 223, 7, 0));
  // Feedback (RFC 4585 6.1): of the transport or of the payload, 15 is what is said all the time, anything else is a request.
  program.push_back(jump(BPF_JMP | BPF_JEQ | BPF_K, kTransportFeedback, 1, 0));
  program.push_back(jump(BPF_JMP | BPF_JEQ | BPF_K, kPayloadFeedback, 0, 3));
  program.push_back(statement(BPF_LD | BPF_B | BPF_ABS, 0));
  program.push_back(statement(BPF_ALU | BPF_AND | BPF_K, 0x1f));
  program.push_back(jump(BPF_JMP | BPF_JEQ | BPF_K, kPeriodicFormat, 0, 2));
  program.push_back(statement(BPF_LD | BPF_IMM, 1));
  program.push_back(jump(BPF_JMP | BPF_JA, 1, 0, 0));
  program.push_back(statement(BPF_LD | BPF_IMM, 0));
  if (workers > 1) {
    const bool v6 = family == 6;
    program.push_back(statement(BPF_ST, 0));
    program.push_back(statement(BPF_LD | BPF_H | BPF_ABS, v6 ? kSourcePort6 : kSourcePort4));
    program.push_back(statement(BPF_ALU | BPF_MUL | BPF_K, kMix));
    program.push_back(statement(BPF_MISC | BPF_TAX, 0));
    program.push_back(statement(BPF_LD | BPF_W | BPF_ABS, v6 ? kSourceIp6 : kSourceIp4));
    program.push_back(statement(BPF_ALU | BPF_XOR | BPF_X, 0));
    program.push_back(statement(BPF_ALU | BPF_XOR | BPF_K, seed));
    program.push_back(statement(BPF_ALU | BPF_MUL | BPF_K, kMix));
    program.push_back(statement(BPF_ALU | BPF_RSH | BPF_K, 16));
    program.push_back(statement(BPF_ALU | BPF_MOD | BPF_K, static_cast<uint32_t>(workers)));
    program.push_back(statement(BPF_ALU | BPF_LSH | BPF_K, 1));
    program.push_back(statement(BPF_LDX | BPF_MEM, 0));
    program.push_back(statement(BPF_ALU | BPF_OR | BPF_X, 0));
  }
  program.push_back(statement(BPF_RET | BPF_A, 0));
  const sock_fprog whole{static_cast<unsigned short>(program.size()), program.data()};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &whole, sizeof(whole)) == 0;
}

}  // namespace parley
