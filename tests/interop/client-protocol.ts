import { parseArgs } from "node:util";

/**
 * What the clients on other stacks have in common: each is a process of its own, takes the same arguments as `gst_client.py`, says what
 * happens as JSON lines and obeys commands on standard input.
 */
export interface ClientArguments {
  readonly mode: string;
  readonly endpoint: string;
  readonly token: string;
  readonly codec: string;
  readonly colour: readonly [number, number, number];
  readonly toneHz: number;
}

export function readArguments(): ClientArguments {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      endpoint: { type: "string", default: "" },
      token: { type: "string", default: "" },
      codec: { type: "string", default: "VP8" },
      colour: { type: "string", default: "128,128,128" },
      tone: { type: "string", default: "500" },
      tones: { type: "string", default: "" },
    },
  });
  const [red = 0, green = 0, blue = 0] = values.colour.split(",").map(Number);
  return {
    mode: positionals[0] ?? "",
    endpoint: values.endpoint,
    token: values.token,
    codec: values.codec,
    colour: [red, green, blue],
    toneHz: Number(values.tone),
  };
}

/** One JSON line. */
export function say(event: string, fields: Readonly<Record<string, unknown>> = {}): void {
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);
}

/** Calls `stop` at the command `stop` or the end of standard input, then ends the process. */
export function obey(stop: () => Promise<void>): void {
  process.stdin.setEncoding("utf8");
  let ending = false;
  const end = (): void => {
    if (ending) return;
    ending = true;
    // The native libraries' own teardown is not what is tested here.
    void stop().finally(() => process.exit(0));
  };
  process.stdin.on("data", (text: string) => {
    if (text.includes("stop")) end();
  });
  process.stdin.on("end", end);
}

export interface Accepted {
  readonly answer: string;
  /** DELETEs the session. */
  readonly leave: () => Promise<void>;
}

/**
 * POSTs an offer (RFC 9725).
 *
 * @throws when it is refused, after saying so.
 */
export async function postOffer(args: ClientArguments, offer: string): Promise<Accepted> {
  const authorization: Record<string, string> = args.token === "" ? {} : { authorization: `Bearer ${args.token}` };
  say("offer", { sdp: offer });
  const response = await fetch(args.endpoint, {
    method: "POST",
    headers: { "content-type": "application/sdp", ...authorization },
    body: offer,
  });
  const answer = await response.text();
  if (response.status !== 201) {
    say("refused", { status: response.status, body: answer });
    throw new Error(`refused with ${response.status}`);
  }
  const resource = new URL(response.headers.get("location") ?? "", args.endpoint);
  say("accepted", { resource: resource.toString(), sdp: answer });
  return {
    answer,
    leave: async () => {
      const left = await fetch(resource, { method: "DELETE", headers: authorization });
      say("left", { status: left.status });
    },
  };
}
