import type { RoomLimits } from "./limits.ts";

/** Keys and values together, in UTF-8 bytes. */
function attributesBytes(attributes: ReadonlyMap<string, string>): number {
  const encoder = new TextEncoder();
  let bytes = 0;
  for (const [key, value] of attributes) bytes += encoder.encode(key).length + encoder.encode(value).length;
  return bytes;
}

export function attributesFit(attributes: ReadonlyMap<string, string>, limits: RoomLimits): boolean {
  return attributesBytes(attributes) <= limits.maxAttributesBytes;
}

/** The attributes after an update, in which an empty value removes its key. */
export function updatedAttributes(
  attributes: ReadonlyMap<string, string>,
  update: Readonly<Record<string, string>>,
): Map<string, string> {
  const result = new Map(attributes);
  for (const [key, value] of Object.entries(update)) {
    if (value === "") result.delete(key);
    else result.set(key, value);
  }
  return result;
}

/** Makes `target` equal to `source`. */
export function replaceMap(target: Map<string, string>, source: ReadonlyMap<string, string>): void {
  target.clear();
  for (const [key, value] of source) target.set(key, value);
}
