/**
 * Runs inside browsers under test (Chromium and Firefox): makes a publisher's picture and tone, speaks WHIP and WHEP with a bare
 * PeerConnection, and says what is really seen and heard. Injected as a classic script; everything hangs on `parleyTest`.
 *
 * The picture is the test card of test-card.ts: a person's colour, a white bar that moves with every frame, and the frame's number as
 * a row of black and white blocks.
 */
"use strict";

(() => {
  const CARD = {
    width: 320,
    height: 180,
    bits: 16,
    barWidth: 24,
    barStep: 4,
    barTop: 64,
    barBottom: 136,
    codeTop: 152,
  };
  const clients = new Map();
  const medias = new Map();
  let nextId = 1;
  let sharedAudio;

  function audioContext() {
    sharedAudio ??= new AudioContext({ sampleRate: 48000 });
    if (sharedAudio.state !== "running") sharedAudio.resume();
    return sharedAudio;
  }

  /** 12 bits of number and 4 of check, as in test-card.ts. */
  function codeOf(number) {
    const low = number & 0xfff;
    return (low << 4) | ((low ^ (low >> 4) ^ (low >> 8) ^ 0x5) & 0xf);
  }

  function drawCard(context, number, colour, white) {
    context.fillStyle = white ? "#ffffff" : `rgb(${colour.join(",")})`;
    context.fillRect(0, 0, CARD.width, CARD.height);
    context.fillStyle = white ? "#000000" : "#ffffff";
    context.fillRect((number * CARD.barStep) % CARD.width, CARD.barTop, CARD.barWidth, CARD.barBottom - CARD.barTop);
    const code = codeOf(number);
    const block = CARD.width / CARD.bits;
    for (let bit = 0; bit < CARD.bits; bit += 1) {
      context.fillStyle = (code >> (CARD.bits - 1 - bit)) & 1 ? "#ffffff" : "#000000";
      context.fillRect(bit * block, CARD.codeTop, block, CARD.height - CARD.codeTop);
    }
  }

  /**
   * A publisher's media. With `flashEveryMs` the picture turns white, and the tone sounds, for 120 ms at the same instants; otherwise the
   * tone is steady.
   */
  async function makeMedia({ colour, toneHz, fps = 15, flashEveryMs }) {
    const canvas = document.createElement("canvas");
    canvas.width = CARD.width;
    canvas.height = CARD.height;
    const context = canvas.getContext("2d", { alpha: false });
    const media = { canvas, number: 0, flashes: [] };
    if (parleyTest.withoutAudioDevice) return addSteady(media, canvas, context, colour, fps);
    const audio = audioContext();
    const oscillator = new OscillatorNode(audio, { frequency: toneHz });
    const gain = new GainNode(audio, { gain: flashEveryMs === undefined ? 0.25 : 0 });
    const destination = new MediaStreamAudioDestinationNode(audio, { channelCount: 1 });
    oscillator.connect(gain).connect(destination);
    oscillator.start();
    const startedAtMs = performance.now();
    let nextFlashMs = startedAtMs + 500;
    let whiteUntilMs = 0;
    const draw = () => {
      const nowMs = performance.now();
      if (flashEveryMs !== undefined && nowMs >= nextFlashMs) {
        while (nextFlashMs <= nowMs) nextFlashMs += flashEveryMs;
        whiteUntilMs = nowMs + 120;
        gain.gain.setValueAtTime(0.5, audio.currentTime);
        gain.gain.setValueAtTime(0, audio.currentTime + 0.12);
        media.flashes.push(nowMs);
      }
      drawCard(context, media.number, colour, nowMs < whiteUntilMs);
      media.number += 1;
      videoTrack.requestFrame();
    };
    // Frames are captured when they are drawn, not at the next tick of a second timer: picture and sound leave together.
    const videoTrack = canvas.captureStream(0).getVideoTracks()[0];
    draw();
    const timer = setInterval(draw, 1000 / fps);
    media.gain = gain;
    media.stream = new MediaStream([videoTrack, ...destination.stream.getAudioTracks()]);
    media.close = () => {
      clearInterval(timer);
      oscillator.stop();
      for (const track of media.stream.getTracks()) track.stop();
    };
    const id = nextId++;
    medias.set(id, media);
    return id;
  }

  /** The same where no AudioContext runs: the browser's fake microphone, whose tone the launcher has set. */
  async function addSteady(media, canvas, context, colour, fps) {
    const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
    const draw = () => drawCard(context, media.number++, colour, false);
    draw();
    const timer = setInterval(draw, 1000 / fps);
    media.stream = new MediaStream([...canvas.captureStream(fps).getVideoTracks(), ...microphone.getAudioTracks()]);
    media.close = () => {
      clearInterval(timer);
      for (const track of media.stream.getTracks()) track.stop();
    };
    const id = nextId++;
    medias.set(id, media);
    return id;
  }

  function closeMedia(id) {
    medias.get(id)?.close();
    medias.delete(id);
  }

  function preferCodec(transceiver, codec, capabilities) {
    const wanted = capabilities.codecs.filter((one) => one.mimeType.toLowerCase() === `video/${codec.toLowerCase()}`);
    if (wanted.length === 0) throw new Error(`this browser has no ${codec}`);
    const helpers = capabilities.codecs.filter((one) => /\/rtx$/i.test(one.mimeType));
    transceiver.setCodecPreferences([...wanted, ...helpers]);
  }

  /** Leaves only candidates of one transport in a description. */
  function onlyTransport(sdp, transport) {
    const other = transport === "tcp" ? "udp" : "tcp";
    return sdp
      .split("\r\n")
      .filter((line) => !(line.startsWith("a=candidate:") && line.split(" ")[2].toLowerCase() === other))
      .join("\r\n");
  }

  /**
   * WHIP: offers the media of `media` to `endpoint`. Resolves when the answer is applied; a refusal is `{ status, body }` without an id.
   */
  async function publish({ endpoint, token, media, codec, transport, maxBitrateBps = 400000 }) {
    const peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    const { stream } = medias.get(media);
    for (const track of stream.getTracks()) {
      const video = track.kind === "video";
      const transceiver = peer.addTransceiver(track, {
        direction: "sendonly",
        streams: [stream],
        ...(video ? { sendEncodings: [{ maxBitrate: maxBitrateBps }] } : {}),
      });
      if (video && codec !== undefined) preferCodec(transceiver, codec, RTCRtpSender.getCapabilities("video"));
    }
    return offer(peer, { endpoint, token, transport });
  }

  /** WHEP: asks for a stream. */
  async function watch({ endpoint, token, codec, transport }) {
    const peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    const seen = openSink();
    peer.addEventListener("track", ({ track }) => seen.add(track));
    const video = peer.addTransceiver("video", { direction: "recvonly" });
    if (codec !== undefined) preferCodec(video, codec, RTCRtpReceiver.getCapabilities("video"));
    peer.addTransceiver("audio", { direction: "recvonly" });
    return offer(peer, { endpoint, token, transport }, seen);
  }

  async function offer(peer, { endpoint, token, transport }, seen) {
    const startedAtMs = performance.now();
    await peer.setLocalDescription();
    const response = await fetch(endpoint, {
      method: "POST",
      headers: {
        "content-type": "application/sdp",
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: peer.localDescription.sdp,
    });
    const body = await response.text();
    if (response.status !== 201) {
      peer.close();
      seen?.close();
      return { status: response.status, body };
    }
    const resource = new URL(response.headers.get("location"), response.url).toString();
    const etag = response.headers.get("etag") ?? undefined;
    await peer.setRemoteDescription({
      type: "answer",
      sdp: transport === undefined ? body : onlyTransport(body, transport),
    });
    const id = nextId++;
    clients.set(id, { peer, seen, resource, etag, token, startedAtMs });
    return { id, status: 201, resource, etag, link: response.headers.get("link") ?? undefined, answer: body };
  }

  /**
   * The other end of a direct link: answers an offer of a client that publishes to us (`media` absent) or watches us (`media` given),
   * with all candidates, and takes the client's.
   */
  async function answer({ sdp, media }) {
    const peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    const seen = media === undefined ? openSink() : undefined;
    peer.addEventListener("track", ({ track }) => seen?.add(track));
    await peer.setRemoteDescription({ type: "offer", sdp });
    if (media !== undefined) {
      const { stream } = medias.get(media);
      for (const transceiver of peer.getTransceivers()) {
        const track = stream.getTracks().find((one) => one.kind === transceiver.receiver.track.kind);
        if (track === undefined) continue;
        transceiver.direction = "sendonly";
        await transceiver.sender.replaceTrack(track);
        transceiver.sender.setStreams?.(stream);
      }
    }
    await peer.setLocalDescription();
    if (peer.iceGatheringState !== "complete") {
      await new Promise((resolve) => {
        peer.addEventListener("icegatheringstatechange", () => peer.iceGatheringState === "complete" && resolve());
      });
    }
    const id = nextId++;
    clients.set(id, { peer, seen, startedAtMs: performance.now() });
    return { id, answer: peer.localDescription.sdp };
  }

  /** Trickled candidates of the client on the other side of a direct link. */
  async function addCandidates({ id, fragment }) {
    const { peer } = clients.get(id);
    for (const line of fragment.split(/\r?\n/)) {
      if (line.startsWith("a=candidate:")) await peer.addIceCandidate({ candidate: line.slice(2), sdpMLineIndex: 0 });
    }
  }

  /** What is received: a video element for pixels, an analyser for tones. */
  function openSink() {
    const video = document.createElement("video");
    video.muted = true;
    video.playsInline = true;
    video.autoplay = true;
    document.body.append(video);
    const canvas = document.createElement("canvas");
    canvas.width = CARD.width;
    canvas.height = CARD.height;
    const context = canvas.getContext("2d", { willReadFrequently: true, alpha: false });
    const stream = new MediaStream();
    const sink = { video, context, stream, firstFrameAtMs: undefined };
    sink.add = (track) => {
      stream.addTrack(track);
      video.srcObject = stream;
      video.play().catch(() => {});
      if (track.kind !== "audio") return;
      sink.audioTrack = track;
      if (parleyTest.withoutAudioDevice) return;
      const audio = audioContext();
      sink.source = audio.createMediaStreamSource(new MediaStream([track]));
      sink.analyser = new AnalyserNode(audio, { fftSize: 8192, smoothingTimeConstant: 0 });
      sink.source.connect(sink.analyser);
    };
    const first = () => {
      sink.firstFrameAtMs ??= performance.now();
    };
    video.requestVideoFrameCallback?.(first);
    video.addEventListener("loadeddata", first, { once: true });
    sink.close = () => {
      sink.closed = true;
      sink.source?.disconnect();
      video.srcObject = null;
      video.remove();
    };
    return sink;
  }

  function meanColour(pixels, left, top, right, bottom) {
    const sum = [0, 0, 0];
    let count = 0;
    for (let y = top; y < bottom; y += 2) {
      for (let x = left; x < right; x += 2) {
        const at = (y * CARD.width + x) * 4;
        for (let channel = 0; channel < 3; channel += 1) sum[channel] += pixels[at + channel];
        count += 1;
      }
    }
    return sum.map((one) => Math.round(one / count));
  }

  /** Reads the card out of a video element: colour of the upper band, where the white bar is, the frame's number if it can be read. */
  function readCard(video, context) {
    if (video.videoWidth === 0 || video.readyState < 2) return undefined;
    context.drawImage(video, 0, 0, CARD.width, CARD.height);
    const pixels = context.getImageData(0, 0, CARD.width, CARD.height).data;
    let weight = 0;
    let moment = 0;
    for (let x = 0; x < CARD.width; x += 2) {
      for (let y = 4; y < CARD.codeTop - 4; y += 4) {
        const at = (y * CARD.width + x) * 4;
        if (pixels[at] > 190 && pixels[at + 1] > 190 && pixels[at + 2] > 190) {
          weight += 1;
          moment += x;
        }
      }
    }
    let code = 0;
    const block = CARD.width / CARD.bits;
    for (let bit = 0; bit < CARD.bits; bit += 1) {
      const [red, green, blue] = meanColour(
        pixels,
        bit * block + 6,
        CARD.codeTop + 6,
        (bit + 1) * block - 6,
        CARD.height - 6,
      );
      code = (code << 1) | (red + green + blue > 384 ? 1 : 0);
    }
    const number = code >> 4;
    return {
      atMs: performance.now(),
      width: video.videoWidth,
      height: video.videoHeight,
      colour: meanColour(pixels, 8, 8, CARD.width - 8, CARD.barTop - 12),
      barX: weight === 0 ? null : moment / weight,
      number: codeOf(number) === code ? number : null,
      playedMs: video.currentTime * 1000,
    };
  }

  function picture(id) {
    const { seen } = clients.get(id);
    return readCard(seen.video, seen.context) ?? null;
  }

  /** The same for a video element of the page itself. */
  const elementSinks = new Map();
  function pictureOf(selector) {
    const video = document.querySelector(selector);
    if (video === null) return null;
    let sink = elementSinks.get(selector);
    if (sink === undefined) {
      const canvas = document.createElement("canvas");
      canvas.width = CARD.width;
      canvas.height = CARD.height;
      sink = { context: canvas.getContext("2d", { willReadFrequently: true, alpha: false }) };
      elementSinks.set(selector, sink);
    }
    return readCard(video, sink.context) ?? null;
  }

  function strongest(analyser) {
    const bins = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(bins);
    const hzPerBin = analyser.context.sampleRate / analyser.fftSize;
    let best = Math.ceil(100 / hzPerBin);
    for (let bin = best; bin < bins.length; bin += 1) if (bins[bin] > bins[best]) best = bin;
    return { peakHz: best * hzPerBin, peakDb: Number.isFinite(bins[best]) ? bins[best] : -200 };
  }

  /** The strongest frequency that is heard right now. */
  function tone(id) {
    const { seen } = clients.get(id);
    if (parleyTest.withoutAudioDevice && seen.audioTrack !== undefined) return recordedTone(seen.audioTrack);
    return seen.analyser === undefined ? { peakHz: 0, peakDb: -200 } : strongest(seen.analyser);
  }

  /**
   * Half a second of a track, recorded and decoded again: Firefox on a machine without an audio device runs no AudioContext, but it
   * records, and an OfflineAudioContext analyses.
   */
  async function recordedTone(track) {
    const recorder = new MediaRecorder(new MediaStream([track]));
    const parts = [];
    recorder.addEventListener("dataavailable", ({ data }) => parts.push(data));
    const stopped = new Promise((resolve) => recorder.addEventListener("stop", resolve));
    recorder.start();
    setTimeout(() => recorder.stop(), 500);
    await stopped;
    const offline = new OfflineAudioContext(1, 8192, 48000);
    let decoded;
    try {
      decoded = await offline.decodeAudioData(await new Blob(parts).arrayBuffer());
    } catch {
      return { peakHz: 0, peakDb: -200 };
    }
    if (decoded.length < 12000) return { peakHz: 0, peakDb: -200 };
    const source = new AudioBufferSourceNode(offline, { buffer: decoded });
    const analyser = new AnalyserNode(offline, { fftSize: 8192, smoothingTimeConstant: 0 });
    source.connect(analyser).connect(offline.destination);
    // The end of the recording: its beginning may be silence from before the first packet.
    source.start(0, decoded.duration - 8192 / 48000);
    await offline.startRendering();
    return strongest(analyser);
  }

  function toneOf(selector) {
    const video = document.querySelector(selector);
    const stream = video?.srcObject;
    if (!stream || stream.getAudioTracks().length === 0) return { peakHz: 0, peakDb: -200 };
    const sink = elementSinks.get(`tone ${selector}`);
    if (sink?.stream !== stream) {
      sink?.source.disconnect();
      const audio = audioContext();
      const source = audio.createMediaStreamSource(stream);
      const analyser = new AnalyserNode(audio, { fftSize: 8192, smoothingTimeConstant: 0 });
      source.connect(analyser);
      elementSinks.set(`tone ${selector}`, { stream, source, analyser });
      return { peakHz: 0, peakDb: -200 };
    }
    return strongest(sink.analyser);
  }

  function state(id) {
    const { peer, seen, startedAtMs } = clients.get(id);
    return {
      connection: peer.connectionState,
      ice: peer.iceConnectionState,
      firstFrameMs: seen?.firstFrameAtMs === undefined ? null : seen.firstFrameAtMs - startedAtMs,
    };
  }

  async function stats(id) {
    const report = await clients.get(id).peer.getStats();
    return [...report.values()].map((entry) => ({ ...entry }));
  }

  /** ICE restart by PATCH (RFC 9725, 4.3.2). */
  async function restartIce(id) {
    const client = clients.get(id);
    const { peer, resource, token } = client;
    peer.restartIce();
    await peer.setLocalDescription();
    const local = peer.localDescription.sdp;
    const lines = (name) => [
      ...new Set([...local.matchAll(new RegExp(`^a=${name}:.*$`, "gm"))].map((match) => match[0].trim())),
    ];
    const fragment = [...lines("ice-ufrag"), ...lines("ice-pwd"), "m=audio 9 UDP/TLS/RTP/SAVPF 0", "a=mid:0", ""].join(
      "\r\n",
    );
    const response = await fetch(resource, {
      method: "PATCH",
      headers: {
        "content-type": "application/trickle-ice-sdpfrag",
        "if-match": "*",
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: fragment,
    });
    const body = await response.text();
    if (response.status !== 200) return { status: response.status, body };
    const pick = (name) => new RegExp(`^a=${name}:(.*)$`, "m").exec(body)?.[1].trim();
    const candidates = [...body.matchAll(/^a=candidate:.*$/gm)].map((match) => match[0].trim());
    const sdp = peer.currentRemoteDescription.sdp
      .replaceAll(/^a=ice-ufrag:.*$/gm, `a=ice-ufrag:${pick("ice-ufrag")}`)
      .replaceAll(/^a=ice-pwd:.*$/gm, `a=ice-pwd:${pick("ice-pwd")}`);
    await peer.setRemoteDescription({ type: "answer", sdp });
    for (const candidate of candidates) await peer.addIceCandidate({ candidate: candidate.slice(2), sdpMLineIndex: 0 });
    client.etag = response.headers.get("etag") ?? undefined;
    return { status: 200, body, etag: client.etag };
  }

  /** Sends a trickle PATCH with the given fragment and says the status. */
  async function patch({ id, fragment, ifMatch }) {
    const { resource, token } = clients.get(id);
    const response = await fetch(resource, {
      method: "PATCH",
      headers: {
        "content-type": "application/trickle-ice-sdpfrag",
        ...(ifMatch === undefined ? {} : { "if-match": ifMatch }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: fragment,
    });
    return { status: response.status, body: await response.text() };
  }

  /** Ends a client; `quietly` without telling the server, as a browser that was killed. Resolves with the DELETE's status. */
  async function stop({ id, quietly = false }) {
    const client = clients.get(id);
    if (client === undefined) return 0;
    let status = 0;
    if (!quietly && client.resource !== undefined) {
      const response = await fetch(client.resource, {
        method: "DELETE",
        headers: client.token === undefined ? {} : { authorization: `Bearer ${client.token}` },
      });
      status = response.status;
    }
    client.peer.close();
    client.seen?.close();
    clients.delete(id);
    return status;
  }

  globalThis.parleyTest = {
    makeMedia,
    closeMedia,
    publish,
    watch,
    answer,
    addCandidates,
    picture,
    pictureOf,
    tone,
    toneOf,
    state,
    stats,
    restartIce,
    patch,
    stop,
    clients,
    medias,
    audioContext,
  };
})();
