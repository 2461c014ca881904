#!/usr/bin/python3
"""A WHIP and WHEP client on GStreamer's webrtcbin, and encoder and decoder of plain RTP for clients that have none.

    gst_client.py publish  --endpoint URL [--token T] --codec VP8|VP9|H264|H265 --colour R,G,B --tone HZ
    gst_client.py watch    --endpoint URL [--token T] --codec VP8|VP9|H264|H265 --tones HZ,HZ,...
    gst_client.py rtp-out  --codec ... --video-port P --audio-port P --video-ssrc N --audio-ssrc N --colour R,G,B --tone HZ
    gst_client.py rtp-in   --codec ... --video-port P --audio-port P --tones HZ,HZ,...

Says what happens as JSON lines. Reads commands from standard input: `keyframe`, and `stop` (or its end), after which it leaves the
session with DELETE and exits 0.

The picture is the card of testing/src/test-card.ts. With --flash-every-ms the picture turns white, and the tone sounds, for 120 ms at
exactly the same media time. --clock-rate and --ntp-time-source make a publisher whose clocks differ from everybody's.
"""

import argparse
import array
import json
import math
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstVideo", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, GObject, Gst, GstSdp, GstVideo, GstWebRTC  # noqa: E402

WIDTH, HEIGHT, FPS = 320, 180, 15
BAR_WIDTH, BAR_STEP, BAR_TOP, BAR_BOTTOM, CODE_TOP, BITS = 24, 4, 64, 136, 152, 16
SAMPLE_RATE = 48000
AUDIO_BUFFER_SAMPLES = 960
FLASH_NS = 120_000_000
VIDEO_PT, AUDIO_PT = 96, 111

ENCODERS = {
    "VP8": "vp8enc deadline=1 cpu-used=8 threads=1 keyframe-max-dist=150 target-bitrate=300000 end-usage=cbr error-resilient=default"
    " ! rtpvp8pay picture-id-mode=15-bit",
    "VP9": "vp9enc deadline=1 cpu-used=8 threads=1 keyframe-max-dist=150 target-bitrate=300000 end-usage=cbr"
    " ! rtpvp9pay picture-id-mode=15-bit",
    "H264": "x264enc tune=zerolatency speed-preset=ultrafast threads=1 bitrate=300 key-int-max=150 aud=false"
    " ! video/x-h264,profile=constrained-baseline ! rtph264pay config-interval=-1 aggregate-mode=zero-latency",
    # Closed GOPs: rtph265pay repeats the parameter sets only before IDR pictures, and a late viewer needs them.
    "H265": "x265enc tune=zerolatency speed-preset=ultrafast bitrate=300 key-int-max=150 option-string=pools=1:frame-threads=1:open-gop=0"
    " ! video/x-h265 ! rtph265pay config-interval=-1 aggregate-mode=zero-latency",
}
DECODERS = {
    "VP8": "rtpvp8depay request-keyframe=true wait-for-keyframe=true ! vp8dec",
    "VP9": "rtpvp9depay ! vp9dec",
    "H264": "rtph264depay request-keyframe=true ! avdec_h264",
    "H265": "rtph265depay ! avdec_h265",
}


def say(event, **fields):
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


