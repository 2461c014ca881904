#include "binding.h"

namespace parley::binding {
namespace {

Napi::Value missing_symbols(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const std::vector<const char*> names = missing_openssl_symbols();
  Napi::Array array = Napi::Array::New(env, names.size());
  for (uint32_t i = 0; i < names.size(); ++i) array.Set(i, Napi::String::New(env, names[i]));
  return array;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  auto* data = new AddonData;
  env.SetInstanceData<AddonData>(data);
  exports.Set("missingSymbols", Napi::Function::New(env, missing_symbols));
  register_dtls(env, exports, *data);
  register_plane(env, exports, *data);
  return exports;
}

}  // namespace
}  // namespace parley::binding

static Napi::Object parley_init(Napi::Env env, Napi::Object exports) { return parley::binding::init(env, exports); }
NODE_API_MODULE(parley_native, parley_init)
