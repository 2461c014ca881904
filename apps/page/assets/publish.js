import { isName, linkHasToken, obtainToken, watchLink } from "./access.js";
import { Failure, failureOfCapture } from "./failures.js";
import { MediaSession } from "./session.js";
import { describeStatistics } from "./statistics.js";

/** Ceiling of the encoder by height: what a face in motion needs, rounded up; more is only heat. */
const MAX_BITRATE_BPS = { 180: 300_000, 360: 800_000, 720: 2_000_000, 1080: 4_000_000 };
const STATE_TEXTS = {
  stopped: "Off air",
  connecting: "Connecting",
  live: "Live",
  waiting: "Connecting",
  reconnecting: "Reconnecting",
  "server-away": "Server away, trying again",
  failed: "Failed",
};

const element = (id) => document.getElementById(id);
const form = element("form");
const preview = element("preview");

/** @type {MediaStream | undefined} */
let capture;
/** @type {MediaSession | undefined} */
let session;

start();

function start() {
  const query = new URLSearchParams(location.search);
  for (const id of ["room", "stream"]) {
    const named = query.get(id);
    if (named !== null && isName(named)) element(id).value = named;
  }
  if (linkHasToken()) for (const link of document.querySelectorAll("nav a")) link.hash = location.hash;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    goLive();
  });
  element("end").addEventListener("click", () => end());
  element("mute").addEventListener("click", () => toggle("audio", element("mute"), "Mute", "Unmute"));
  element("blank").addEventListener("click", () => toggle("video", element("blank"), "Pause video", "Resume video"));
  element("copy").addEventListener("click", () => copyLink());
  for (const radio of form.elements.source) radio.addEventListener("change", () => showSource());
  addEventListener("pagehide", () => session?.stop());
  if (typeof RTCPeerConnection === "undefined") return refuse(new Failure("no-webrtc"));
  if (!isSecureContext || navigator.mediaDevices === undefined) return refuse(new Failure("insecure-context"));
  if (navigator.mediaDevices.getDisplayMedia === undefined) form.elements.source[1].disabled = true;
  listCodecs();
  listDevices();
  navigator.mediaDevices.addEventListener("devicechange", () => listDevices());
}

/** Nothing can be published from here; the reason stays on the page. */
function refuse(failure) {
  showFailure(failure);
  for (const control of form.elements) control.disabled = true;
}

async function goLive() {
  if (session !== undefined) return;
  showFailure(undefined);
  const room = element("room").value.trim();
  const stream = element("stream").value.trim();
  for (const id of ["room", "stream"])
    element(id).setAttribute("aria-invalid", String(!isName(element(id).value.trim())));
  if (!isName(room) || !isName(stream)) return showFailure(new Failure("bad-name"));
  element("go").disabled = true;
  const source = form.elements.source.value;
  try {
    capture = await openSource(source);
  } catch (error) {
    showFailure(failureOfCapture(error, source));
    element("go").disabled = false;
    return;
  }
  listDevices();
  preview.srcObject = capture;
  element("placeholder").hidden = true;
  for (const track of capture.getVideoTracks()) {
    track.addEventListener("ended", () => {
      end();
      showFailure(new Failure("device-lost"));
    });
  }
  publish(room, stream, capture);
}

function publish(room, stream, tracks) {
  const endpoint = `/v1/whip/${encodeURIComponent(room)}?stream=${encodeURIComponent(stream)}`;
  session = new MediaSession({
    kind: "publish",
    endpoint,
    getToken: () => obtainToken(room, true),
    preparePeer: (peer) => addTracks(peer, tracks),
  });
  session.addEventListener("state", ({ detail }) => showState(detail));
  session.addEventListener("statistics", ({ detail }) => showStatistics(detail));
  showRunning(true);
  element("link").value = watchLink(room, stream);
  element("share").hidden = false;
  session.run();
}

/** @param {"camera" | "screen"} source */
async function openSource(source) {
  const height = Number(element("resolution").value);
  const size = { width: { ideal: Math.round((height * 16) / 9) }, height: { ideal: height } };
  const microphone = element("microphone").value;
  const audio = microphone === "none" ? false : { ...(microphone === "" ? {} : { deviceId: { exact: microphone } }) };
  if (source === "screen") {
    const screen = await navigator.mediaDevices.getDisplayMedia({
      video: { ...size, frameRate: { ideal: 15 } },
      audio: true,
    });
    screen.getVideoTracks()[0].contentHint = "detail";
    if (screen.getAudioTracks().length > 0 || audio === false) return screen;
    try {
      const voice = await navigator.mediaDevices.getUserMedia({ audio });
      for (const track of voice.getAudioTracks()) screen.addTrack(track);
    } catch {
      // A screen without a voice is still worth showing.
    }
    return screen;
  }
  const camera = element("camera").value;
  const video = { ...size, frameRate: { ideal: 30 }, ...(camera === "" ? {} : { deviceId: { exact: camera } }) };
  return navigator.mediaDevices.getUserMedia({ video, audio });
}

