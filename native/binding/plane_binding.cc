// The plane for JavaScript: commands as calls that only queue, events as one buffer per batch, counters as shared blocks.
#include <uv.h>

#include <cstring>
#include <string>

#include "binding.h"
#include "parley/engine/plane.h"

namespace parley::binding {
namespace {

bool read_path(const Napi::Value& value, PathAddress* path) {
  if (!value.IsTypedArray()) return false;
  const auto bytes = value.As<Napi::Uint8Array>();
  if (bytes.ElementLength() != sizeof(PathAddress)) return false;
  std::memcpy(path, bytes.Data(), sizeof(PathAddress));
  return true;
}

Handle read_handle(const Napi::Value& value) {
  if (!value.IsNumber()) return 0;
  const double number = value.As<Napi::Number>().DoubleValue();
  return number >= 1 && number < 9007199254740992.0 ? static_cast<Handle>(number) : 0;
}

uint32_t read_u32(const Napi::Object& object, const char* name) {
  Napi::Value value = object.Get(name);
  return value.IsNumber() ? value.As<Napi::Number>().Uint32Value() : 0;
}

bool read_bool(const Napi::Object& object, const char* name) { return object.Get(name).ToBoolean().Value(); }

std::string read_string(const Napi::Object& object, const char* name) {
  Napi::Value value = object.Get(name);
  return value.IsString() ? value.As<Napi::String>().Utf8Value() : std::string();
}

IceData read_ice(const Napi::Value& value) {
  if (!value.IsObject()) return {};
  const auto object = value.As<Napi::Object>();
  return {read_string(object, "localUfrag"), read_string(object, "localPassword"), read_string(object, "remoteUfrag")};
}

// Calls `each(object)` for the objects of an array.
template <typename Each>
void each_object(const Napi::Value& value, Each each) {
  if (!value.IsArray()) return;
  const auto array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) {
    Napi::Value item = array.Get(i);
    if (item.IsObject()) each(item.As<Napi::Object>());
  }
}

// Calls `each(numbers)` for every `kSize` numbers of a Uint32Array.
template <size_t kSize, typename Each>
void each_record(const Napi::Value& value, Each each) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint32_array) return;
  const auto numbers = value.As<Napi::Uint32Array>();
  for (size_t i = 0; i + kSize <= numbers.ElementLength(); i += kSize) each(numbers.Data() + i);
}

