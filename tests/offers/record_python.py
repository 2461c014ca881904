#!/usr/bin/python3
"""Records offers of GStreamer's webrtcbin and of aiortc: `python3 tests/offers/record_python.py`. See the fixtures' README.md."""

import asyncio
import pathlib

import aiortc
import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstWebRTC  # noqa: E402

FIXTURES = pathlib.Path(__file__).resolve().parent / "../../domain/media-control/fixtures"

PUBLISH = """
webrtcbin name=peer bundle-policy=max-bundle
videotestsrc is-live=true ! videoconvert ! vp8enc deadline=1 ! rtpvp8pay picture-id-mode=15-bit
  ! application/x-rtp,media=video,encoding-name=VP8,payload=96,clock-rate=90000 ! peer.
audiotestsrc is-live=true ! audioconvert ! audioresample ! opusenc ! rtpopuspay
  ! application/x-rtp,media=audio,encoding-name=OPUS,payload=97,clock-rate=48000 ! peer.
"""
PUBLISH_H264 = """
webrtcbin name=peer bundle-policy=max-bundle
videotestsrc is-live=true ! videoconvert ! x264enc tune=zerolatency ! video/x-h264,profile=constrained-baseline
  ! rtph264pay config-interval=-1 aggregate-mode=zero-latency
  ! application/x-rtp,media=video,encoding-name=H264,payload=96,clock-rate=90000 ! peer.
"""
PUBLISH_H265 = """
webrtcbin name=peer bundle-policy=max-bundle
videotestsrc is-live=true ! videoconvert ! x265enc tune=zerolatency speed-preset=ultrafast ! video/x-h265
  ! rtph265pay config-interval=-1 aggregate-mode=zero-latency
  ! application/x-rtp,media=video,encoding-name=H265,payload=96,clock-rate=90000 ! peer.
"""
WATCH_H265_CAPS = [
    "application/x-rtp,media=video,encoding-name=H265,payload=96,clock-rate=90000,rtcp-fb-nack=(boolean)true,"
    "rtcp-fb-nack-pli=(boolean)true",
]
WATCH_CAPS = [
    "application/x-rtp,media=audio,encoding-name=OPUS,payload=111,clock-rate=48000,encoding-params=(string)2",
    "application/x-rtp,media=video,encoding-name=VP8,payload=96,clock-rate=90000,rtcp-fb-nack=(boolean)true,"
    "rtcp-fb-nack-pli=(boolean)true",
]


def record_gstreamer(name, description, receive_caps):
    loop = GLib.MainLoop()
    pipeline = Gst.parse_launch(description)
    peer = pipeline.get_by_name("peer")
    for index in range(32):
        transceiver = peer.emit("get-transceiver", index)
        if transceiver is None:
            break
        transceiver.set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
        transceiver.set_property("do-nack", True)
    for caps in receive_caps:
        direction = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
        peer.emit("add-transceiver", direction, Gst.Caps.from_string(caps))

    def gathered(*_):
        if peer.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            text = peer.get_property("local-description").sdp.as_text()
            (FIXTURES / f"{name}.sdp").write_text(text, newline="")
            loop.quit()

    def offered(promise, *_):
        # The reply owns the description: it must outlive its use.
        reply = promise.get_reply()
        peer.emit("set-local-description", reply.get_value("offer"), Gst.Promise.new())

    peer.connect("notify::ice-gathering-state", gathered)
    if receive_caps:
        GLib.idle_add(lambda: peer.emit("create-offer", None, Gst.Promise.new_with_change_func(offered, None)) and False)
    else:
        peer.connect(
            "on-negotiation-needed",
            lambda _: peer.emit("create-offer", None, Gst.Promise.new_with_change_func(offered, None)),
        )
    GLib.timeout_add_seconds(15, loop.quit)
    pipeline.set_state(Gst.State.PLAYING)
    loop.run()
    pipeline.set_state(Gst.State.NULL)


async def record_aiortc(name, direction):
    peer = aiortc.RTCPeerConnection()
    for kind in ("audio", "video"):
        peer.addTransceiver(kind, direction=direction)
    await peer.setLocalDescription(await peer.createOffer())
    (FIXTURES / f"{name}.sdp").write_text(peer.localDescription.sdp, newline="")
    await peer.close()


Gst.init(None)
record_gstreamer("gstreamer-publish", PUBLISH, [])
record_gstreamer("gstreamer-publish-h264", PUBLISH_H264, [])
record_gstreamer("gstreamer-publish-h265", PUBLISH_H265, [])
record_gstreamer("gstreamer-watch-h265", "webrtcbin name=peer bundle-policy=max-bundle videotestsrc is-live=true ! fakesink", WATCH_H265_CAPS)
record_gstreamer("gstreamer-watch", "webrtcbin name=peer bundle-policy=max-bundle videotestsrc is-live=true ! fakesink", WATCH_CAPS)
asyncio.run(record_aiortc("aiortc-publish", "sendrecv"))
asyncio.run(record_aiortc("aiortc-watch", "recvonly"))
