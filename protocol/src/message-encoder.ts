import { ScalarType, type DescField, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** Fields of a message by the names they have in TypeScript. */
type Fields = Record<string, unknown>;

/** Writes a field with its tag, if it is there. */
export type FieldWriter = (writer: BinaryWriter, message: Fields) => void;

/** Writes a value without a tag. */
type ValueWriter = (writer: BinaryWriter, value: unknown) => void;

/** A buffer that a larger message made is not kept: presence of some thousands of connections is told now and then. */
const maxKeptBytes = 1 << 18;

/** Kept from message to message. */
let shared = new BinaryWriter();

/**
 * The bytes that `toBinary` makes, with one new buffer instead of several: `toBinary` begins with 128 bytes and doubles them until a message fits, for
 * text with thrice its length, and an SDP takes eight of them. Throws, as that does, for values that their type cannot have. For messages of this
 * package: it does not know groups, and not the types of google.protobuf.
 */
export function encodeMessage<S extends DescMessage>(schema: S, message: MessageShape<S>): Uint8Array {
  try {
    writeMessage(shared, schema, message);
    const bytes = shared.finish();
    if (bytes.length > maxKeptBytes) shared = new BinaryWriter();
    return bytes;
  } catch (error) {
    // What it has written of a message that cannot be must not begin the next one.
    shared = new BinaryWriter();
    throw error;
  }
}

/** The fields of a message, without its length. */
export function writeMessage(writer: BinaryWriter, schema: DescMessage, message: unknown): void {
  for (const write of fieldWriters(schema)) write(writer, message as Fields);
  writeUnknown(writer, message);
}

/** What a newer version has sent that this one passes on. */
export function writeUnknown(writer: BinaryWriter, message: unknown): void {
  const { $unknown: unknown } = message as { $unknown?: { no: number; wireType: WireType; data: Uint8Array }[] };
  if (unknown === undefined) return;
  for (const { no, wireType, data } of unknown) writer.tag(no, wireType).raw(data);
}

const known = new WeakMap<DescMessage, FieldWriter[]>();

/** In the order of the fields' numbers; made once. */
function fieldWriters(schema: DescMessage): readonly FieldWriter[] {
  let writers = known.get(schema);
  if (writers === undefined) {
    writers = [];
    // Before the fields, of which one may be such a message.
    known.set(schema, writers);
    for (const field of [...schema.fields].sort((a, b) => a.number - b.number)) writers.push(fieldWriter(field));
  }
  return writers;
}

/** Throws a TypeError for a kind of field that this package has not. */
export function fieldWriter(field: DescField): FieldWriter {
  const { localName, number } = field;
  switch (field.fieldKind) {
    case "list":
      return listWriter(field);
    case "map":
      return mapWriter(field);
    case "message": {
      const write = taggedMessage(field);
      const { oneof } = field;
      if (oneof !== undefined) return ofOneof(oneof.localName, localName, write);
      return (writer, message) => {
        const value = message[localName];
        if (value !== undefined) write(writer, value);
      };
    }
    default: {
      const type = field.fieldKind === "enum" ? ScalarType.INT32 : field.scalar;
      const write = taggedScalar(number, type);
      if (field.oneof !== undefined) return ofOneof(field.oneof.localName, localName, write);
      if (field.presence === FeatureSet_FieldPresence.IMPLICIT) return unlessZero(localName, zeroOf(type), write);
      return (writer, message) => {
        const value = message[localName];
        if (value !== undefined) write(writer, value);
      };
    }
  }
}

function ofOneof(oneofName: string, caseName: string, write: ValueWriter): FieldWriter {
  return (writer, message) => {
    const oneof = message[oneofName] as { readonly case: string | undefined; readonly value?: unknown };
    if (oneof.case === caseName) write(writer, oneof.value);
  };
}

function listWriter(field: DescField & { fieldKind: "list" }): FieldWriter {
  const { localName, number } = field;
  if (field.listKind === "message") return eachOf(localName, taggedMessage(field));
  const type = field.listKind === "enum" ? ScalarType.INT32 : field.scalar;
  if (!field.packed) return eachOf(localName, taggedScalar(number, type));
  const write = scalarWriter(type);
  return (writer, message) => {
    const values = message[localName] as readonly unknown[];
    if (values.length === 0) return;
    writer.tag(number, WireType.LengthDelimited).fork();
    for (const value of values) write(writer, value);
    writer.join();
  };
}

function eachOf(localName: string, write: ValueWriter): FieldWriter {
  return (writer, message) => {
    for (const value of message[localName] as readonly unknown[]) write(writer, value);
  };
}

/** Of texts to scalars: other keys are kept as text, and would have to be converted. */
function mapWriter(field: DescField & { fieldKind: "map" }): FieldWriter {
  const { localName, number, mapKey } = field;
  if (mapKey !== ScalarType.STRING || field.mapKind === "message")
    throw new TypeError(`cannot encode ${String(field)}`);
  const write = taggedScalar(2, field.mapKind === "enum" ? ScalarType.INT32 : field.scalar);
  return (writer, message) => {
    for (const [key, value] of Object.entries(message[localName] as Fields)) {
      writer.tag(number, WireType.LengthDelimited).fork();
      writer.tag(1, WireType.LengthDelimited).string(key);
      write(writer, value);
      writer.join();
    }
  };
}

function taggedMessage(field: DescField): ValueWriter {
  const { number, message: schema } = field;
  const isGroup = "delimitedEncoding" in field && field.delimitedEncoding;
  if (schema === undefined || isGroup || schema.typeName.startsWith("google.protobuf.")) {
    throw new TypeError(`cannot encode ${String(field)}`);
  }
  const writers = fieldWriters(schema);
  return (writer, value) => {
    writer.tag(number, WireType.LengthDelimited).fork();
    for (const write of writers) write(writer, value as Fields);
    writeUnknown(writer, value);
    writer.join();
  };
}

function taggedScalar(number: number, type: ScalarType): ValueWriter {
  const write = scalarWriter(type);
  const wireType = wireTypeOf(type);
  return (writer, value) => {
    writer.tag(number, wireType);
    write(writer, value);
  };
}

/** A field without presence is there unless it is zero. */
function unlessZero(localName: string, zero: unknown, write: ValueWriter): FieldWriter {
  if (zero === undefined) {
    return (writer, message) => {
      const value = message[localName] as Uint8Array;
      if (value.length > 0) write(writer, value);
    };
  }
  return (writer, message) => {
    const value = message[localName];
    // Minus zero is none.
    if (value !== zero || Object.is(value, -0)) write(writer, value);
  };
}

/** Undefined: bytes, which are none when they are empty. */
function zeroOf(type: ScalarType): unknown {
  switch (type) {
    case ScalarType.STRING:
      return "";
    case ScalarType.BYTES:
      return undefined;
    case ScalarType.BOOL:
      return false;
    case ScalarType.INT64:
    case ScalarType.UINT64:
      return 0n;
    default:
      return 0;
  }
}

function wireTypeOf(type: ScalarType): WireType {
  switch (type) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return WireType.LengthDelimited;
    case ScalarType.FLOAT:
      return WireType.Bit32;
    case ScalarType.DOUBLE:
      return WireType.Bit64;
    default:
      return WireType.Varint;
  }
}

function scalarWriter(type: ScalarType): ValueWriter {
  switch (type) {
    case ScalarType.STRING:
      return (writer, value) => writer.string(value as string);
    case ScalarType.BYTES:
      return (writer, value) => writer.bytes(value as Uint8Array);
    case ScalarType.BOOL:
      return (writer, value) => writer.bool(value as boolean);
    case ScalarType.INT32:
      return (writer, value) => writer.int32(value as number);
    case ScalarType.UINT32:
      return (writer, value) => writer.uint32(value as number);
    case ScalarType.INT64:
      return (writer, value) => writer.int64(value as bigint);
    case ScalarType.UINT64:
      return (writer, value) => writer.uint64(value as bigint);
    case ScalarType.FLOAT:
      return (writer, value) => writer.float(value as number);
    case ScalarType.DOUBLE:
      return (writer, value) => writer.double(value as number);
    default:
      throw new TypeError(`cannot encode ${ScalarType[type]}`);
  }
}
