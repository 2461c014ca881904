#include "parley/load/floor_relay.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "parley/load/floor_batch.h"
#include "parley/load/load_peer.h"
#include "parley/wire/bytes.h"

namespace parley {
namespace {

constexpr size_t kReceiveBatch = 64;
constexpr size_t kDatagram = 2'048;
// From a datagram's due time until it is in the relay's socket.
constexpr int64_t kTravelUs = 30;
// Each datagram begins with its camera and whether it ends a frame.
constexpr size_t kMark = 5;

struct ReceiveBatch {
  ReceiveBatch() : bytes(kReceiveBatch * kDatagram) {
    std::memset(messages, 0, sizeof(messages));
    for (size_t i = 0; i < kReceiveBatch; ++i) {
      vectors[i] = {bytes.data() + i * kDatagram, kDatagram};
      messages[i].msg_hdr.msg_iov = &vectors[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
  }
  std::vector<uint8_t> bytes;
  mmsghdr messages[kReceiveBatch];
  iovec vectors[kReceiveBatch];
};

}  // namespace

FloorRelay::~FloorRelay() {
  finish();
  close();
}

void FloorRelay::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  for (const int fd : cameras_) ::close(fd);
  cameras_.clear();
}

uint16_t FloorRelay::open(const std::string& ip, size_t people, size_t meetings) {
  close();
  ip_ = ip;
  people_ = people;
  uint16_t port = 0;
  fd_ = open_floor_socket(ip, port);
  if (fd_ < 0) return 0;
  sockaddr_in relay = floor_addresses(ip, {port}).front();
  for (size_t i = 0; i < people * meetings; ++i) {
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return 0;
    cameras_.push_back(fd);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&relay), sizeof(relay)) != 0) return 0;
  }
  return port;
}

bool FloorRelay::start(std::vector<uint16_t> sinks, const FloorRelayOptions& options) {
  if (fd_ < 0 || running() || (!sinks.empty() && sinks.size() != cameras_.size())) return false;
  finish();
  pattern_ = make_load_pattern(options.profile, options.pace);
  running_.store(true, std::memory_order_release);
  cameras_done_.store(false, std::memory_order_release);
  const int64_t begun_us = load_monotonic_us() + 20'000;
  const int64_t length_us = pattern_.length_us;
  std::vector<Due> due = schedule(pattern_);
  std::vector<Due> ends = due;
  std::erase_if(ends, [](const Due& each) { return !each.packet->last_of_frame; });
  camera_thread_ = std::thread([=, this, due = std::move(due)] { run_cameras(due, length_us, options, begun_us); });
  relay_thread_ = std::thread([=, this, ends = std::move(ends), sinks = std::move(sinks)] {
    run_relay(sinks, ends, length_us, options, begun_us);
    running_.store(false, std::memory_order_release);
  });
  return true;
}

FloorResult FloorRelay::finish() {
  if (relay_thread_.joinable()) relay_thread_.join();
  if (camera_thread_.joinable()) camera_thread_.join();
  result_.offered = offered_;
  return result_;
}

// Cameras that know nothing of each other: each has its own phase.
std::vector<FloorRelay::Due> FloorRelay::schedule(const LoadPattern& pattern) const {
  std::vector<Due> due;
  due.reserve(cameras_.size() * pattern.packets.size());
  for (size_t camera = 0; camera < cameras_.size(); ++camera) {
    const auto phase_us = static_cast<int64_t>(camera * 2'654'435'761u % 33'333u);
    for (const LoadPacket& packet : pattern.packets) due.push_back({phase_us + packet.at_us, static_cast<uint32_t>(camera), &packet});
  }
  std::stable_sort(due.begin(), due.end(), [](const Due& a, const Due& b) { return a.at_us < b.at_us; });
  return due;
}

