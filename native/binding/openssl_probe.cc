// Node loads addons lazily bound: a function that is missing would end the process at its first call. So we look first.
#include <dlfcn.h>

#include "binding.h"

namespace parley::binding {
namespace {

constexpr const char* kNames[] = {
#include "openssl_symbols.inc"
};

}  // namespace

std::vector<const char*> missing_openssl_symbols() {
  std::vector<const char*> missing;
  for (const char* name : kNames) {
    if (dlsym(RTLD_DEFAULT, name) == nullptr) missing.push_back(name);
  }
  return missing;
}

}  // namespace parley::binding