class Card:
    """Draws the test card as I420."""

    def __init__(self, colour):
        red, green, blue = colour
        self.luma = round(16 + 0.257 * red + 0.504 * green + 0.098 * blue)
        chroma_u = round(128 - 0.148 * red - 0.291 * green + 0.439 * blue)
        chroma_v = round(128 + 0.439 * red - 0.368 * green - 0.071 * blue)
        self.coloured = self._plane(self.luma, chroma_u, chroma_v)
        self.white = self._plane(235, 128, 128)

    @staticmethod
    def _plane(luma, chroma_u, chroma_v):
        quarter = WIDTH * HEIGHT // 4
        return bytes([luma]) * (WIDTH * HEIGHT) + bytes([chroma_u]) * quarter + bytes([chroma_v]) * quarter

    def draw(self, number, flash):
        frame = bytearray(self.white if flash else self.coloured)
        left = number * BAR_STEP % WIDTH
        self._paint(frame, left, BAR_TOP, min(WIDTH, left + BAR_WIDTH), BAR_BOTTOM, 16 if flash else 235)
        low = number & 0xFFF
        code = low << 4 | (low ^ low >> 4 ^ low >> 8 ^ 5) & 0xF
        block = WIDTH // BITS
        for bit in range(BITS):
            white = code >> (BITS - 1 - bit) & 1
            self._paint(frame, bit * block, CODE_TOP, (bit + 1) * block, HEIGHT, 235 if white else 16)
        return bytes(frame)

    @staticmethod
    def _paint(frame, left, top, right, bottom, luma):
        row = bytes([luma]) * (right - left)
        for y in range(top, bottom):
            frame[y * WIDTH + left : y * WIDTH + right] = row
        grey = b"\x80" * ((right - left) // 2)
        for plane in (WIDTH * HEIGHT, WIDTH * HEIGHT * 5 // 4):
            for y in range(top // 2, bottom // 2):
                start = plane + y * WIDTH // 2 + left // 2
                frame[start : start + len(grey)] = grey


class Source:
    """Feeds picture and tone into two appsrc elements, paced by the pipeline's clock, with exact media times."""

    def __init__(self, pipeline, args):
        self.pipeline = pipeline
        self.video = pipeline.get_by_name("picture")
        self.audio = pipeline.get_by_name("tone")
        self.card = Card([int(one) for one in args.colour.split(",")])
        self.flash_ns = args.flash_every_ms * 1_000_000
        self.frames = 0
        self.samples = 0
        period = SAMPLE_RATE // math.gcd(SAMPLE_RATE, args.tone)
        wave = [round(8000 * math.sin(2 * math.pi * args.tone * at / SAMPLE_RATE)) for at in range(period)]
        self.wave = array.array("h", wave * (2 * AUDIO_BUFFER_SAMPLES // period + 2))
        self.period = period
        GLib.timeout_add(5, self.feed)

    def flashing(self, time_ns):
        return self.flash_ns > 0 and time_ns >= self.flash_ns and time_ns % self.flash_ns < FLASH_NS

    def feed(self):
        clock = self.pipeline.get_clock()
        if clock is None or self.pipeline.get_state(0)[1] != Gst.State.PLAYING:
            return True
        now_ns = clock.get_time() - self.pipeline.get_base_time()
        while (time_ns := self.frames * Gst.SECOND // FPS) <= now_ns:
            self.push(self.video, self.card.draw(self.frames, self.flashing(time_ns)), time_ns, Gst.SECOND // FPS)
            self.frames += 1
        while (time_ns := self.samples * Gst.SECOND // SAMPLE_RATE) <= now_ns:
            start = self.samples % self.period
            sound = self.wave[start : start + AUDIO_BUFFER_SAMPLES]
            if self.flash_ns > 0:
                for at in range(AUDIO_BUFFER_SAMPLES):
                    if not self.flashing(time_ns + at * Gst.SECOND // SAMPLE_RATE):
                        sound[at] = 0
            self.push(self.audio, sound.tobytes(), time_ns, AUDIO_BUFFER_SAMPLES * Gst.SECOND // SAMPLE_RATE)
            self.samples += AUDIO_BUFFER_SAMPLES
        return True

    @staticmethod
    def push(element, data, time_ns, duration_ns):
        buffer = Gst.Buffer.new_wrapped(data)
        buffer.pts = buffer.dts = time_ns
        buffer.duration = duration_ns
        element.emit("push-buffer", buffer)


class Sink:
    """Reads colours out of decoded pictures and tones out of decoded sound."""

    def __init__(self, tones):
        self.tones = tones
        self.heard = array.array("h")

    def attach(self, element, kind):
        element.set_property("emit-signals", True)
        element.set_property("sync", False)
        element.set_property("max-buffers", 4)
        element.set_property("drop", kind == "picture")
        element.connect("new-sample", self.on_picture if kind == "picture" else self.on_sound)

    def on_picture(self, element):
        sample = element.emit("pull-sample")
        info = GstVideo.VideoInfo.new_from_caps(sample.get_caps())
        buffer = sample.get_buffer()
        data = buffer.extract_dup(0, buffer.get_size())
        say("picture", width=info.width, height=info.height, **self.look(data, info))
        return Gst.FlowReturn.OK

    @staticmethod
    def look(data, info):
        width, height = info.width, info.height
        strides, offsets = info.stride, info.offset
        sums, count = [0.0, 0.0, 0.0], 0
        for y in range(8 * height // HEIGHT, (BAR_TOP - 12) * height // HEIGHT, 4):
            for x in range(8, width - 8, 8):
                luma = 1.164 * (data[offsets[0] + y * strides[0] + x] - 16)
                u = data[offsets[1] + y // 2 * strides[1] + x // 2] - 128
                v = data[offsets[2] + y // 2 * strides[2] + x // 2] - 128
                for index, value in enumerate((luma + 1.596 * v, luma - 0.392 * u - 0.813 * v, luma + 2.017 * u)):
                    sums[index] += min(255.0, max(0.0, value))
                count += 1
        line = offsets[0] + (BAR_TOP + BAR_BOTTOM) // 2 * height // HEIGHT * strides[0]
        bright = [x for x in range(width) if data[line + x] >= 200]
        return {
            "colour": [round(one / max(1, count)) for one in sums],
            "barX": sum(bright) / len(bright) / width * WIDTH if bright else None,
        }

    def on_sound(self, element):
        buffer = element.emit("pull-sample").get_buffer()
        self.heard.frombytes(buffer.extract_dup(0, buffer.get_size()))
        # A tenth of a second in every fifth of one: enough to tell tones apart, and Python can afford it.
        if len(self.heard) >= 9600:
            self.say_tone(self.heard[:4800])
            self.heard = array.array("h")
        return Gst.FlowReturn.OK

    def say_tone(self, samples):
        energy = float(sum(one * one for one in samples))
        best_hz, best_share = 0, 0.0
        for tone in self.tones:
            coefficient = 2 * math.cos(2 * math.pi * tone / SAMPLE_RATE)
            before = last = 0.0
            for one in samples:
                before, last = last, one + coefficient * last - before
            power = before * before + last * last - coefficient * before * last
            share = power / (len(samples) / 2 * energy) if energy > 0 else 0.0
            if share > best_share:
                best_hz, best_share = tone, share
        level = 10 * math.log10(energy / len(samples) / 32768**2) if energy > 0 else -200.0
        say("tone", peakHz=best_hz, share=round(best_share, 3), peakDb=round(level, 1))


class Session:
    """One WHIP or WHEP session (RFC 9725), offered without trickling."""

    def __init__(self, args, pipeline, webrtc, loop):
        self.args, self.pipeline, self.webrtc, self.loop = args, pipeline, webrtc, loop
        self.resource = None
        self.offered = False
        webrtc.connect("on-negotiation-needed", self.on_negotiation_needed)
        webrtc.connect("notify::ice-gathering-state", self.on_gathering)
        webrtc.connect("notify::connection-state", self.on_connection)

    def on_negotiation_needed(self, element):
        if self.offered:
            return
        self.offered = True
        element.emit("create-offer", None, Gst.Promise.new_with_change_func(self.on_offer, element))

    def on_offer(self, promise, element):
        # The reply owns the description: it must outlive its use.
        reply = promise.get_reply()
        offer = reply.get_value("offer")
        element.emit("set-local-description", offer, Gst.Promise.new())

    def on_gathering(self, element, _spec):
        if element.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            threading.Thread(target=self.post, daemon=True).start()

    def on_connection(self, element, _spec):
        say("connection", state=element.get_property("connection-state").value_nick)

    def request(self, method, url, body=None, kind="application/sdp"):
        headers = {"Content-Type": kind} if body is not None else {}
        if self.args.token:
            headers["Authorization"] = "Bearer " + self.args.token
        request = urllib.request.Request(url, method=method, headers=headers, data=None if body is None else body.encode())
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, response.headers, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    def post(self):
        offer = self.webrtc.get_property("local-description").sdp.as_text()
        say("offer", sdp=offer)
        status, headers, body = self.request("POST", self.args.endpoint, offer)
        if status != 201:
            say("refused", status=status, body=body)
            GLib.idle_add(self.loop.quit)
            return
        self.resource = urllib.parse.urljoin(self.args.endpoint, headers["Location"])
        say("accepted", resource=self.resource, sdp=body)
        _result, message = GstSdp.SDPMessage.new()
        GstSdp.sdp_message_parse_buffer(body.encode(), message)
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
        self.webrtc.emit("set-remote-description", answer, Gst.Promise.new())

    def leave(self):
        if self.resource is not None:
            status, _headers, _body = self.request("DELETE", self.resource)
            say("left", status=status)


def encoders(args):
    """Launch lines of the picture's and the tone's way to RTP."""
    video = (
        f"appsrc name=picture is-live=true format=time caps=video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate={FPS}/1"
        f" ! queue max-size-buffers=2 leaky=downstream ! {ENCODERS[args.codec]} name=videopay pt={VIDEO_PT} mtu=1200"
    )
    audio = (
        f"appsrc name=tone is-live=true format=time caps=audio/x-raw,format=S16LE,rate={SAMPLE_RATE},channels=1,layout=interleaved"
        f" ! queue ! opusenc frame-size=20 ! rtpopuspay name=audiopay pt={AUDIO_PT}"
    )
    return video, audio


def rtp_caps(media, name, payload, clock_rate, more=""):
    return f"application/x-rtp,media={media},encoding-name={name},payload={payload},clock-rate={clock_rate}{more}"


def build_publisher(args, loop):
    video, audio = encoders(args)
    pipeline = Gst.parse_launch(
        f"webrtcbin name=webrtc bundle-policy=max-bundle "
        f"{video} ! {rtp_caps('video', args.codec, VIDEO_PT, 90000, ',rtcp-fb-nack=true,rtcp-fb-nack-pli=true')} ! webrtc. "
        f"{audio} ! {rtp_caps('audio', 'OPUS', AUDIO_PT, SAMPLE_RATE, ',encoding-params=(string)2')} ! webrtc."
    )
    webrtc = pipeline.get_by_name("webrtc")
    for index in (0, 1):
        transceiver = webrtc.emit("get-transceiver", index)
        transceiver.set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
        transceiver.set_property("do-nack", index == 0)
    rtpbin = webrtc.get_by_name("rtpbin")
    if args.ntp_time_source:
        rtpbin.set_property("ntp-time-source", args.ntp_time_source)
    if args.clock_rate != 1.0 or args.clock_offset_s != 0:
        clock = skewed_clock(args.clock_rate, args.clock_offset_s)
        pipeline.use_clock(clock)
    return pipeline, Session(args, pipeline, webrtc, loop)


def skewed_clock(rate, offset_s):
    """A system clock that runs `rate` times as fast and is `offset_s` ahead."""
    clock = GObject.new(Gst.SystemClock.__gtype__, name="skewed")
    internal = clock.get_internal_time()
    clock.set_calibration(internal, internal + round(offset_s * Gst.SECOND), round(rate * 1_000_000), 1_000_000)
    return clock


def build_viewer(args, loop):
    pipeline = Gst.Pipeline.new("viewer")
    webrtc = Gst.ElementFactory.make("webrtcbin", "webrtc")
    webrtc.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
    pipeline.add(webrtc)
    sink = Sink([int(one) for one in args.tones.split(",")])
    kinds = {"VP8": "video", "VP9": "video", "H264": "video", "H265": "video", "OPUS": "audio"}

    def on_pad(_element, pad):
        if pad.direction != Gst.PadDirection.SRC:
            return
        caps = pad.get_current_caps() or pad.query_caps(None)
        name = caps.get_structure(0).get_string("encoding-name").upper()
        say("track", codec=name)
        if kinds.get(name) == "video":
            line = f"{DECODERS[name]} ! videoconvert ! video/x-raw,format=I420 ! appsink name=out"
        else:
            line = f"rtpopusdepay ! opusdec ! audioconvert ! audioresample ! audio/x-raw,format=S16LE,rate={SAMPLE_RATE},channels=1 ! appsink name=out"
        branch = Gst.parse_bin_from_description("queue ! " + line, True)
        sink.attach(branch.get_by_name("out"), "picture" if kinds.get(name) == "video" else "tone")
        pipeline.add(branch)
        branch.sync_state_with_parent()
        pad.link(branch.get_static_pad("sink"))

    webrtc.connect("pad-added", on_pad)
    session = Session(args, pipeline, webrtc, loop)
    feedback = ",rtcp-fb-nack=true,rtcp-fb-nack-pli=true,rtcp-fb-ccm-fir=true"
    more = ",packetization-mode=(string)1,profile-level-id=(string)42e01f,level-asymmetry-allowed=(string)1" if args.codec == "H264" else ""
    receive_only = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
    video = webrtc.emit("add-transceiver", receive_only, Gst.Caps.from_string(rtp_caps("video", args.codec, VIDEO_PT, 90000, feedback + more)))
    video.set_property("do-nack", True)
    webrtc.emit("add-transceiver", receive_only, Gst.Caps.from_string(rtp_caps("audio", "OPUS", AUDIO_PT, SAMPLE_RATE, ",encoding-params=(string)2")))
    return pipeline, session


def build_rtp_out(args):
    video, audio = encoders(args)
    line = (
        f"{video} ssrc={args.video_ssrc} ! udpsink host=127.0.0.1 port={args.video_port} sync=false async=false "
        f"{audio} ssrc={args.audio_ssrc} ! udpsink host=127.0.0.1 port={args.audio_port} sync=false async=false"
    )
    return Gst.parse_launch(line)


def build_rtp_in(args):
    pipeline = Gst.parse_launch(
        f"udpsrc address=127.0.0.1 port={args.video_port} caps=\"{rtp_caps('video', args.codec, args.video_pt, 90000)}\""
        f" ! rtpjitterbuffer latency=50 ! {DECODERS[args.codec]} ! videoconvert ! video/x-raw,format=I420 ! appsink name=picture "
        f"udpsrc address=127.0.0.1 port={args.audio_port} caps=\"{rtp_caps('audio', 'OPUS', args.audio_pt, SAMPLE_RATE)}\""
        f" ! rtpjitterbuffer latency=50 ! rtpopusdepay ! opusdec ! audioconvert ! audioresample"
        f" ! audio/x-raw,format=S16LE,rate={SAMPLE_RATE},channels=1 ! appsink name=tone"
    )
    sink = Sink([int(one) for one in args.tones.split(",")])
    sink.attach(pipeline.get_by_name("picture"), "picture")
    sink.attach(pipeline.get_by_name("tone"), "tone")
    return pipeline


def parse_arguments():
    parser = argparse.ArgumentParser(description="WHIP and WHEP client on GStreamer")
    parser.add_argument("mode", choices=["publish", "watch", "rtp-out", "rtp-in"])
    parser.add_argument("--endpoint", default="")
    parser.add_argument("--token", default="")
    parser.add_argument("--codec", choices=sorted(ENCODERS), default="VP8")
    parser.add_argument("--colour", default="128,128,128")
    parser.add_argument("--tone", type=int, default=500)
    parser.add_argument("--tones", default="500")
    parser.add_argument("--flash-every-ms", type=int, default=0)
    parser.add_argument("--ntp-time-source", choices=["", "ntp", "unix", "running-time", "clock-time"], default="")
    parser.add_argument("--clock-rate", type=float, default=1.0)
    parser.add_argument("--clock-offset-s", type=float, default=0.0)
    for name in ("video-port", "audio-port", "video-ssrc", "audio-ssrc"):
        parser.add_argument("--" + name, type=int, default=0)
    parser.add_argument("--video-pt", type=int, default=VIDEO_PT)
    parser.add_argument("--audio-pt", type=int, default=AUDIO_PT)
    return parser.parse_args()


def main():
    args = parse_arguments()
    Gst.init(None)
    loop = GLib.MainLoop()
    session = None
    if args.mode == "publish":
        pipeline, session = build_publisher(args, loop)
    elif args.mode == "watch":
        pipeline, session = build_viewer(args, loop)
    elif args.mode == "rtp-out":
        pipeline = build_rtp_out(args)
    else:
        pipeline = build_rtp_in(args)
    if args.mode in ("publish", "rtp-out"):
        source = Source(pipeline, args)
    failed = []

    def on_message(_bus, message):
        if message.type == Gst.MessageType.ERROR:
            error, debug = message.parse_error()
            say("error", message=error.message, debug=debug)
            failed.append(error)
            loop.quit()
        elif message.type == Gst.MessageType.WARNING:
            error, debug = message.parse_warning()
            say("warning", message=error.message, debug=debug)

    bus = pipeline.get_bus()
    bus.add_signal_watch()
    bus.connect("message", on_message)

    def commands():
        for line in sys.stdin:
            if line.strip() == "keyframe":
                event = GstVideo.video_event_new_upstream_force_key_unit(Gst.CLOCK_TIME_NONE, True, 0)
                pipeline.get_by_name("videopay").get_static_pad("src").send_event(event)
            elif line.strip() == "stop":
                break
        GLib.idle_add(loop.quit)

    threading.Thread(target=commands, daemon=True).start()
    pipeline.set_state(Gst.State.PLAYING)
    say("started")
    loop.run()
    if session is not None:
        session.leave()
    pipeline.set_state(Gst.State.NULL)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
