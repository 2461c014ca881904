// The hot loop for counting instructions, not for timing: one camera's bursts to many subscribers through a plane on loopback, nobody reads.
//
//   valgrind --tool=callgrind --toggle-collect='*Worker::receive_udp*' --toggle-collect='*Worker::fan_out*' fan_out_bench 100 200
//
// Arguments: subscribers, frames, pacing rate in bits per second (0: none).
#include <cstdio>

#define PARLEY_NO_TEST_MAIN
#include "engine_pair.h"

using namespace parley;
using namespace parley::test;

int main(int argc, char** argv) {
  const int subscribers = argc > 1 ? std::atoi(argv[1]) : 100;
  const int frames = argc > 2 ? std::atoi(argv[2]) : 200;
  const uint64_t rate = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 0;
  Rig rig;
  Pair pair(rig);
  std::vector<std::unique_ptr<Client>> others;
  for (int i = 1; i < subscribers; ++i) {
    others.push_back(std::make_unique<Client>(rig));
    others.back()->set_codecs();
    const Handle slot = rig.plane.open_slot(others.back()->peer, video_slot("t", kSlotSsrc, kSlotRtx));
    rig.plane.bind_slot(slot, pair.track, kVideoMap);
    if (rate > 0) rig.plane.set_pacing_rate(others.back()->peer, rate);
    others.back()->connect();
  }
  pair.send_frame(true, 5);
  rig.until("the first frame", [&] {
    pair.subscriber.receive();
    return pair.subscriber.rtp.size() >= 5;
  });
  const double before = rig.counter(plane_field::kTxDatagrams);
  const double messages_before = rig.counter(plane_field::kSendMessages);
  for (int i = 0; i < frames; ++i) {
    pair.send_frame(false, 6);
    rig.until("a frame", [&] {
      pair.subscriber.receive();
      return pair.subscriber.rtp.size() >= static_cast<size_t>(5 + 6 * (i + 1));
    });
  }
  const double datagrams = rig.counter(plane_field::kTxDatagrams) - before;
  std::printf("%.0f datagrams, %.2f per message\n", datagrams,
              datagrams / (rig.counter(plane_field::kSendMessages) - messages_before));
}
