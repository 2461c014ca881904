// A kernel of the program's own for the hot loop: time, datagrams and waiting are played, so that the data plane's thread executes the
// same instructions in each run and on each machine. The functions of the C library that the loop calls are replaced in this program
// (what else runs in it gets the real ones), and nothing in them is counted.
#pragma once

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

namespace parley::bench {

struct Datagram {
  sockaddr_in from{};
  std::vector<uint8_t> bytes;
};

// What comes when. Called on the data plane's thread while it waits.
class Scenario {
 public:
  virtual ~Scenario() = default;
  // When the next datagrams come, in virtual microseconds; negative: it is over.
  virtual int64_t next_us() = 0;
  // Puts the datagrams of that time into the sockets.
  virtual void deliver(int64_t now_us) = 0;
  // A message of sendmmsg: `size` bytes in segments of `segment` (0: one datagram).
  virtual void sent(const sockaddr_in& to, const uint8_t* data, size_t size, size_t segment) = 0;
  // Counting begins when this says so.
  virtual bool warm() = 0;
};

class VirtualKernel {
 public:
  static VirtualKernel& instance();

  // Lets the data plane's thread run through the scenario; returns at its end.
  void play(Scenario& scenario);
  // After play(): the thread goes on without input, so that it can be stopped.
  void release();
  // Into the socket that the data plane has for it: the second one it opened is for reports, if there is one.
  void put(Datagram datagram);

  int64_t now_us() const { return now_us_; }
  // For the replaced functions.
  int wait(epoll_event* events, int count, int64_t timeout_us);
  int receive(int fd, mmsghdr* messages, unsigned count);
  int send(mmsghdr* messages, unsigned count);
  void control(int operation, int fd, const epoll_event* event);

 private:
  struct Socket {
    int fd = -1;
    uint32_t watched = 0;
    epoll_data_t data{};
    std::deque<Datagram> queue;
  };
  int ready(epoll_event* events, int count);
  void leave();
  void finish();

  std::mutex lock_;
  std::condition_variable changed_;
  Scenario* scenario_ = nullptr;
  bool finished_ = false;
  bool released_ = false;
  bool counting_ = false;
  std::vector<Socket> sockets_;
  // Read by the main thread too, while the other one stands still.
  int64_t now_us_ = 1'000'000'000;
};

}  // namespace parley::bench
