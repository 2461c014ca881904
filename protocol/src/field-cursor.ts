import { WireType } from "@bufbuild/protobuf/wire";

/** Walks over the fields of an encoded message without decoding them. */
export class FieldCursor {
  /** Of the field it stands on; 0: before the first, or behind the last. */
  number = 0;
  wireType: WireType = WireType.Varint;
  /** Of the field's tag. */
  start = 0;
  /** Behind the tag, and behind the length where there is one. */
  content = 0;
  end = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Goes to the next field; false: there is none. Throws a RangeError where the bytes are no message. */
  next(): boolean {
    this.start = this.end;
    if (this.end >= this.#bytes.length) {
      this.number = 0;
      return false;
    }
    const tag = this.#varint();
    this.number = tag >>> 3;
    this.wireType = tag & 7;
    this.content = this.end;
    switch (this.wireType) {
      case WireType.Varint:
        this.#varint();
        break;
      case WireType.Bit64:
        this.end += 8;
        break;
      case WireType.LengthDelimited: {
        const length = this.#varint();
        this.content = this.end;
        this.end += length;
        break;
      }
      case WireType.Bit32:
        this.end += 4;
        break;
      default:
        throw new RangeError(`wire type ${this.wireType}`);
    }
    if (this.number === 0 || this.end > this.#bytes.length) throw new RangeError("not an encoded message");
    return true;
  }

  /** Goes on until a field has this number or a higher one; it may be there already. */
  skipTo(number: number): void {
    let isMore = this.number !== 0;
    while (isMore && this.number < number) isMore = this.next();
  }

  /** The lower 32 bits of one. */
  #varint(): number {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#bytes[this.end++] ?? 0;
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw new RangeError("a number of more than ten bytes");
  }
}
