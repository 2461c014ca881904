import type { Random } from "@parley/foundation";

/** Randomness of a browser or of Node (Web Crypto). */
export const platformRandom: Random = {
  bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
  uint32: () => crypto.getRandomValues(new Uint32Array(1))[0] ?? 0,
};