class PlaneObject : public Napi::ObjectWrap<PlaneObject> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(
        env, "NativePlane",
        {
            InstanceMethod<&PlaneObject::flush>("flush"),
            InstanceMethod<&PlaneObject::open_peer>("openPeer"),
            InstanceMethod<&PlaneObject::restart_ice>("restartIce"),
            InstanceMethod<&PlaneObject::retire_previous_ice>("retirePreviousIce"),
            InstanceMethod<&PlaneObject::add_path>("addPath"),
            InstanceMethod<&PlaneObject::select_path>("selectPath"),
            InstanceMethod<&PlaneObject::send_to>("sendTo"),
            InstanceMethod<&PlaneObject::set_srtp_keys>("setSrtpKeys"),
            InstanceMethod<&PlaneObject::close_peer>("closePeer"),
            InstanceMethod<&PlaneObject::set_peer_codecs>("setPeerCodecs"),
            InstanceMethod<&PlaneObject::set_pacing_rate>("setPacingRate"),
            InstanceMethod<&PlaneObject::open_track>("openTrack"),
            InstanceMethod<&PlaneObject::set_track_paused>("setTrackPaused"),
            InstanceMethod<&PlaneObject::request_key_frame>("requestKeyFrame"),
            InstanceMethod<&PlaneObject::close_track>("closeTrack"),
            InstanceMethod<&PlaneObject::open_slot>("openSlot"),
            InstanceMethod<&PlaneObject::bind_slot>("bindSlot"),
            InstanceMethod<&PlaneObject::close_slot>("closeSlot"),
            InstanceMethod<&PlaneObject::endpoints>("endpoints"),
            InstanceMethod<&PlaneObject::scheduling>("scheduling"),
            InstanceMethod<&PlaneObject::now_ms>("nowMs"),
            InstanceMethod<&PlaneObject::counter_block>("counterBlock"),
            InstanceMethod<&PlaneObject::plane_counter_blocks>("planeCounterBlocks"),
            InstanceMethod<&PlaneObject::want_feedback>("wantFeedback"),
            InstanceMethod<&PlaneObject::take_feedback>("takeFeedback"),
            InstanceMethod<&PlaneObject::close>("close"),
        });
  }

  // (options, onEvents). Throws when a socket cannot be bound.
  explicit PlaneObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
    Napi::Env env = info.Env();
    if (info.Length() < 2 || !info[0].IsObject() || !info[1].IsFunction()) {
      Napi::TypeError::New(env, "NativePlane(options, onEvents)").ThrowAsJavaScriptException();
      return;
    }
    const auto options = info[0].As<Napi::Object>();
    PlaneConfig config;
    Napi::Value bind = options.Get("bind");
    if (bind.IsArray()) {
      for (uint32_t i = 0; i < bind.As<Napi::Array>().Length(); ++i) {
        config.bind.push_back(bind.As<Napi::Array>().Get(i).ToString().Utf8Value());
      }
    }
    config.udp_port = static_cast<uint16_t>(read_u32(options, "udpPort"));
    config.tcp = read_bool(options, "tcp");
    config.tcp_port = static_cast<uint16_t>(read_u32(options, "tcpPort"));
    config.threads = static_cast<uint16_t>(read_u32(options, "threads"));
    config.segmentation = read_bool(options, "segmentation");
    const std::string scheduling = read_string(options, "scheduling");
    config.scheduling = scheduling == "fifo"     ? Scheduling::kFifo
                        : scheduling == "nice"   ? Scheduling::kNice
                        : scheduling == "normal" ? Scheduling::kNormal
                                                 : Scheduling::kAuto;
    Napi::Value key = options.Get("ufragKey");
    if (!key.IsTypedArray() || key.As<Napi::Uint8Array>().ElementLength() != config.ufrag_key.size()) {
      Napi::TypeError::New(env, "ufragKey must have 16 bytes").ThrowAsJavaScriptException();
      return;
    }
    std::memcpy(config.ufrag_key.data(), key.As<Napi::Uint8Array>().Data(), config.ufrag_key.size());

    uv_loop_t* loop = nullptr;
    if (napi_get_uv_event_loop(env, &loop) != napi_ok) return;
    async_ = new uv_async_t;
    uv_async_init(loop, async_, &PlaneObject::on_async);
    async_->data = this;
    uv_async_t* async = async_;
    plane_ = std::make_unique<Plane>([async] { uv_async_send(async); });
    const std::string failure = plane_->start(config);
    if (!failure.empty()) {
      plane_.reset();
      close_async();
      Napi::Error::New(env, failure).ThrowAsJavaScriptException();
      return;
    }
    on_events_ = Napi::Persistent(info[1].As<Napi::Function>());
    context_ = std::make_unique<Napi::AsyncContext>(env, "parley:events");
    // The object lives until it is closed, whoever still holds it.
    Ref();
    napi_add_env_cleanup_hook(env, &PlaneObject::on_cleanup, this);
    hooked_ = true;
  }

  ~PlaneObject() override { shut_down(); }

 private:
  static void on_async(uv_async_t* async) {
    auto* self = static_cast<PlaneObject*>(async->data);
    if (self != nullptr) self->deliver();
  }

  // The environment ends (process.exit, end of a worker thread): threads must be gone before OpenSSL's atexit and before V8.
  static void on_cleanup(void* data) {
    auto* self = static_cast<PlaneObject*>(data);
    self->hooked_ = false;
    self->shut_down();
  }

  void deliver() {
    if (plane_ == nullptr) return;
    Napi::Env env = Env();
    Napi::HandleScope scope(env);
    scratch_.clear();
    plane_->drain_events(scratch_);
    if (!scratch_.empty()) {
      Napi::Buffer<uint8_t> buffer = Napi::Buffer<uint8_t>::Copy(env, scratch_.data(), scratch_.size());
      if (scratch_.capacity() > 1 << 20) scratch_ = std::vector<uint8_t>();
      call(on_events_, buffer);
    }
  }

  void call(Napi::FunctionReference& handler, Napi::Value value) {
    Napi::Env env = Env();
    handler.MakeCallback(env.Global(), {value}, *context_);
    if (env.IsExceptionPending()) {
      // Nobody above us can catch it: an exception in the handler is a bug and ends the process, as in any callback.
      napi_value error = env.GetAndClearPendingException().Value();
      napi_fatal_exception(env, error);
    }
  }

  // (wanted): the block into which take_feedback copies; undefined when it is not wanted.
  Napi::Value want_feedback(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    const bool wanted = info[0].ToBoolean();
    if (plane_ == nullptr) return env.Undefined();
    plane_->want_feedback(wanted);
    if (!wanted) return env.Undefined();
    if (feedback_block_ == nullptr) feedback_block_.reset(new double[kFeedbackRingBytes / sizeof(double)]);
    return wrap_block(env, feedback_block_, kFeedbackRingBytes);
  }
  // (thread): the bytes of records that are now in the block.
  Napi::Value take_feedback(const Napi::CallbackInfo& info) {
    size_t bytes = 0;
    if (plane_ != nullptr && feedback_block_ != nullptr) {
      bytes = plane_->drain_feedback(info[0].ToNumber().Uint32Value(), reinterpret_cast<uint8_t*>(feedback_block_.get()));
    }
    return Napi::Number::New(info.Env(), static_cast<double>(bytes));
  }

  void close_async() {
    if (async_ == nullptr) return;
    async_->data = nullptr;
    uv_close(reinterpret_cast<uv_handle_t*>(async_), [](uv_handle_t* handle) {
      delete reinterpret_cast<uv_async_t*>(handle);
    });
    async_ = nullptr;
  }

  void shut_down() {
    if (plane_ != nullptr) {
      plane_->stop();
      plane_.reset();
    }
    close_async();
    if (hooked_) {
      napi_remove_env_cleanup_hook(Env(), &PlaneObject::on_cleanup, this);
      hooked_ = false;
    }
  }

  Napi::Value close(const Napi::CallbackInfo& info) {
    const bool was_open = plane_ != nullptr;
    shut_down();
    if (was_open) {
      on_events_.Reset();
      context_.reset();
      Unref();
    }
    return info.Env().Undefined();
  }

  Napi::Value flush(const Napi::CallbackInfo& info) {
    if (plane_ != nullptr) plane_->flush();
    return info.Env().Undefined();
  }

  Napi::Value number(Napi::Env env, Handle handle) { return Napi::Number::New(env, static_cast<double>(handle)); }

  Napi::Value open_peer(const Napi::CallbackInfo& info) {
    if (plane_ == nullptr) return number(info.Env(), 0);
    return number(info.Env(), plane_->open_peer(read_ice(info[0])));
  }
  void restart_ice(const Napi::CallbackInfo& info) {
    if (plane_ != nullptr) plane_->restart_ice(read_handle(info[0]), read_ice(info[1]));
  }
  void retire_previous_ice(const Napi::CallbackInfo& info) {
    if (plane_ != nullptr) plane_->retire_previous_ice(read_handle(info[0]));
  }
  void add_path(const Napi::CallbackInfo& info) {
    PathAddress path;
    if (plane_ != nullptr && read_path(info[1], &path)) plane_->add_path(read_handle(info[0]), path);
  }
  void select_path(const Napi::CallbackInfo& info) {
    PathAddress path;
    if (plane_ != nullptr && read_path(info[1], &path)) plane_->select_path(read_handle(info[0]), path);
  }
  void send_to(const Napi::CallbackInfo& info) {
    PathAddress path;
    if (plane_ == nullptr || !read_path(info[0], &path) || !info[1].IsTypedArray()) return;
    const auto bytes = info[1].As<Napi::Uint8Array>();
    plane_->send_to(path, bytes.Data(), bytes.ElementLength());
  }
  // False when the transport has no keys to give.
  Napi::Value set_srtp_keys(const Napi::CallbackInfo& info) {
    const std::optional<DtlsSrtpKeys> keys = take_keys(info[1]);
    if (plane_ != nullptr && keys) plane_->set_srtp_keys(read_handle(info[0]), *keys);
    return Napi::Boolean::New(info.Env(), keys.has_value());
  }
  void close_peer(const Napi::CallbackInfo& info) {
    if (plane_ != nullptr) plane_->close_peer(read_handle(info[0]));
  }
  // (peer, numbers of codecs, numbers of extensions): as numbers, because every property of an object costs a look-up of its name.
  void set_peer_codecs(const Napi::CallbackInfo& info) {
    if (plane_ == nullptr) return;
    CodecsData data;
    each_record<5>(info[1], [&data](const uint32_t* record) {
      CodecEntry codec;
      codec.payload_type = static_cast<uint8_t>(record[0]);
      codec.codec = static_cast<Codec>(record[1]);
      codec.clock_rate_hz = record[2];
      codec.rtx_payload_type = static_cast<uint8_t>(record[3]);
      codec.nack = (record[4] & 1) != 0;
      codec.pli = (record[4] & 2) != 0;
      codec.fir = (record[4] & 4) != 0;
      codec.transport_cc = (record[4] & 8) != 0;
      data.codecs.push_back(codec);
    });
    each_record<2>(info[2], [&data](const uint32_t* record) {
      data.extensions.push_back({static_cast<uint8_t>(record[0]), static_cast<Extension>(record[1])});
    });
    plane_->set_peer_codecs(read_handle(info[0]), std::move(data));
  }
  // (peer, bits per second; 0 unlimited)
  void set_pacing_rate(const Napi::CallbackInfo& info) {
    if (plane_ == nullptr || !info[1].IsNumber()) return;
    const double bitrate_bps = info[1].As<Napi::Number>().DoubleValue();
    plane_->set_pacing_rate(read_handle(info[0]), bitrate_bps >= 1 && bitrate_bps < 1e15 ? static_cast<uint64_t>(bitrate_bps) : 0);
  }
  Napi::Value open_track(const Napi::CallbackInfo& info) {
    if (plane_ == nullptr || !info[1].IsObject()) return number(info.Env(), 0);
    const auto options = info[1].As<Napi::Object>();
    TrackData track;
    track.mid = read_string(options, "mid");
    track.video = read_bool(options, "video");
    track.stream_id = read_u32(options, "streamId");
    track.key_frame_interval_us = int64_t{read_u32(options, "keyFrameIntervalMs")} * 1000;
    Napi::Value payload_types = options.Get("payloadTypes");
    if (payload_types.IsArray()) {
      const auto array = payload_types.As<Napi::Array>();
      for (uint32_t i = 0; i < array.Length(); ++i) {
        track.payload_types.push_back(static_cast<uint8_t>(array.Get(i).ToNumber().Uint32Value() & 0x7f));
      }
    }
    each_object(options.Get("encodings"), [&track](const Napi::Object& object) {
      track.encodings.push_back({read_u32(object, "ssrc"), read_u32(object, "rtxSsrc"), read_string(object, "rid")});
    });
    return number(info.Env(), plane_->open_track(read_handle(info[0]), std::move(track)));
  }
  void set_track_paused(const Napi::CallbackInfo& info) {
    if (plane_ != nullptr) plane_->set_track_paused(read_handle(info[0]), info[1].ToBoolean());
  }
  void request_key_frame(const Napi::CallbackInfo& info) {
    if (plane_ != nullptr) plane_->request_key_frame(read_handle(info[0]));
  }
  void close_track(const Napi::CallbackInfo& info) {
    if (plane_ != nullptr) plane_->close_track(read_handle(info[0]));
  }
  Napi::Value open_slot(const Napi::CallbackInfo& info) {
    if (plane_ == nullptr || !info[1].IsObject()) return number(info.Env(), 0);
    const auto options = info[1].As<Napi::Object>();
    SlotData slot;
    slot.mid = read_string(options, "mid");
    slot.video = read_bool(options, "video");
    slot.ssrc = read_u32(options, "ssrc");
    slot.rtx_ssrc = read_u32(options, "rtxSsrc");
    slot.clock_rate_hz = read_u32(options, "clockRateHz");
    return number(info.Env(), plane_->open_slot(read_handle(info[0]), std::move(slot)));
  }
  // (slot, track or 0, [from, to, from, to, ...])
  void bind_slot(const Napi::CallbackInfo& info) {
    if (plane_ == nullptr) return;
    std::vector<PayloadTypeMap> map;
    if (info[2].IsTypedArray()) {
      const auto bytes = info[2].As<Napi::Uint8Array>();
      for (size_t i = 0; i + 1 < bytes.ElementLength(); i += 2) {
        map.push_back({static_cast<uint8_t>(bytes[i] & 0x7f), static_cast<uint8_t>(bytes[i + 1] & 0x7f)});
      }
    }
    plane_->bind_slot(read_handle(info[0]), read_handle(info[1]), std::move(map));
  }
  void close_slot(const Napi::CallbackInfo& info) {
    if (plane_ != nullptr) plane_->close_slot(read_handle(info[0]));
  }

  Napi::Value endpoints(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    Napi::Array array = Napi::Array::New(env);
    if (plane_ == nullptr) return array;
    for (const BoundEndpoint& endpoint : plane_->endpoints()) {
      Napi::Object object = Napi::Object::New(env);
      object.Set("protocol", endpoint.tcp ? "tcp" : "udp");
      object.Set("family", endpoint.family == 4 ? "IPv4" : "IPv6");
      object.Set("ip", endpoint.ip);
      object.Set("port", Napi::Number::New(env, endpoint.port));
      array.Set(array.Length(), object);
    }
    return array;
  }
  // What each thread got; "normal" until it has started.
  Napi::Value scheduling(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    Napi::Array array = Napi::Array::New(env);
    if (plane_ == nullptr) return array;
    for (const auto& worker : plane_->workers) array.Set(array.Length(), Napi::String::New(env, worker->scheduling()));
    return array;
  }
  Napi::Value now_ms(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(monotonic_us()) / 1000.0);
  }

  Napi::Value wrap_block(Napi::Env env, const std::shared_ptr<double[]>& block, size_t bytes) {
    // The block lives as long as JavaScript looks at it, also when the plane is gone.
    auto* holder = new std::shared_ptr<double[]>(block);
    return Napi::ArrayBuffer::New(env, block.get(), bytes,
                                  [](Napi::Env, void*, std::shared_ptr<double[]>* kept) { delete kept; }, holder);
  }
  // (kind 0 peers, 1 tracks, 2 slots; chunk number): undefined while there is no such chunk.
  Napi::Value counter_block(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    if (plane_ == nullptr) return env.Undefined();
    const uint32_t kind = info[0].ToNumber().Uint32Value();
    const uint32_t chunk = info[1].ToNumber().Uint32Value();
    CounterTable& table = kind == 0   ? plane_->peer_counters()
                          : kind == 1 ? plane_->track_counters()
                                      : plane_->slot_counters();
    if (chunk >= table.chunk_count()) return env.Undefined();
    return wrap_block(env, table.chunk(chunk), table.chunk_bytes());
  }
  Napi::Value plane_counter_blocks(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    Napi::Array array = Napi::Array::New(env);
    if (plane_ == nullptr) return array;
    constexpr size_t kBytes = plane_field::kStride * sizeof(double);
    array.Set(array.Length(), wrap_block(env, plane_->own_counters_block(), kBytes));
    for (const auto& worker : plane_->workers) {
      array.Set(array.Length(), wrap_block(env, worker->counters_block(), kBytes));
    }
    return array;
  }

  std::unique_ptr<Plane> plane_;
  uv_async_t* async_ = nullptr;
  Napi::FunctionReference on_events_;
  std::unique_ptr<Napi::AsyncContext> context_;
  std::vector<uint8_t> scratch_;
  std::shared_ptr<double[]> feedback_block_;
  bool hooked_ = false;
};

}  // namespace

void register_plane(Napi::Env env, Napi::Object exports, AddonData& data) {
  Napi::Function constructor = PlaneObject::define(env);
  data.plane = Napi::Persistent(constructor);
  exports.Set("Plane", constructor);
}

}  // namespace parley::binding
