import { isName, linkHasToken, obtainToken } from "./access.js";
import { Failure } from "./failures.js";
import { MediaSession } from "./session.js";
import { describeStatistics } from "./statistics.js";

const STATE_TEXTS = {
  stopped: ["Stopped", "You left the stream."],
  connecting: ["Connecting", "Connecting…"],
  waiting: ["Waiting", "Nobody is publishing this stream right now. It starts here by itself."],
  live: ["Live", ""],
  reconnecting: ["Reconnecting", "Reconnecting…"],
  "server-away": ["Server away", "The server is away. The picture comes back by itself when it is there again."],
  failed: ["Failed", ""],
};
/** Sound is off until the user asks for it, in browsers that want a click first. */
let soundWanted = true;

const element = (id) => document.getElementById(id);
const picture = element("picture");

/** @type {MediaSession | undefined} */
let session;

start();

function start() {
  const query = new URLSearchParams(location.search);
  const room = query.get("room") ?? "";
  const stream = query.get("stream") ?? "";
  if (linkHasToken()) for (const link of document.querySelectorAll("nav a")) link.hash = location.hash;
  element("form").addEventListener("submit", (event) => {
    event.preventDefault();
    choose();
  });
  element("again").addEventListener("click", () => location.reload());
  element("leave").addEventListener("click", () => {
    if (session?.state.name === "stopped") watch(room, stream);
    else session?.stop();
  });
  element("full").addEventListener("click", () => picture.requestFullscreen?.());
  element("sound").addEventListener("click", () => turnOnSound());
  addEventListener("pagehide", () => session?.stop());
  if (typeof RTCPeerConnection === "undefined") return showFailure(new Failure("no-webrtc"));
  if (room === "" && stream === "") {
    element("choose").hidden = false;
    return undefined;
  }
  if (!isName(room) || !isName(stream)) {
    element("choose").hidden = false;
    return showFailure(new Failure("bad-name"));
  }
  return watch(room, stream);
}

function choose() {
  const room = element("room").value.trim();
  const stream = element("stream").value.trim();
  for (const id of ["room", "stream"])
    element(id).setAttribute("aria-invalid", String(!isName(element(id).value.trim())));
  if (!isName(room) || !isName(stream)) return showFailure(new Failure("bad-name"));
  const url = new URL(location.href);
  url.searchParams.set("room", room);
  url.searchParams.set("stream", stream);
  location.assign(url);
  return undefined;
}

function watch(room, stream) {
  element("stage").hidden = false;
  element("title").textContent = `${room} / ${stream}`;
  document.title = `${stream} · Parley`;
  session = new MediaSession({
    kind: "watch",
    endpoint: `/v1/whep/${encodeURIComponent(room)}/${encodeURIComponent(stream)}`,
    getToken: () => obtainToken(room, false),
    preparePeer: (peer) => prepare(peer),
  });
  session.addEventListener("state", ({ detail }) => showState(detail));
  session.addEventListener("statistics", ({ detail }) => {
    for (const [name, text] of Object.entries(describeStatistics(detail))) element(`figure-${name}`).textContent = text;
  });
  return session.run();
}

/** @param {RTCPeerConnection} peer */
function prepare(peer) {
  const incoming = new MediaStream();
  peer.addEventListener("track", ({ track }) => {
    incoming.addTrack(track);
    // The last picture of the session before stays until the first of this one is there.
    track.addEventListener("unmute", () => show(incoming), { once: true });
  });
  peer.addTransceiver("video", { direction: "recvonly" });
  peer.addTransceiver("audio", { direction: "recvonly" });
}

async function show(incoming) {
  if (picture.srcObject === incoming) return;
  picture.srcObject = incoming;
  picture.muted = !soundWanted;
  try {
    await picture.play();
  } catch (error) {
    // Browsers refuse sound before the first click; a picture without sound they allow.
    if (!(error instanceof DOMException) || error.name !== "NotAllowedError") return;
    picture.muted = true;
    element("sound").hidden = false;
    await picture.play().catch(() => {
      // Not even muted: the user presses "Turn on sound", which plays too.
    });
  }
}

function turnOnSound() {
  soundWanted = true;
  picture.muted = false;
  element("sound").hidden = true;
  picture.play().catch(() => {
    element("sound").hidden = false;
  });
}

/** @param {import("./session.js").SessionState} state */
function showState(state) {
  const [label, text] = STATE_TEXTS[state.name];
  element("state").dataset.state = state.name;
  element("state").textContent = label;
  element("placeholder").hidden = state.name === "live" || state.name === "failed";
  element("placeholder-text").textContent = text;
  element("spinner").hidden = state.name === "stopped";
  element("leave").textContent = state.name === "stopped" ? "Watch again" : "Leave";
  if (state.name === "failed") {
    element("stage").hidden = true;
    showFailure(state.failure);
  }
  if (state.name === "stopped") picture.srcObject = null;
}

/** @param {Failure} failure */
function showFailure(failure) {
  element("notice").hidden = false;
  element("notice-title").textContent = failure.title;
  element("notice-advice").textContent = failure.advice;
  element("notice-detail").textContent = failure.detail;
  element("again").hidden = failure.kind === "no-webrtc" || failure.kind === "bad-name";
}