void FloorRelay::run_cameras(const std::vector<Due>& due, int64_t length_us, const FloorRelayOptions& options, int64_t begun_us) {
  prctl(PR_SET_TIMERSLACK, 1'000);
  std::vector<uint8_t> bytes(kDatagram, 0x5a);
  uint64_t offered = 0;
  for (int64_t round_us = 0;; round_us += length_us) {
    for (const Due& each : due) {
      const int64_t at_us = round_us + each.at_us;
      if (at_us >= options.duration_us) {
        offered_ = offered;
        cameras_done_.store(true, std::memory_order_release);
        return;
      }
      if (begun_us + at_us > load_monotonic_us()) floor_sleep_until(begun_us + at_us);
      store32(bytes.data(), each.camera);
      bytes[kMark - 1] = each.packet->last_of_frame ? 1 : 0;
      const size_t size = each.packet->payload_size + size_t{options.overhead};
      offered += ::send(cameras_[each.camera], bytes.data(), size, 0) == static_cast<ssize_t>(size);
    }
  }
}

void FloorRelay::run_relay(std::vector<uint16_t> sinks, const std::vector<Due>& ends, int64_t length_us, const FloorRelayOptions& options,
                           int64_t begun_us) {
  prctl(PR_SET_TIMERSLACK, 1'000);
  const timeval patience{0, 100'000};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  FloorResult result;
  std::vector<sockaddr_in> people = floor_addresses(ip_, sinks);
  std::vector<Frame> frames(cameras_.size());
  for (Frame& frame : frames) frame.bytes.reserve(16 * kDatagram);
  ReceiveBatch in;
  FloorBatch out(fd_, result);

  const auto send_frame = [&](size_t camera) {
    Frame& frame = frames[camera];
    const size_t first = camera / people_ * people_;
    for (size_t i = first; i < first + people_ && !people.empty(); ++i) {
      if (i == camera) continue;
      uint8_t* at = frame.bytes.data();
      for (size_t k = 0; k < frame.sizes.size();) {
        size_t run = 1;
        while (k + run < frame.sizes.size() && frame.sizes[k + run] == frame.sizes[k]) ++run;
        out.add(people[i], at, frame.sizes[k], run);
        at += run * frame.sizes[k];
        k += run;
      }
    }
    frame.sent = true;
  };
  const auto take = [&](const uint8_t* data, size_t size) {
    if (size < kMark) return;
    const uint32_t camera = load32(data);
    if (camera >= frames.size()) return;
    ++result.received;
    if (people.empty()) return;
    Frame& frame = frames[camera];
    if (frame.sent) {
      out.flush();  // its bytes may wait in there
      frame.bytes.clear();
      frame.sizes.clear();
      frame.sent = false;
    }
    if (frame.sizes.size() == 16) return;
    frame.bytes.insert(frame.bytes.end(), data, data + size);
    frame.sizes.push_back(static_cast<uint16_t>(size));
    if (data[kMark - 1] != 0) send_frame(camera);
  };

  const int64_t cpu_before = floor_thread_cpu_us();
  const int waiting = options.wait == FloorWait::kSchedule ? MSG_DONTWAIT : MSG_WAITFORONE;
  int64_t round_us = begun_us;
  size_t next = 0;
  for (bool last = false; !last;) {
    // The cameras may be late; what they sent before they ended is read in this round.
    last = cameras_done_.load(std::memory_order_acquire);
    if (options.wait == FloorWait::kSchedule) {
      const int64_t now = load_monotonic_us();
      // What is overdue is served by this one look.
      while (round_us + ends[next].at_us + kTravelUs <= now) {
        if (++next == ends.size()) {
          next = 0;
          round_us += length_us;
        }
      }
      if (!last) floor_sleep_until(round_us + ends[next].at_us + kTravelUs);
    }
    int n = static_cast<int>(kReceiveBatch);
    while (n == static_cast<int>(kReceiveBatch)) {
      n = recvmmsg(fd_, in.messages, kReceiveBatch, last ? MSG_DONTWAIT : waiting, nullptr);
      ++result.calls;
      for (int i = 0; i < n; ++i) take(static_cast<const uint8_t*>(in.vectors[i].iov_base), in.messages[i].msg_len);
      out.flush();
    }
  }
  result.cpu_us = floor_thread_cpu_us() - cpu_before;
  result.elapsed_us = load_monotonic_us() - begun_us;
  result_ = result;
}

}  // namespace parley
