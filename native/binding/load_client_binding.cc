// The load client for bench/: an addon of its own, so that the product's carries none of it.
#include <napi.h>

#include <string>

#include "parley/load/core_distance.h"
#include "parley/load/load_client.h"

namespace parley::binding {
namespace {

const char* state_name(LoadState state) {
  switch (state) {
    case LoadState::kNew: return "new";
    case LoadState::kChecking: return "checking";
    case LoadState::kHandshaking: return "handshaking";
    case LoadState::kConnected: return "connected";
    case LoadState::kFailed: return "failed";
    case LoadState::kClosed: return "closed";
  }
  return "closed";
}

std::string text(const Napi::Object& object, const char* name) { return object.Get(name).ToString().Utf8Value(); }
uint32_t number(const Napi::Object& object, const char* name) { return object.Get(name).ToNumber().Uint32Value(); }

LoadProfile profile_of(const std::string& name) { return name == "spread" ? LoadProfile::kSpread : LoadProfile::kBurst; }

// 1 when nothing is said.
double pace_of(const Napi::Object& object) {
  const Napi::Value pace = object.Get("pace");
  return pace.IsUndefined() ? 1 : pace.ToNumber().DoubleValue();
}

LoadPeerOptions peer_options(const Napi::Object& object) {
  LoadPeerOptions options;
  options.local_ufrag = text(object, "ufrag");
  options.local_password = text(object, "password");
  options.profile = static_cast<SrtpProfile>(number(object, "srtpProfile"));
  options.gro = object.Get("gro").ToBoolean();
  return options;
}

class LoadClientObject : public Napi::ObjectWrap<LoadClientObject> {
 public:
  static Napi::Function define(Napi::Env env) {
    using T = LoadClientObject;
    return DefineClass(env, "LoadClient",
                       {InstanceMethod<&T::fingerprint>("fingerprint"), InstanceMethod<&T::add_subscriber>("addSubscriber"),
                        InstanceMethod<&T::add_publisher>("addPublisher"), InstanceMethod<&T::connect>("connect"),
                        InstanceMethod<&T::remove>("remove"), InstanceMethod<&T::set_slots>("setSlots"),
                        InstanceMethod<&T::raise_publishers>("raisePublishers"), InstanceMethod<&T::watch_fan_out>("watchFanOut"),
                        InstanceMethod<&T::core_distance>("coreDistanceNs"),
                        InstanceMethod<&T::open_relay>("openRelay"), InstanceMethod<&T::start_relay>("startRelay"),
                        InstanceMethod<&T::relay_running>("relayRunning"), InstanceMethod<&T::finish_relay>("finishRelay"), InstanceMethod<&T::state>("state"),
                        InstanceMethod<&T::set_drop_ratio>("setDropRatio"), InstanceMethod<&T::set_sending>("setSending"),
                        InstanceMethod<&T::begin_window>("beginWindow"), InstanceMethod<&T::states>("states"),
                        InstanceMethod<&T::snapshot>("snapshot"), InstanceMethod<&T::open_floor>("openFloor"),
                        InstanceMethod<&T::start_floor>("startFloor"), InstanceMethod<&T::floor_running>("floorRunning"),
                        InstanceMethod<&T::finish_floor>("finishFloor"), InstanceMethod<&T::close>("close")});
  }

  explicit LoadClientObject(const Napi::CallbackInfo& info) : ObjectWrap(info), client_(std::make_unique<LoadClient>()) {}

 private:
  // After close() every call is without effect.
  bool ended() const { return client_ == nullptr; }

