import { fromBinary, ScalarType, type DescField, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { FieldCursor } from "./field-cursor.ts";
import { fieldWriter, writeMessage, writeUnknown, type FieldWriter } from "./message-encoder.ts";

/** A message with its encoding, neither of which is changed any more. */
export interface Encoded<M> {
  readonly message: M;
  readonly bytes: Uint8Array;
}

/** A field that is a message, a list of them, or bytes. */
type Part = DescField;

/** Fields of a message by the names they have in TypeScript. */
type Fields = Record<string, unknown>;

/**
 * Reads and writes messages of one type of which each differs little from the one before, such as the revisions of a desired state. Parts (fields
 * that are messages, lists of them, or bytes) that are the same object are copied from the encoding before instead of being encoded, and parts whose
 * bytes are the same are the same object after decoding: who compares two revisions need not look into most of them. The bytes are those of
 * the protobuf encoding but for the order of fields, which has no meaning there: parts come last.
 */
export class SuccessiveCodec<S extends DescMessage> {
  readonly #schema: S;
  /** By number, in ascending order. */
  readonly #parts: readonly Part[];
  readonly #partNumbers: ReadonlySet<number>;
  /** All other fields. */
  readonly #rest: readonly FieldWriter[];
  /** Decoded of what another encoder made: in whatever order that has its parts. */
  readonly #foreign = new WeakSet<object>();
  /** Kept: growing a new one to the size of a message costs more than writing it. */
  #writer = new BinaryWriter();

  constructor(schema: S) {
    this.#schema = schema;
    const fields = [...schema.fields].sort((a, b) => a.number - b.number);
    this.#parts = fields.filter(isPart);
    this.#partNumbers = new Set(this.#parts.map(({ number }) => number));
    this.#rest = fields.filter((field) => !isPart(field)).map(fieldWriter);
  }

  /** `before.bytes` must come from this method, too. */
  encode(message: MessageShape<S>, before?: Encoded<MessageShape<S>>): Uint8Array {
    try {
      return this.#encodeSharing(message, before);
    } catch (error) {
      // What it has written of a message that cannot be must not begin the next one.
      this.#writer = new BinaryWriter();
      throw error;
    }
  }

  #encodeSharing(message: MessageShape<S>, before: Encoded<MessageShape<S>> | undefined): Uint8Array {
    const writer = this.#writer;
    for (const write of this.#rest) write(writer, message as Fields);
    writeUnknown(writer, message);
    const there = new FieldCursor(before?.bytes ?? nothing);
    this.#skipRest(there);
    // Neighbours that are the same are copied together.
    let copyFrom = 0;
    let copyTo = 0;
    const copy = (): void => {
      if (before !== undefined && copyTo > copyFrom) writer.raw(before.bytes.subarray(copyFrom, copyTo));
      copyFrom = copyTo;
    };
    for (const field of this.#parts) {
      const { number } = field;
      there.skipTo(number);
      const earlier = valuesOf(before?.message, field);
      const values = valuesOf(message, field);
      for (let index = 0; index < values.length; index += 1) {
        const isThere = there.number === number;
        if (isThere && earlier[index] === values[index]) {
          if (there.start !== copyTo) {
            copy();
            copyFrom = there.start;
          }
          copyTo = there.end;
        } else {
          copy();
          writePart(writer.tag(number, WireType.LengthDelimited), field, values[index]);
        }
        if (isThere) there.next();
      }
    }
    copy();
    return writer.finish();
  }

  /**
   * `beforeOf` is asked, with everything but the parts, for the message that came before. Throws, as `fromBinary` does, when `bytes` cannot be
   * read. What another encoder made is read without sharing anything.
   */
  decode(
    bytes: Uint8Array,
    beforeOf: (message: MessageShape<S>) => Encoded<MessageShape<S>> | undefined,
  ): MessageShape<S> {
    try {
      const message = this.#decodeSharing(bytes, beforeOf);
      if (message !== undefined) return message;
    } catch {
      // Falls through: the library knows better what is wrong with it.
    }
    const message = fromBinary(this.#schema, bytes);
    this.#foreign.add(message);
    return message;
  }

  /** Undefined: not in the order that `encode` has. */
  #decodeSharing(
    bytes: Uint8Array,
    beforeOf: (message: MessageShape<S>) => Encoded<MessageShape<S>> | undefined,
  ): MessageShape<S> | undefined {
    const here = new FieldCursor(bytes);
    this.#skipRest(here);
    const message = fromBinary(this.#schema, bytes.subarray(0, here.start));
    const known = beforeOf(message);
    const before = known === undefined || this.#foreign.has(known.message) ? undefined : known;
    const there = new FieldCursor(before?.bytes ?? nothing);
    this.#skipRest(there);
    for (const field of this.#parts) {
      const { number } = field;
      there.skipTo(number);
      const earlier = valuesOf(before?.message, field);
      const values: unknown[] = [];
      for (; here.number === number; here.next()) {
        if (here.wireType !== WireType.LengthDelimited) return undefined;
        const isThere = there.number === number;
        const same = isThere && before !== undefined && isSame(bytes, here, before.bytes, there);
        values.push(same ? earlier[values.length] : decodePart(field, bytes.subarray(here.content, here.end)));
        if (isThere) there.next();
      }
      // A part that comes twice is merged of both.
      if (field.fieldKind !== "list" && values.length > 1) return undefined;
      setValues(message, field, values, earlier);
    }
    return here.number === 0 ? message : undefined;
  }

  /** Goes from before the first field to the first part. */
  #skipRest(cursor: FieldCursor): void {
    let isMore = cursor.next();
    while (isMore && !this.#partNumbers.has(cursor.number)) isMore = cursor.next();
  }
}

const nothing = new Uint8Array();
/** May become a list of a message, which nobody changes. */
const none: readonly unknown[] = Object.freeze([]);

function isPart(field: DescField): boolean {
  if (field.oneof !== undefined) return false;
  if (field.fieldKind === "scalar") {
    return field.scalar === ScalarType.BYTES && field.presence === FeatureSet_FieldPresence.IMPLICIT;
  }
  const isMessage = field.fieldKind === "message" || (field.fieldKind === "list" && field.listKind === "message");
  return isMessage && !field.delimitedEncoding;
}

function writePart(writer: BinaryWriter, { message }: Part, value: unknown): void {
  if (message === undefined) {
    writer.bytes(value as Uint8Array);
    return;
  }
  writer.fork();
  writeMessage(writer, message, value);
  writer.join();
}

function decodePart({ message }: Part, bytes: Uint8Array): unknown {
  return message === undefined ? bytes : fromBinary(message, bytes);
}

function valuesOf(message: unknown, { localName, message: type }: Part): readonly unknown[] {
  const value = (message as Fields | undefined)?.[localName];
  // Bytes without presence are there when there are any.
  if (value === undefined || (type === undefined && (value as Uint8Array).length === 0)) return none;
  return Array.isArray(value) ? value : [value];
}

/** A list in which nothing has changed stays the same list. */
function setValues(message: unknown, field: Part, values: readonly unknown[], earlier: readonly unknown[]): void {
  const isUnchanged = values.length === earlier.length && values.every((value, index) => value === earlier[index]);
  const list = isUnchanged ? earlier : values;
  if (field.fieldKind === "list") (message as Fields)[field.localName] = list;
  else if (values.length > 0) (message as Fields)[field.localName] = values[0];
}

function isSame(one: Uint8Array, at: FieldCursor, other: Uint8Array, otherAt: FieldCursor): boolean {
  const length = at.end - at.start;
  if (otherAt.end - otherAt.start !== length) return false;
  for (let index = 0; index < length; index += 1) {
    if (one[at.start + index] !== other[otherAt.start + index]) return false;
  }
  return true;
}
