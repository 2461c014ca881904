// Certificates and handshakes for JavaScript.
#include <chrono>
#include <string>

#include "binding.h"

namespace parley::binding {
namespace {

uint64_t now_ms() {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count());
}

const char* state_name(DtlsState state) {
  switch (state) {
    case DtlsState::kHandshaking: return "handshaking";
    case DtlsState::kConnected: return "connected";
    case DtlsState::kClosed: return "closed";
    case DtlsState::kFailed: return "failed";
  }
  return "failed";
}

// The contract's names (domain/media-control/src/ports.ts).
const char* error_name(DtlsError error) {
  switch (error) {
    case DtlsError::kWrongFingerprint: return "fingerprint-mismatch";
    case DtlsError::kNoCommonProfile: return "no-srtp-profile";
    case DtlsError::kTimeout: return "timeout";
    default: return "protocol";
  }
}

using CertificateHolder = std::shared_ptr<const DtlsCertificate>;

Napi::Value wrap_certificate(Napi::Env env, std::shared_ptr<const DtlsCertificate> certificate) {
  if (certificate == nullptr) return env.Undefined();
  Napi::Object object = Napi::Object::New(env);
  const auto& digest = certificate->fingerprint().digest;
  object.Set("fingerprint", Napi::Buffer<uint8_t>::Copy(env, digest.data(), digest.size()));
  object.Set("certificatePem", certificate->certificate_pem());
  object.Set("keyPem", certificate->key_pem());
  object.Set("native", Napi::External<CertificateHolder>::New(env, new CertificateHolder(std::move(certificate)),
                                                              [](Napi::Env, CertificateHolder* holder) { delete holder; }));
  return object;
}

Napi::Value generate_certificate(const Napi::CallbackInfo& info) {
  return wrap_certificate(info.Env(), DtlsCertificate::generate());
}

Napi::Value load_certificate(const Napi::CallbackInfo& info) {
  if (info.Length() < 2 || !info[0].IsString() || !info[1].IsString()) return info.Env().Undefined();
  return wrap_certificate(info.Env(), DtlsCertificate::from_pem(info[0].As<Napi::String>().Utf8Value(),
                                                                info[1].As<Napi::String>().Utf8Value()));
}

class Transport : public Napi::ObjectWrap<Transport> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "NativeDtlsTransport",
                       {InstanceMethod<&Transport::receive>("receive"), InstanceMethod<&Transport::timeout>("timeout"),
                        InstanceMethod<&Transport::close>("close")});
  }

  // (certificate external, isClient, [[algorithm, digest], ...], [profile numbers])
  explicit Transport(const Napi::CallbackInfo& info) : ObjectWrap(info) {
    if (info.Length() < 4 || !info[0].IsExternal() || !info[2].IsArray() || !info[3].IsArray()) return;
    DtlsConfig config;
    client_ = info[1].ToBoolean();
    config.role = client_ ? DtlsRole::kClient : DtlsRole::kServer;
    const auto fingerprints = info[2].As<Napi::Array>();
    for (uint32_t i = 0; i < fingerprints.Length(); ++i) {
      Napi::Value pair = fingerprints.Get(i);
      if (!pair.IsArray()) continue;
      Napi::Value digest = pair.As<Napi::Array>().Get(uint32_t{1});
      if (!digest.IsTypedArray()) continue;
      const auto bytes = digest.As<Napi::Uint8Array>();
      DtlsFingerprint fingerprint;
      fingerprint.algorithm = pair.As<Napi::Array>().Get(uint32_t{0}).ToString().Utf8Value();
      fingerprint.digest.assign(bytes.Data(), bytes.Data() + bytes.ElementLength());
      config.peer_fingerprints.push_back(std::move(fingerprint));
    }
    const auto profiles = info[3].As<Napi::Array>();
    config.profiles.clear();
    for (uint32_t i = 0; i < profiles.Length(); ++i) {
      config.profiles.push_back(static_cast<SrtpProfile>(profiles.Get(i).ToNumber().Uint32Value()));
    }
    endpoint_ = DtlsEndpoint::create(*info[0].As<Napi::External<CertificateHolder>>().Data(), std::move(config));
  }

 private:
  Napi::Value result(Napi::Env env) {
    Napi::Object object = Napi::Object::New(env);
    Napi::Array datagrams = Napi::Array::New(env);
    object.Set("datagrams", datagrams);
    if (endpoint_ == nullptr) {
      object.Set("state", closed_ ? "closed" : "failed");
      if (!closed_) object.Set("error", "protocol");
      object.Set("timeoutMs", env.Undefined());
      return object;
    }
    std::vector<uint8_t> datagram;
    uint32_t count = 0;
    while (endpoint_->take_datagram(datagram)) {
      datagrams.Set(count++, Napi::Buffer<uint8_t>::Copy(env, datagram.data(), datagram.size()));
    }
    const DtlsState state = endpoint_->state();
    object.Set("state", state_name(state));
    const std::optional<uint64_t> due = endpoint_->next_timeout_ms();
    if (due) {
      const uint64_t now = now_ms();
      object.Set("timeoutMs", Napi::Number::New(env, *due > now ? static_cast<double>(*due - now) : 0));
    } else {
      object.Set("timeoutMs", env.Undefined());
    }
    if (state == DtlsState::kFailed) object.Set("error", error_name(endpoint_->error()));
    if (state == DtlsState::kConnected) {
      if (!profile_) {
        keys_ = endpoint_->take_srtp_keys();
        if (keys_) profile_ = keys_->local.profile;
      }
      if (profile_) object.Set("srtpProfile", std::string(srtp_profile_name(*profile_)));
    }
    return object;
  }

 public:
  std::optional<DtlsSrtpKeys> keys() {
    std::optional<DtlsSrtpKeys> taken = std::move(keys_);
    keys_.reset();
    return taken;
  }

 private:
  Napi::Value receive(const Napi::CallbackInfo& info) {
    if (endpoint_ != nullptr && info.Length() > 0 && info[0].IsTypedArray()) {
      const auto datagram = info[0].As<Napi::Uint8Array>();
      if (datagram.ElementLength() == 0) {
        if (client_ && !started_) endpoint_->start(now_ms());
        started_ = true;
      } else {
        endpoint_->receive({datagram.Data(), datagram.ElementLength()}, now_ms());
      }
    }
    return result(info.Env());
  }
  Napi::Value timeout(const Napi::CallbackInfo& info) {
    if (endpoint_ != nullptr) endpoint_->timeout(now_ms());
    return result(info.Env());
  }
  Napi::Value close(const Napi::CallbackInfo& info) {
    if (endpoint_ != nullptr) endpoint_->close(now_ms());
    Napi::Value value = result(info.Env());
    if (endpoint_ != nullptr) value.As<Napi::Object>().Set("state", "closed");
    endpoint_.reset();
    keys_.reset();
    closed_ = true;
    return value;
  }

  std::unique_ptr<DtlsEndpoint> endpoint_;
  std::optional<DtlsSrtpKeys> keys_;
  std::optional<SrtpProfile> profile_;
  bool client_ = false;
  bool started_ = false;
  bool closed_ = false;
};

}  // namespace

std::optional<DtlsSrtpKeys> take_keys(Napi::Value transport) {
  if (!transport.IsObject()) return std::nullopt;
  Napi::Env env = transport.Env();
  auto* data = env.GetInstanceData<AddonData>();
  // Somebody else's object must not be read as ours.
  if (!transport.As<Napi::Object>().InstanceOf(data->transport.Value())) return std::nullopt;
  Transport* unwrapped = Napi::ObjectWrap<Transport>::Unwrap(transport.As<Napi::Object>());
  return unwrapped == nullptr ? std::nullopt : unwrapped->keys();
}

void register_dtls(Napi::Env env, Napi::Object exports, AddonData& data) {
  Napi::Function constructor = Transport::define(env);
  data.transport = Napi::Persistent(constructor);
  exports.Set("DtlsTransport", constructor);
  exports.Set("generateCertificate", Napi::Function::New(env, generate_certificate));
  exports.Set("loadCertificate", Napi::Function::New(env, load_certificate));
}

}  // namespace parley::binding