  Napi::Value fingerprint(const Napi::CallbackInfo& info) {
    return ended() ? info.Env().Undefined() : Napi::String::New(info.Env(), client_->fingerprint().colon_hex());
  }
  Napi::Value add_subscriber(const Napi::CallbackInfo& info) {
    if (ended()) return info.Env().Undefined();
    return Napi::Number::New(info.Env(), client_->add_subscriber(peer_options(info[0].ToObject()), info[1].IsUndefined() || info[1].ToBoolean()));
  }
  Napi::Value add_publisher(const Napi::CallbackInfo& info) {
    if (ended()) return info.Env().Undefined();
    const Napi::Object object = info[0].ToObject();
    LoadPublisherOptions streams;
    streams.video_ssrc = number(object, "videoSsrc");
    streams.rtx_ssrc = number(object, "rtxSsrc");
    streams.audio_ssrc = number(object, "audioSsrc");
    streams.profile = profile_of(text(object, "profile"));
    streams.pace = pace_of(object);
    return Napi::Number::New(info.Env(), client_->add_publisher(peer_options(object), streams));
  }
  // (id, {ip, port, ufrag, password, fingerprint}) -> errno
  Napi::Value connect(const Napi::CallbackInfo& info) {
    if (ended()) return info.Env().Undefined();
    const Napi::Object object = info[1].ToObject();
    LoadRemote remote;
    remote.ip = text(object, "ip");
    remote.port = static_cast<uint16_t>(number(object, "port"));
    remote.ufrag = text(object, "ufrag");
    remote.password = text(object, "password");
    const auto parsed = DtlsFingerprint::parse("sha-256", text(object, "fingerprint"));
    if (!parsed) return Napi::Number::New(info.Env(), EINVAL);
    remote.fingerprint = *parsed;
    return Napi::Number::New(info.Env(), client_->connect(info[0].ToNumber().Uint32Value(), remote));
  }
  // (id, [ssrc, rtxSsrc, ...])
  void set_slots(const Napi::CallbackInfo& info) {
    if (ended()) return;
    const Napi::Array numbers = info[1].As<Napi::Array>();
    std::vector<LoadSlot> slots;
    for (uint32_t i = 0; i + 1 < numbers.Length(); i += 2) {
      slots.push_back({numbers.Get(i).ToNumber().Uint32Value(), numbers.Get(i + 1).ToNumber().Uint32Value()});
    }
    client_->set_slots(info[0].ToNumber().Uint32Value(), slots);
  }
  Napi::Value raise_publishers(const Napi::CallbackInfo& info) {
    return Napi::Boolean::New(info.Env(), !ended() && client_->raise_publishers());
  }
  Napi::Value core_distance(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), core_distance_ns()); }
  void watch_fan_out(const Napi::CallbackInfo& info) {
    if (!ended()) client_->watch_fan_out(info[0].ToNumber().Uint32Value());
  }
  void remove(const Napi::CallbackInfo& info) {
    if (!ended()) client_->remove(info[0].ToNumber().Uint32Value());
  }
  Napi::Value state(const Napi::CallbackInfo& info) {
    const LoadState state = ended() ? LoadState::kClosed : client_->state(info[0].ToNumber().Uint32Value());
    return Napi::String::New(info.Env(), state_name(state));
  }
  void set_drop_ratio(const Napi::CallbackInfo& info) {
    if (!ended()) client_->set_drop_ratio(info[0].ToNumber().DoubleValue());
  }
  void set_sending(const Napi::CallbackInfo& info) {
    if (!ended()) client_->set_sending(info[0].ToBoolean());
  }
  void begin_window(const Napi::CallbackInfo&) {
    if (!ended()) client_->begin_window();
  }
  Napi::Value states(const Napi::CallbackInfo& info) {
    Napi::Object out = Napi::Object::New(info.Env());
    const LoadStates states = ended() ? LoadStates{} : client_->subscriber_states();
    out.Set("connecting", states.connecting);
    out.Set("connected", states.connected);
    out.Set("withMedia", states.with_media);
    out.Set("failed", states.failed);
    return out;
  }
  Napi::Value snapshot(const Napi::CallbackInfo& info) {
    Napi::Object out = Napi::Object::New(info.Env());
    const LoadClient::Snapshot s = ended() ? LoadClient::Snapshot{} : client_->snapshot();
    const auto set = [&out](const char* name, auto value) { out.Set(name, static_cast<double>(value)); };
    set("distinct", s.distinct);
    set("duplicates", s.duplicates);
    set("dropped", s.dropped);
    set("rtxReceived", s.rtx_received);
    set("repaired", s.repaired);
    set("nackMessages", s.nack_messages);
    set("nackedPackets", s.nacked_packets);
    set("receiverReports", s.receiver_reports);
    set("transportReports", s.transport_reports);
    set("senderReports", s.sender_reports);
    set("keyFrameRequests", s.key_frame_requests);
    set("wireBytes", s.wire_bytes);
    set("payloadBytes", s.payload_bytes);
    set("missing", s.missing);
    set("authenticationFailures", s.authentication_failures);
    set("p50Us", s.p50_us);
    set("p99Us", s.p99_us);
    set("p999Us", s.p999_us);
    set("maxUs", s.max_us);
    set("latencies", s.latencies);
    set("longestGapUs", s.longest_gap_us);
    set("lastP50Us", s.last_p50_us);
    set("lastP99Us", s.last_p99_us);
    set("lastP999Us", s.last_p999_us);
    set("lastMaxUs", s.last_max_us);
    set("frameP50Us", s.frame_p50_us);
    set("frameP99Us", s.frame_p99_us);
    set("fanOuts", s.fan_outs);
    set("incompleteFanOuts", s.incomplete_fan_outs);
    set("lateP99Us", s.late_p99_us);
    set("lateMaxUs", s.late_max_us);
    set("overflows", s.overflows);
    set("published", s.published.packets);
    set("publisherNacked", s.published.nacked);
    set("publisherRetransmitted", s.published.retransmitted);
    set("publisherKeyFrameRequests", s.published.key_frame_requests);
    set("publisherTransportReports", s.published.transport_reports);
    set("publisherReceiverReports", s.published.receiver_reports);
    set("connectP50Us", s.connect_p50_us);
    set("connectP99Us", s.connect_p99_us);
    return out;
  }
  // (ip, sinks, gro) -> true
  Napi::Value open_floor(const Napi::CallbackInfo& info) {
    if (ended()) return info.Env().Undefined();
    const std::string ip = info[0].ToString().Utf8Value();
    const uint16_t port = client_->floor().open(ip);
    ports_ = port == 0 ? std::vector<uint16_t>{}
                       : client_->open_sinks(ip, info[1].ToNumber().Uint32Value(), port, info[2].ToBoolean());
    return Napi::Boolean::New(info.Env(), !ports_.empty());
  }
  // ({mode, profile, pace, overheadBytes, durationMs}) -> true
  Napi::Value start_floor(const Napi::CallbackInfo& info) {
    if (ended()) return info.Env().Undefined();
    const Napi::Object object = info[0].ToObject();
    const FloorMode mode = text(object, "mode") == "sendto" ? FloorMode::kSendto : FloorMode::kSegments;
    sunk_before_ = client_->sink_datagrams();
    return Napi::Boolean::New(
        info.Env(), client_->floor().start(ports_, profile_of(text(object, "profile")), pace_of(object), mode,
                                           static_cast<uint16_t>(number(object, "overheadBytes")), int64_t{number(object, "durationMs")} * 1000));
  }
  Napi::Value floor_running(const Napi::CallbackInfo& info) {
    return Napi::Boolean::New(info.Env(), !ended() && client_->floor().running());
  }
  Napi::Value finish_floor(const Napi::CallbackInfo& info) {
    if (ended()) return info.Env().Undefined();
    return floor_result(info, client_->floor().finish());
  }
  // (ip, people, meetings, gro) -> true. One person per meeting: nothing is sent.
  Napi::Value open_relay(const Napi::CallbackInfo& info) {
    if (ended()) return info.Env().Undefined();
    const std::string ip = info[0].ToString().Utf8Value();
    const size_t people = info[1].ToNumber().Uint32Value();
    const size_t meetings = info[2].ToNumber().Uint32Value();
    const uint16_t port = client_->relay().open(ip, people, meetings);
    ports_.clear();
    if (port != 0 && people > 1) ports_ = client_->open_sinks(ip, people * meetings, port, info[3].ToBoolean());
    return Napi::Boolean::New(info.Env(), port != 0 && (people == 1 || !ports_.empty()));
  }
  // ({profile, pace, overheadBytes, durationMs, wait}) -> true
  Napi::Value start_relay(const Napi::CallbackInfo& info) {
    if (ended()) return info.Env().Undefined();
    const Napi::Object object = info[0].ToObject();
    sunk_before_ = client_->sink_datagrams();
    FloorRelayOptions options;
    options.profile = profile_of(text(object, "profile"));
    options.pace = pace_of(object);
    options.overhead = static_cast<uint16_t>(number(object, "overheadBytes"));
    options.duration_us = int64_t{number(object, "durationMs")} * 1000;
    options.wait = text(object, "wait") == "arrival" ? FloorWait::kArrival : FloorWait::kSchedule;
    return Napi::Boolean::New(info.Env(), client_->relay().start(ports_, options));
  }
  Napi::Value relay_running(const Napi::CallbackInfo& info) {
    return Napi::Boolean::New(info.Env(), !ended() && client_->relay().running());
  }
  Napi::Value finish_relay(const Napi::CallbackInfo& info) {
    return ended() ? info.Env().Undefined() : floor_result(info, client_->relay().finish());
  }
  Napi::Value floor_result(const Napi::CallbackInfo& info, const FloorResult& r) {
    Napi::Object out = Napi::Object::New(info.Env());
    const auto set = [&out](const char* name, auto value) { out.Set(name, static_cast<double>(value)); };
    set("datagrams", r.datagrams);
    set("messages", r.messages);
    set("calls", r.calls);
    set("errors", r.errors);
    set("cpuUs", r.cpu_us);
    set("elapsedUs", r.elapsed_us);
    set("received", r.received);
    set("offered", r.offered);
    set("drained", client_->sink_datagrams() - sunk_before_);
    set("overflows", client_->sink_overflows());
    return out;
  }
  void close(const Napi::CallbackInfo&) { client_.reset(); }

  std::unique_ptr<LoadClient> client_;
  std::vector<uint16_t> ports_;
  uint64_t sunk_before_ = 0;
};

}  // namespace

void register_load_client(Napi::Env env, Napi::Object exports) { exports.Set("LoadClient", LoadClientObject::define(env)); }

}  // namespace parley::binding

static Napi::Object parley_load_init(Napi::Env env, Napi::Object exports) {
  parley::binding::register_load_client(env, exports);
  return exports;
}
NODE_API_MODULE(parley_load, parley_load_init)
