import type { SessionGrant } from "@parley/protocol";

/** A protobuf message without its bookkeeping: a message fits it, and it fits `create(Schema, ...)`. */
export type Plain<T> = T extends string | number | bigint | boolean | undefined | Uint8Array
  ? T
  : T extends readonly (infer U)[]
    ? Plain<U>[]
    : T extends object
      ? { [K in keyof T as K extends "$typeName" | "$unknown" ? never : K]: Plain<T[K]> }
      : T;

/** The desired state of one session, as it comes over the bus. */
export type Grant = Plain<SessionGrant>;
export type IceGrant = NonNullable<Grant["ice"]>;
export type DtlsGrant = NonNullable<Grant["dtls"]>;
export type CodecGrant = Grant["codecs"][number];
export type ExtensionGrant = Grant["extensions"][number];
export type ReceiveGrant = Grant["receives"][number];
export type EncodingGrant = ReceiveGrant["encodings"][number];
export type SlotGrant = Grant["slots"][number];
export type BindingGrant = NonNullable<SlotGrant["binding"]>;

/** What a negotiation decides of a {@link Grant}. Spread it into one: `create(SessionGrantSchema, { ...ids, ...parts })`. */
export interface GrantParts {
  readonly ice: IceGrant;
  readonly dtls: DtlsGrant;
  readonly codecs: CodecGrant[];
  readonly extensions: ExtensionGrant[];
  readonly receives: ReceiveGrant[];
  readonly slots: SlotGrant[];
}
