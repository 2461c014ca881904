// Numbers that nobody may guess.
#pragma once

#include <openssl/rand.h>

namespace parley {

template <typename T>
T random_value() {
  T value{};
  RAND_bytes(reinterpret_cast<unsigned char*>(&value), sizeof(value));
  return value;
}

}  // namespace parley
