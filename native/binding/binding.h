// What the parts of the addon know of each other.
#pragma once

#include <napi.h>

#include <memory>
#include <optional>
#include <vector>

#include "parley/crypto/dtls.h"

namespace parley::binding {

// Per environment (main thread or worker_threads): nothing is global.
struct AddonData {
  Napi::FunctionReference plane;
  Napi::FunctionReference transport;
};

void register_dtls(Napi::Env env, Napi::Object exports, AddonData& data);
void register_plane(Napi::Env env, Napi::Object exports, AddonData& data);

// The keys of a connected transport made here; nullopt when it is none, or they were taken.
std::optional<DtlsSrtpKeys> take_keys(Napi::Value transport);

// Names of the OpenSSL functions the data plane uses that this process does not have.
std::vector<const char*> missing_openssl_symbols();

}  // namespace parley::binding
