/**
 * Lip sync, measured in a browser page where it is seen and heard: when a white picture is shown and when a tone begins. Injected after
 * in-page.js.
 */
"use strict";

(() => {
  /** A beep begins where the sound rises out of at least this much silence. */
  const SILENCE_MS = 200;

  const WORKLET = `
    registerProcessor("onset", class extends AudioWorkletProcessor {
      constructor() { super(); this.silentSince = 0; this.lastLoud = -Infinity; }
      process([input]) {
        const samples = input[0];
        if (samples === undefined) return true;
        for (let at = 0; at < samples.length; at += 1) {
          if (Math.abs(samples[at]) < 0.04) continue;
          const frame = currentFrame + at;
          if (frame - this.lastLoud > ${SILENCE_MS / 1000} * sampleRate) this.port.postMessage(frame / sampleRate);
          this.lastLoud = frame;
        }
        return true;
      }
    });
  `;
  let worklet;

  /** Starts to note flashes and beeps of what a client receives. */
  async function startLips(id) {
    const { seen } = parleyTest.clients.get(id);
    const audio = parleyTest.audioContext();
    worklet ??= audio.audioWorklet.addModule(URL.createObjectURL(new Blob([WORKLET], { type: "text/javascript" })));
    await worklet;
    const lips = { flashes: [], beeps: [], frames: 0 };
    seen.lips = lips;
    const node = new AudioWorkletNode(audio, "onset", { numberOfOutputs: 0 });
    node.port.addEventListener("message", ({ data }) => {
      // When the sample leaves for the loudspeaker, on the page's clock.
      const { contextTime, performanceTime } = audio.getOutputTimestamp();
      lips.beeps.push(performanceTime + (data - contextTime) * 1000);
    });
    node.port.start();
    seen.source.connect(node);
    const canvas = document.createElement("canvas");
    canvas.width = 16;
    canvas.height = 4;
    const context = canvas.getContext("2d", { willReadFrequently: true, alpha: false });
    let white = true;
    const look = (_now, metadata) => {
      lips.frames += 1;
      // The upper third of the card: all of it is the person's colour, or white.
      context.drawImage(seen.video, 0, 0, seen.video.videoWidth, seen.video.videoHeight / 3, 0, 0, 16, 4);
      const pixels = context.getImageData(2, 0, 12, 2).data;
      let darkest = 255;
      for (let at = 0; at < pixels.length; at += 4)
        darkest = Math.min(darkest, pixels[at], pixels[at + 1], pixels[at + 2]);
      const nowWhite = darkest > 170;
      if (nowWhite && !white) lips.flashes.push(metadata.expectedDisplayTime);
      white = nowWhite;
      if (!seen.closed) seen.video.requestVideoFrameCallback(look);
    };
    seen.video.requestVideoFrameCallback(look);
    return true;
  }

  function readLips(id) {
    const { flashes, beeps, frames } = parleyTest.clients.get(id).seen.lips;
    return { flashes, beeps, frames };
  }

  parleyTest.startLips = startLips;
  parleyTest.readLips = readLips;
})();
