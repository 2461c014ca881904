/** The parameters of a=fmtp as a map, names in lower case: "a=1;B=2". The first of a repeated name counts. */
export function parseFmtp(parameters: string): ReadonlyMap<string, string> {
  const result = new Map<string, string>();
  for (const part of parameters.split(";")) {
    const equals = part.indexOf("=");
    const name = (equals < 0 ? part : part.slice(0, equals)).trim().toLowerCase();
    const value = equals < 0 ? "" : part.slice(equals + 1).trim();
    if (name !== "" && !result.has(name)) result.set(name, value);
  }
  return result;
}

/** `parameters` with `name` set to `value`: replaced where it stands, else at the end. */
export function withFmtpParameter(parameters: string, name: string, value: string): string {
  const parts = parameters.split(";").filter((part) => part.trim() !== "");
  const at = parts.findIndex((part) => part.split("=")[0]?.trim().toLowerCase() === name);
  if (at < 0) parts.push(`${name}=${value}`);
  else parts[at] = `${name}=${value}`;
  return parts.join(";");
}
