import { SessionGrantSchema, SuccessiveCodec, type Encoded, type Fence, type SessionGrant } from "@parley/protocol";

/**
 * Encodes grants for the bus. A revision differs from the one before by a slot or two, and is sent again until it is acknowledged, then every ten
 * seconds: what was encoded is kept as long as its grant is, and copied from.
 */
export class GrantEncoder {
  readonly #codec = new SuccessiveCodec(SessionGrantSchema);
  /** By the grant as the rooms have it; with the fence that it was sent with. */
  readonly #sent = new WeakMap<SessionGrant, Encoded<SessionGrant>>();

  /** `before`: the revision of the session that was sent last. */
  encode(grant: SessionGrant, fence: Fence | undefined, before: SessionGrant | undefined): Uint8Array {
    const sent = this.#sent.get(grant);
    if (sent !== undefined && sent.message.fence === fence) return sent.bytes;
    const message = fence === undefined ? grant : { ...grant, fence };
    const bytes = this.#codec.encode(message, before === undefined ? undefined : this.#sent.get(before));
    this.#sent.set(grant, { message, bytes });
    return bytes;
  }
}
