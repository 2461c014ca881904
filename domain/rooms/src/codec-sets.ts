import type { CodecParameters } from "@parley/protocol";

/** Codecs with what tells them apart as text: equal keys can show the same, whatever payload types a client has for them. */
export interface CodecSet {
  readonly key: string;
  readonly codecs: readonly CodecParameters[];
}

export function makeCodecSet(codecs: readonly CodecParameters[]): CodecSet {
  const key = codecs
    .map(({ codec, clockRateHz, channels, fmtp }) => `${codec}/${clockRateHz}/${channels}/${fmtp}`)
    .join(" ");
  return { key, codecs };
}

/** Browsers of one kind offer the same, so a room has some dozens of pairs; a hostile one is forgotten with the rest. */
const maxPairs = 4_096;

/** Which codecs can be sent as which: comparing parameters is slow, and a thousand viewers have the same ones. */
export class Forwardable {
  readonly #pairs = new Map<string, boolean>();

  has(from: CodecSet, to: CodecSet, ask: () => boolean): boolean {
    const pair = `${from.key}>${to.key}`;
    let answer = this.#pairs.get(pair);
    if (answer === undefined) {
      if (this.#pairs.size >= maxPairs) this.#pairs.clear();
      answer = ask();
      this.#pairs.set(pair, answer);
    }
    return answer;
  }
}
