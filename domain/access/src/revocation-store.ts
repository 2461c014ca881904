import type { KeptRevocation } from "./revocation-list.ts";

/** Where revocations outlive the process. */
export interface RevocationStore {
  /** What was appended and still matters. Rejects when it cannot be read: to start without would let in who was shut out. */
  load(nowUnixMs: number): Promise<readonly KeptRevocation[]>;
  /** Resolves once it would survive a loss of power; rejects when it would not. */
  append(kept: KeptRevocation): Promise<void>;
  close(): Promise<void>;
}

/** Keeps nothing: with the process, its revocations are gone. */
export const forgetfulRevocations: RevocationStore = {
  load: () => Promise.resolve([]),
  append: () => Promise.resolve(),
  close: () => Promise.resolve(),
};
