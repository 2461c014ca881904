/** From here on something is heard; a quiet room is at about -60 dB. */
const quietDb = -55;
const loudDb = -12;
const looksPerSecond = 15;

/**
 * Tells how loud a microphone is, 0 to 1, about fifteen times a second. Returns the function that ends it. Silent where the browser
 * does not run an AudioContext before a click.
 */
export function watchLevel(track: MediaStreamTrack, listener: (level: number) => void): () => void {
  const context = new AudioContext();
  const source = context.createMediaStreamSource(new MediaStream([track]));
  const analyser = new AnalyserNode(context, { fftSize: 1024 });
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const resume = (): void => {
    if (context.state === "suspended") context.resume().catch(() => undefined);
  };
  document.addEventListener("pointerdown", resume);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    listener(levelOf(samples));
  }, 1000 / looksPerSecond);
  return () => {
    clearInterval(timer);
    document.removeEventListener("pointerdown", resume);
    source.disconnect();
    context.close().catch(() => undefined);
  };
}

/** Loudness of samples from -1 to 1 on a scale that looks even: 0 quiet, 1 loud. */
export function levelOf(samples: ArrayLike<number>): number {
  let energy = 0;
  for (let at = 0; at < samples.length; at += 1) energy += (samples[at] ?? 0) ** 2;
  const db = 10 * Math.log10(energy / Math.max(1, samples.length));
  return Math.min(1, Math.max(0, (db - quietDb) / (loudDb - quietDb)));
}
