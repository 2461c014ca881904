import { Buffer } from "node:buffer";
import { timingSafeEqual } from "node:crypto";
import type { Random } from "@parley/foundation";
import type { IceCredentials } from "../negotiation/negotiation.ts";
import { sipHash24 } from "./siphash.ts";

/** Bytes of the site's key for ufrags. */
export const UFRAG_KEY_BYTES = 16;

const NONCE_BYTES = 9;
const NONCE_LENGTH = 12;
const UFRAG_LENGTH = 23;
const PASSWORD_BYTES = 24;

/** Mints credentials whose ufrag carries a MAC (docs/specs/ice-ufrag.md). */
export function mintIceCredentials(key: Uint8Array, random: Random): IceCredentials {
  const nonce = Buffer.from(random.bytes(NONCE_BYTES)).toString("base64");
  return {
    ufrag: nonce + macOf(nonce, key),
    password: Buffer.from(random.bytes(PASSWORD_BYTES)).toString("base64"),
  };
}

/** Whether the ufrag was minted with `key`. The data plane checks the same; this is for tests and for what comes by other ways. */
export function isGenuineUfrag(ufrag: string, key: Uint8Array): boolean {
  if (ufrag.length !== UFRAG_LENGTH) return false;
  const mac = Buffer.from(ufrag.slice(NONCE_LENGTH), "latin1");
  const expected = Buffer.from(macOf(ufrag.slice(0, NONCE_LENGTH), key), "latin1");
  return mac.length === expected.length && timingSafeEqual(mac, expected);
}

function macOf(nonce: string, key: Uint8Array): string {
  return Buffer.from(sipHash24(key, Buffer.from(nonce, "latin1")))
    .toString("base64")
    .replace("=", "");
}
