// Which of thousands of viewers has something to do now: their times lie side by side, so a millisecond in which nobody has
// costs a look at these and not at the viewers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace parley {

template <typename Peer>
class LoadSchedule {
 public:
  // Due at once.
  void add(Peer& peer) {
    places_.emplace(&peer, peers_.size());
    peers_.push_back(&peer);
    due_us_.push_back(0);
  }
  void remove(Peer& peer) {
    const auto it = places_.find(&peer);
    if (it == places_.end()) return;
    const size_t place = it->second;
    places_.erase(it);
    if (place + 1 < peers_.size()) {
      peers_[place] = peers_.back();
      due_us_[place] = due_us_.back();
      places_[peers_[place]] = place;
    }
    peers_.pop_back();
    due_us_.pop_back();
  }
  // Something came for the peer, which may have changed what it waits for.
  void renew(Peer& peer) {
    const auto it = places_.find(&peer);
    if (it != places_.end()) due_us_[it->second] = peer.due_us();
  }
  void tick(int64_t now_us) {
    for (size_t i = 0; i < due_us_.size(); ++i) {
      if (due_us_[i] > now_us) continue;
      peers_[i]->on_tick(now_us);
      due_us_[i] = peers_[i]->due_us();
    }
  }

 private:
  std::vector<int64_t> due_us_;
  std::vector<Peer*> peers_;
  std::unordered_map<const Peer*, size_t> places_;
};

}  // namespace parley
