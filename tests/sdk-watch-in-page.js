/**
 * Runs in a page after sdk-in-page.js: looks at every picture that is drawn under a name and listens to every voice, so that a face or
 * a voice under another's name is found however short it was.
 */
"use strict";

globalThis.sdkWatch = (() => {
  /** Encoders change colours; those of the test are farther apart. */
  const sameColour = 45;
  /** Between a sound and its name: the SDK looks 20 times a second, an analyser hears the last 50 ms, and pages run late. */
  const hearingDelayMs = 250;
  const loudDb = -50;

  function nearest(colours, colour) {
    let found;
    let least = sameColour;
    for (const [name, one] of Object.entries(colours)) {
      const distance = Math.hypot(...one.map((channel, index) => channel - colour[index]));
      if (distance < least) [found, least] = [name, distance];
    }
    return found;
  }

  /** From now on every frame of every tile is looked at. `colours`: by the name under the tile. */
  function faces({ name, colours }) {
    const entry = sdkTest.rooms.get(name);
    const record = { seen: {}, wrong: [], hidden: [] };
    entry.faces = record;
    const watch = ({ video, participant }) => {
      const who = participant.name;
      const seen = (record.seen[who] ??= { frames: 0, lastAtMs: 0, longestGapMs: 0 });
      const isHidden = () => video.style.visibility === "hidden";
      new MutationObserver(() => {
        if (isHidden()) record.hidden.push(who);
      }).observe(video, { attributes: true, attributeFilter: ["style"] });
      const look = () => {
        if (isHidden()) return;
        const picture = parleyTest.pictureOf(`#${CSS.escape(video.id)}`);
        const person = picture === null ? undefined : nearest(colours, picture.colour);
        if (person === undefined) return;
        if (person !== who) record.wrong.push(`${person} as ${who}`);
        const nowMs = performance.now();
        if (seen.frames > 0) seen.longestGapMs = Math.max(seen.longestGapMs, nowMs - seen.lastAtMs);
        seen.frames += 1;
        seen.lastAtMs = nowMs;
      };
      let turn = 0;
      let calledAtMs = 0;
      const arm = () => {
        turn += 1;
        const mine = turn;
        video.requestVideoFrameCallback(() => {
          calledAtMs = performance.now();
          if (mine !== turn || entry.faces !== record) return;
          look();
          arm();
        });
      };
      // An element that gets another source forgets its callbacks.
      const timer = setInterval(() => {
        if (!video.isConnected || entry.faces !== record) clearInterval(timer);
        else if (performance.now() - calledAtMs > 150) arm();
      }, 50);
      arm();
    };
    for (const tile of entry.tiles.values()) watch(tile);
    entry.onTile = watch;
  }

  function seenFaces(name) {
    return sdkTest.rooms.get(name).faces;
  }

  /** From now on every voice is listened to, 20 times a second. `tones`: by participant, in Hz. */
  function voices({ name, tones }) {
    const entry = sdkTest.rooms.get(name);
    const record = { heard: {}, wrong: [], now: [], speakers: [] };
    entry.voices = record;
    const audio = parleyTest.audioContext();
    const ears = new Map();
    /** Since when a track brings another's voice than its name says. */
    const wrongSince = new Map();
    const spectrum = new Float32Array(1024);
    const earOf = (track) => {
      let ear = ears.get(track);
      if (ear === undefined) {
        const analyser = new AnalyserNode(audio, { fftSize: 2048, smoothingTimeConstant: 0 });
        audio.createMediaStreamSource(new MediaStream([track])).connect(analyser);
        // Chromium brings sound of a remote track only when an element plays it; the SDK's own does.
        ears.set(track, (ear = analyser));
      }
      return ear;
    };
    const toneOf = (track) => {
      const analyser = earOf(track);
      analyser.getFloatFrequencyData(spectrum);
      const hzPerBin = audio.sampleRate / analyser.fftSize;
      let best;
      for (const [who, hz] of Object.entries(tones)) {
        const at = Math.round(hz / hzPerBin);
        const level = Math.max(spectrum[at - 1], spectrum[at], spectrum[at + 1]);
        if (level > loudDb && (best === undefined || level > best.level)) best = { who, level };
      }
      return best?.who;
    };
    setInterval(() => {
      if (entry.voices !== record) return;
      const nowMs = performance.now();
      const heardNow = [];
      for (const one of entry.room.remoteParticipants.values()) {
        const track = one.getPublication("microphone")?.track;
        if (track === undefined) continue;
        const who = toneOf(track);
        if (who === one.name || who === undefined) wrongSince.delete(track);
        if (who === undefined) continue;
        if (who === one.name) {
          heardNow.push(one.name);
          record.heard[one.name] = (record.heard[one.name] ?? 0) + 1;
          continue;
        }
        const mixUp = `${who} as ${one.name}`;
        if (wrongSince.get(track)?.mixUp !== mixUp) wrongSince.set(track, { mixUp, atMs: nowMs });
        else if (nowMs - wrongSince.get(track).atMs > hearingDelayMs) record.wrong.push(mixUp);
      }
      record.now = heardNow;
      record.speakers = entry.room.activeSpeakers.map((speaker) => speaker.name);
    }, 50);
  }

  function heardVoices(name) {
    return sdkTest.rooms.get(name).voices;
  }

  function setLoudness({ media, gain }) {
    parleyTest.medias.get(media).gain.gain.value = gain;
  }

  return { faces, seenFaces, voices, heardVoices, setLoudness };
})();
