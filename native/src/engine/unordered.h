// Lists whose order says nothing.
#pragma once

#include <algorithm>
#include <vector>

namespace parley {

// The last one takes its place.
template <typename T>
void erase_value(std::vector<T>& values, const T& value) {
  const auto found = std::find(values.begin(), values.end(), value);
  if (found == values.end()) return;
  *found = values.back();
  values.pop_back();
}

}  // namespace parley
