/** Randomness as an input: cryptographic in production, seeded in tests. */
export interface Random {
  /** `length` fresh random bytes, owned by the caller. */
  bytes(length: number): Uint8Array;
  /** A uniform integer from 0 to 2^32 - 1. */
  uint32(): number;
}
