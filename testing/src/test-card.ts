/**
 * The picture that test publishers send, and how it is recognised. 320 by 180: a person's colour, a white bar that moves 4 pixels a
 * frame, and at the bottom the frame's number as 16 black and white blocks (12 bits of number, 4 of check). `in-page.js` draws and reads
 * the same card inside browsers.
 */

export const CARD = {
  width: 320,
  height: 180,
  barWidth: 24,
  barStep: 4,
  barTop: 64,
  barBottom: 136,
  codeTop: 152,
  bits: 16,
} as const;

export type Colour = readonly [red: number, green: number, blue: number];

/** Far apart in every colour matrix, and all darker than the white of the bar. */
export const PEOPLE = {
  anna: { colour: [190, 40, 40], toneHz: 500 },
  ben: { colour: [30, 150, 50], toneHz: 800 },
  carla: { colour: [40, 60, 200], toneHz: 1200 },
  dan: { colour: [180, 150, 20], toneHz: 1700 },
  eva: { colour: [160, 40, 170], toneHz: 2300 },
  finn: { colour: [20, 150, 165], toneHz: 3100 },
} as const satisfies Record<string, { readonly colour: Colour; readonly toneHz: number }>;

export type Person = keyof typeof PEOPLE;

/** Encoders, colour matrices and scaling shift a colour by up to some 35; two people are at least 100 apart. */
const COLOUR_TOLERANCE = 60;

/** The person whose colour this is, undefined when it is nobody's. */
export function personOfColour(colour: readonly number[]): Person | undefined {
  for (const [person, { colour: own }] of Object.entries(PEOPLE)) {
    const distance = Math.hypot(...own.map((channel, index) => channel - (colour[index] ?? 0)));
    if (distance < COLOUR_TOLERANCE) return person as Person;
  }
  return undefined;
}

/** The person whose tone this is (within 15 Hz, two and a half bins of the detectors), undefined when it is nobody's or too soft. */
export function personOfTone(tone: { readonly peakHz: number; readonly peakDb: number }): Person | undefined {
  if (tone.peakDb < -60) return undefined;
  for (const [person, { toneHz }] of Object.entries(PEOPLE))
    if (Math.abs(toneHz - tone.peakHz) < 15) return person as Person;
  return undefined;
}

/** The 16 blocks of a frame's number. */
export function codeOf(number: number): number {
  const low = number & 0xfff;
  return (low << 4) | ((low ^ (low >> 4) ^ (low >> 8) ^ 0x5) & 0xf);
}

/** One frame of the card as I420 (BT.601, studio range), `number` counting from 0. */
export function cardAsI420(number: number, colour: Colour): Uint8Array {
  const { width, height } = CARD;
  const frame = new Uint8Array((width * height * 3) / 2);
  const [y, u, v] = toYuv(colour);
  frame.fill(y, 0, width * height);
  frame.fill(u, width * height, (width * height * 5) / 4);
  frame.fill(v, (width * height * 5) / 4);
  const barLeft = (number * CARD.barStep) % width;
  paint(frame, barLeft, CARD.barTop, Math.min(width, barLeft + CARD.barWidth), CARD.barBottom, 235);
  const code = codeOf(number);
  const block = width / CARD.bits;
  for (let bit = 0; bit < CARD.bits; bit += 1) {
    const white = ((code >> (CARD.bits - 1 - bit)) & 1) === 1;
    paint(frame, bit * block, CARD.codeTop, (bit + 1) * block, height, white ? 235 : 16);
  }
  return frame;
}

/** A grey rectangle; edges are even. */
function paint(frame: Uint8Array, left: number, top: number, right: number, bottom: number, luma: number): void {
  const { width, height } = CARD;
  for (let y = top; y < bottom; y += 1) frame.fill(luma, y * width + left, y * width + right);
  for (let y = top / 2; y < bottom / 2; y += 1) {
    for (const plane of [width * height, (width * height * 5) / 4]) {
      frame.fill(128, plane + (y * width) / 2 + left / 2, plane + (y * width) / 2 + right / 2);
    }
  }
}

function toYuv([red, green, blue]: Colour): readonly [number, number, number] {
  return [
    Math.round(16 + 0.257 * red + 0.504 * green + 0.098 * blue),
    Math.round(128 - 0.148 * red - 0.291 * green + 0.439 * blue),
    Math.round(128 + 0.439 * red - 0.368 * green - 0.071 * blue),
  ];
}

