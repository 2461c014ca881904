/**
 * SipHash-2-4 (Aumasson and Bernstein, 2012): a 64-bit MAC for short inputs. Words are kept as pairs of 32-bit halves, which is
 * some ten times faster than BigInt.
 *
 * @param key 16 bytes.
 * @returns the MAC as 8 bytes, little endian, as the reference implementation writes it.
 */
export function sipHash24(key: Uint8Array, message: Uint8Array): Uint8Array {
  if (key.length !== 16) throw new RangeError(`SipHash key of ${key.length} bytes`);
  const keyView = new DataView(key.buffer, key.byteOffset, key.byteLength);
  const k0 = read(keyView, 0);
  const k1 = read(keyView, 8);
  // Section 2.1: "somepseudorandomlygeneratedbytes".
  const state: State = [
    xor(k0, { high: 0x736f6d65, low: 0x70736575 }),
    xor(k1, { high: 0x646f7261, low: 0x6e646f6d }),
    xor(k0, { high: 0x6c796765, low: 0x6e657261 }),
    xor(k1, { high: 0x74656462, low: 0x79746573 }),
  ];

  const padded = pad(message);
  for (let at = 0; at < padded.byteLength; at += 8) {
    const word = read(padded, at);
    state[3] = xor(state[3], word);
    round(state);
    round(state);
    state[0] = xor(state[0], word);
  }
  state[2] = xor(state[2], { high: 0, low: 0xff });
  for (let count = 0; count < 4; count++) round(state);

  const mac = xor(xor(state[0], state[1]), xor(state[2], state[3]));
  const result = new DataView(new ArrayBuffer(8));
  result.setUint32(0, mac.low, true);
  result.setUint32(4, mac.high, true);
  return new Uint8Array(result.buffer);
}

interface Word {
  readonly high: number;
  readonly low: number;
}

type State = [Word, Word, Word, Word];

/** Section 2.2: filled with zeros to a multiple of 8, the last byte is the length modulo 256. */
function pad(message: Uint8Array): DataView {
  const bytes = new Uint8Array((Math.floor(message.length / 8) + 1) * 8);
  bytes.set(message);
  bytes[bytes.length - 1] = message.length & 0xff;
  return new DataView(bytes.buffer);
}

/** Section 2.3, figure 2. */
function round(state: State): void {
  let [v0, v1, v2, v3] = state;
  v0 = add(v0, v1);
  v1 = xor(rotate(v1, 13), v0);
  v0 = rotate(v0, 32);
  v2 = add(v2, v3);
  v3 = xor(rotate(v3, 16), v2);
  v0 = add(v0, v3);
  v3 = xor(rotate(v3, 21), v0);
  v2 = add(v2, v1);
  v1 = xor(rotate(v1, 17), v2);
  v2 = rotate(v2, 32);
  state[0] = v0;
  state[1] = v1;
  state[2] = v2;
  state[3] = v3;
}

function read(view: DataView, at: number): Word {
  return { low: view.getUint32(at, true), high: view.getUint32(at + 4, true) };
}

function xor(a: Word, b: Word): Word {
  return { high: (a.high ^ b.high) >>> 0, low: (a.low ^ b.low) >>> 0 };
}

function add(a: Word, b: Word): Word {
  const low = a.low + b.low;
  return { high: (a.high + b.high + (low > 0xffffffff ? 1 : 0)) >>> 0, low: low >>> 0 };
}

function rotate(word: Word, bits: number): Word {
  if (bits === 32) return { high: word.low, low: word.high };
  return {
    high: ((word.high << bits) | (word.low >>> (32 - bits))) >>> 0,
    low: ((word.low << bits) | (word.high >>> (32 - bits))) >>> 0,
  };
}
