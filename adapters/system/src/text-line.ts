/** A JSON log line as people like to read it: `12:00:01.234 info  message key=value`. What is no JSON stays as it is. */
export function textLine(jsonLine: string): string {
  let entry: unknown;
  try {
    entry = JSON.parse(jsonLine);
  } catch {
    return jsonLine;
  }
  if (typeof entry !== "object" || entry === null) return jsonLine;
  const { time, level, message, ...fields } = entry as Readonly<Record<string, unknown>>;
  const parts = [String(time).slice(11, 23), String(level).padEnd(5), typeof message === "string" ? message : ""];
  let stack = "";
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === "object" && value !== null && "stack" in value) stack += `\n${String(value.stack)}`;
    else parts.push(`${name}=${typeof value === "string" ? quoted(value) : JSON.stringify(value)}`);
  }
  return `${parts.join(" ")}${stack}\n`;
}

function quoted(text: string): string {
  return /^[\w.:/@+-]+$/.test(text) ? text : JSON.stringify(text);
}