/** What is seen in a decoded I420 frame of any size: the mean colour of the upper band and the white bar's middle (in card pixels). */
export function readI420(frame: {
  readonly data: ArrayLike<number>;
  readonly width: number;
  readonly height: number;
}): { readonly colour: Colour; readonly barX: number | undefined } {
  const { data, width, height } = frame;
  const chroma = (width >> 1) * (height >> 1);
  const sums = [0, 0, 0];
  let count = 0;
  const [top, bottom] = [
    Math.floor((8 / CARD.height) * height),
    Math.floor(((CARD.barTop - 12) / CARD.height) * height),
  ];
  for (let y = top; y < bottom; y += 2) {
    for (let x = 8; x < width - 8; x += 4) {
      const half = (y >> 1) * (width >> 1) + (x >> 1);
      const luma = 1.164 * ((data[y * width + x] ?? 0) - 16);
      const u = (data[width * height + half] ?? 0) - 128;
      const v = (data[width * height + chroma + half] ?? 0) - 128;
      [luma + 1.596 * v, luma - 0.392 * u - 0.813 * v, luma + 2.017 * u].forEach((channel, index) => {
        sums[index] = (sums[index] ?? 0) + Math.min(255, Math.max(0, channel));
      });
      count += 1;
    }
  }
  let weight = 0;
  let moment = 0;
  const line = Math.floor((((CARD.barTop + CARD.barBottom) / 2 / CARD.height) * height) & ~1);
  for (let x = 0; x < width; x += 1) {
    if ((data[line * width + x] ?? 0) < 200) continue;
    weight += 1;
    moment += x;
  }
  const mean = (index: number): number => Math.round((sums[index] ?? 0) / Math.max(1, count));
  return {
    colour: [mean(0), mean(1), mean(2)],
    barX: weight === 0 ? undefined : (moment / weight / width) * CARD.width,
  };
}

/** The card as a YUV4MPEG2 file, for Chromium's `--use-file-for-fake-video-capture`; it is played in a loop. */
export function cardAsY4m(colour: Colour, frames: number, framesPerSecond: number): Uint8Array {
  const encoder = new TextEncoder();
  const parts: Uint8Array[] = [
    encoder.encode(`YUV4MPEG2 W${CARD.width} H${CARD.height} F${framesPerSecond}:1 Ip A1:1 C420\n`),
  ];
  for (let number = 0; number < frames; number += 1) parts.push(encoder.encode("FRAME\n"), cardAsI420(number, colour));
  return Buffer.concat(parts);
}

/** A steady tone as 16-bit mono WAV at 48 kHz, for `--use-file-for-fake-audio-capture`; whole periods, so a loop has no click. */
export function toneAsWav(toneHz: number, seconds: number): Uint8Array {
  const samples = 48000 * seconds;
  const wav = Buffer.alloc(44 + samples * 2);
  wav.write("RIFF", 0, "latin1");
  wav.writeUInt32LE(36 + samples * 2, 4);
  wav.write("WAVEfmt ", 8, "latin1");
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(1, 22);
  wav.writeUInt32LE(48000, 24);
  wav.writeUInt32LE(96000, 28);
  wav.writeUInt16LE(2, 32);
  wav.writeUInt16LE(16, 34);
  wav.write("data", 36, "latin1");
  wav.writeUInt32LE(samples * 2, 40);
  for (let at = 0; at < samples; at += 1)
    wav.writeInt16LE(Math.round(8000 * Math.sin((2 * Math.PI * toneHz * at) / 48000)), 44 + at * 2);
  return wav;
}

/**
 * The strongest of the people's tones in a stretch of samples (Goertzel), with its level against the whole, 0 to 1.
 *
 * @param samples mono, any scale
 */
export function goertzelPeople(
  samples: ArrayLike<number>,
  sampleRateHz: number,
): { readonly person: Person; readonly share: number } {
  let energy = 0;
  for (let at = 0; at < samples.length; at += 1) energy += (samples[at] ?? 0) ** 2;
  let best: { person: Person; share: number } = { person: "anna", share: 0 };
  for (const [person, { toneHz }] of Object.entries(PEOPLE)) {
    const coefficient = 2 * Math.cos((2 * Math.PI * toneHz) / sampleRateHz);
    let [before, last] = [0, 0];
    for (let at = 0; at < samples.length; at += 1)
      [before, last] = [last, (samples[at] ?? 0) + coefficient * last - before];
    // A pure tone of N samples has power N/2 times its energy.
    const power = before ** 2 + last ** 2 - coefficient * before * last;
    const share = energy === 0 ? 0 : power / ((samples.length / 2) * energy);
    if (share > best.share) best = { person: person as Person, share };
  }
  return best;
}
