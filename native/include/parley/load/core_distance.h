// How far apart the machine's cores are just now. The virtual machine that yesterday had two cores over one cache may have two on
// different chips today, and back in the next minute: what one core has written costs the other 40 ns then or 200. A window
// whose ends differ was measured on two machines; more than that it does not tell (bench/profile.md).
#pragma once

namespace parley {

// One way of a line of memory from one core to another, in nanoseconds: the least of many times, of the first two cores this process may
// use. 0 when there is one, or when the other did not answer for some milliseconds because something else runs there. Blocks for some
// milliseconds; nothing else should run.
double core_distance_ns();

}  // namespace parley
