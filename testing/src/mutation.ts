import type { SeededRandom } from "./seeded-random.ts";

/**
 * One mutant of `input`: up to a handful of changes of the kinds that break parsers (flipped bits, extreme values, cuts, repeats, swaps,
 * inserted noise). Never changes `input`.
 */
export function mutateBytes(input: Uint8Array, random: SeededRandom): Uint8Array {
  let bytes: Uint8Array = input.slice();
  for (let change = 1 + random.below(4); change > 0; change -= 1) bytes = changeOnce(bytes, random);
  return bytes;
}

/** As {@link mutateBytes} for text; the result may hold lone surrogates and control characters. */
export function mutateText(input: string, random: SeededRandom, words: readonly string[] = []): string {
  let text = input;
  for (let change = 1 + random.below(4); change > 0; change -= 1) {
    const at = random.below(text.length + 1);
    const end = Math.min(text.length, at + random.below(40));
    switch (random.below(words.length > 0 ? 6 : 5)) {
      case 0:
        text = text.slice(0, at) + text.slice(end);
        break;
      case 1:
        text = text.slice(0, end) + text.slice(at, end) + text.slice(end);
        break;
      case 2:
        text = text.slice(0, at) + String.fromCharCode(random.below(0x10000)) + text.slice(at);
        break;
      case 3:
        text = text.slice(0, at) + String.fromCharCode(random.below(0x80)) + text.slice(at + 1);
        break;
      case 4:
        text = text.slice(0, at);
        break;
      default:
        text = text.slice(0, at) + random.pick(words) + text.slice(random.chance(0.5) ? at : end);
    }
  }
  return text;
}

const extremes = [0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff];

function changeOnce(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const at = random.below(bytes.length + 1);
  const end = Math.min(bytes.length, at + random.below(16));
  switch (random.below(6)) {
    case 0:
      if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
      return bytes;
    case 1:
      if (at < bytes.length) bytes[at] = random.pick(extremes);
      return bytes;
    case 2:
      return join(bytes.subarray(0, at), bytes.subarray(end));
    case 3:
      return join(bytes.subarray(0, end), bytes.subarray(at));
    case 4:
      return join(bytes.subarray(0, at), random.bytes(1 + random.below(8)), bytes.subarray(at));
    default:
      return bytes.slice(0, at);
  }
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    result.set(part, offset);
    offset += part.length;
  }
  return result;
}