/**
 * @param {RTCPeerConnection} peer
 * @param {MediaStream} tracks
 */
function addTracks(peer, tracks) {
  const maxBitrate = MAX_BITRATE_BPS[element("resolution").value];
  for (const track of tracks.getTracks()) {
    const transceiver = peer.addTransceiver(track, {
      direction: "sendonly",
      streams: [tracks],
      ...(track.kind === "video" ? { sendEncodings: [{ maxBitrate }] } : {}),
    });
    const wanted = element("codec").value;
    if (track.kind === "video" && wanted !== "") {
      const codecs = RTCRtpSender.getCapabilities("video").codecs;
      const first = codecs.filter((codec) => codec.mimeType.toLowerCase() === wanted.toLowerCase());
      transceiver.setCodecPreferences([...first, ...codecs.filter((codec) => !first.includes(codec))]);
    }
  }
}

function end() {
  session?.stop();
  session = undefined;
  for (const track of capture?.getTracks() ?? []) track.stop();
  capture = undefined;
  preview.srcObject = null;
  element("placeholder").hidden = false;
  element("share").hidden = true;
  element("copied").textContent = "";
  showRunning(false);
  badge("stopped");
}

/** @param {import("./session.js").SessionState} state */
function showState(state) {
  if (session === undefined) return;
  if (state.name === "failed") {
    end();
    badge("failed");
    showFailure(state.failure);
    return;
  }
  badge(state.name);
}

function badge(name) {
  element("state").dataset.state = name;
  element("state").textContent = STATE_TEXTS[name];
}

function showStatistics(statistics) {
  for (const [name, text] of Object.entries(describeStatistics(statistics)))
    element(`figure-${name}`).textContent = text;
}

function showRunning(running) {
  element("go").hidden = running;
  element("go").disabled = false;
  element("end").hidden = !running;
  element("figures").hidden = !running;
  for (const [id, kind, off] of [
    ["mute", "audio", "Mute"],
    ["blank", "video", "Pause video"],
  ]) {
    const has = running && (capture?.getTracks().some((track) => track.kind === kind) ?? false);
    element(id).hidden = !has;
    element(id).setAttribute("aria-pressed", "false");
    element(id).textContent = off;
  }
  for (const control of form.elements) if (control.tagName !== "BUTTON") control.disabled = running;
}

function toggle(kind, button, off, on) {
  const tracks = capture?.getTracks().filter((track) => track.kind === kind) ?? [];
  const silenced = button.getAttribute("aria-pressed") !== "true";
  for (const track of tracks) track.enabled = !silenced;
  button.setAttribute("aria-pressed", String(silenced));
  button.textContent = silenced ? on : off;
}

async function copyLink() {
  const field = element("link");
  try {
    await navigator.clipboard.writeText(field.value);
    element("copied").textContent = "Copied. Send it to your viewers.";
  } catch {
    // No clipboard (permission): selecting it is the next best.
    field.select();
    element("copied").textContent = "Selected: copy it with your keyboard.";
  }
}

function showSource() {
  element("camera-field").hidden = form.elements.source.value === "screen";
}

/** Names of devices are only told after permission was given once; before that there are the defaults. */
async function listDevices() {
  let devices;
  try {
    devices = await navigator.mediaDevices.enumerateDevices();
  } catch {
    return;
  }
  fill("camera", "videoinput", "Default camera", "Camera", devices);
  fill("microphone", "audioinput", "Default microphone", "Microphone", devices);
}

function fill(id, kind, first, noun, devices) {
  const select = element(id);
  const chosen = select.value;
  const known = devices.filter(
    (device) => device.kind === kind && device.deviceId !== "" && device.deviceId !== "default",
  );
  const options = [new Option(first, "")];
  for (const [index, device] of known.entries()) {
    options.push(new Option(device.label === "" ? `${noun} ${index + 1}` : device.label, device.deviceId));
  }
  if (kind === "audioinput") options.push(new Option("No microphone", "none"));
  select.replaceChildren(...options);
  if (options.some((option) => option.value === chosen)) select.value = chosen;
}

function listCodecs() {
  const seen = new Set();
  for (const codec of RTCRtpSender.getCapabilities("video")?.codecs ?? []) {
    const name = codec.mimeType.split("/")[1];
    if (seen.has(name) || ["rtx", "red", "ulpfec", "flexfec-03"].includes(name.toLowerCase())) continue;
    seen.add(name);
    element("codec").append(new Option(name, codec.mimeType));
  }
}

/** @param {Failure | undefined} failure */
function showFailure(failure) {
  element("notice").hidden = failure === undefined;
  element("notice-title").textContent = failure?.title ?? "";
  element("notice-advice").textContent = failure?.advice ?? "";
  element("notice-detail").textContent = failure?.detail ?? "";
}
