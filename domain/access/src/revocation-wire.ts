import { create, fromBinary, fromJsonString, toJsonString, type MessageInitShape } from "@bufbuild/protobuf";
import { encodeMessage, TokenRevocationSchema, TokenRevocationsSchema, type TokenRevocation } from "@parley/protocol";
import type { KeptRevocation, Revocation } from "./revocation-list.ts";

/** About 100 bytes each: far below a bus message's limit (NATS: 1 MB). */
const perMessage = 2_000;

/** Messages for the bus; none when there is nothing to tell. */
export function encodeRevocations(all: readonly KeptRevocation[]): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (let from = 0; from < all.length; from += perMessage) {
    const revocations = all.slice(from, from + perMessage).map(toWire);
    messages.push(encodeMessage(TokenRevocationsSchema, create(TokenRevocationsSchema, { revocations })));
  }
  return messages;
}

/** Undefined: not such a message. What a newer version may have put in and we do not know is left out. */
export function decodeRevocations(payload: Uint8Array): KeptRevocation[] | undefined {
  try {
    const { revocations } = fromBinary(TokenRevocationsSchema, payload);
    return revocations.map(fromWire).filter((one) => one !== undefined);
  } catch {
    return undefined;
  }
}

/** One line of a file, without its end. */
export function writeRevocationLine(kept: KeptRevocation): string {
  return toJsonString(TokenRevocationSchema, create(TokenRevocationSchema, toWire(kept)));
}

/** Undefined: not such a line. */
export function readRevocationLine(line: string): KeptRevocation | undefined {
  try {
    return fromWire(fromJsonString(TokenRevocationSchema, line));
  } catch {
    return undefined;
  }
}

type RevocationInit = Exclude<MessageInitShape<typeof TokenRevocationSchema>, TokenRevocation>;

function toWire({ revocation, keepUntilUnixMs }: KeptRevocation): RevocationInit {
  const { appId } = revocation;
  const keep = Number.isFinite(keepUntilUnixMs) ? BigInt(Math.ceil(keepUntilUnixMs)) : 0n;
  if (revocation.type === "token") {
    return { appId, whose: { case: "tokenId", value: revocation.tokenId }, keepUntilUnixMs: keep };
  }
  return {
    appId,
    whose: { case: "userId", value: revocation.subject },
    issuedUntilUnixMs: BigInt(Math.floor(revocation.issuedUntilUnixMs)),
    keepUntilUnixMs: keep,
  };
}

function fromWire({ appId, whose, issuedUntilUnixMs, keepUntilUnixMs }: TokenRevocation): KeptRevocation | undefined {
  const keep = keepUntilUnixMs === 0n ? Infinity : Number(keepUntilUnixMs);
  let revocation: Revocation;
  switch (whose.case) {
    case "tokenId":
      revocation = { type: "token", appId, tokenId: whose.value };
      break;
    case "userId":
      revocation = { type: "subject", appId, subject: whose.value, issuedUntilUnixMs: Number(issuedUntilUnixMs) };
      break;
    case undefined:
      return undefined;
  }
  return { revocation, keepUntilUnixMs: keep };
}
