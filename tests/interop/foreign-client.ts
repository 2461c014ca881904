import { fileURLToPath } from "node:url";
import { type Child, PEOPLE, type Person, type Picture, type Tone, startChild } from "@parley/testing";

/** WebRTC stacks other than browsers, each driven through a small client process of ours. */
export type Stack = "gstreamer" | "wrtc" | "node-datachannel";

export interface ForeignClient {
  readonly child: Child;
  /** The last decoded picture, undefined before the first. */
  readonly look: () => Promise<Picture | undefined>;
  readonly listen: () => Promise<Tone>;
  /** Leaves with DELETE and ends. Resolves with the exit code. */
  readonly stop: () => Promise<number | string>;
}

export interface ForeignOptions {
  readonly endpoint: string;
  readonly token?: string | undefined;
  /** VP8 unless told. */
  readonly codec?: string;
  readonly person?: Person;
  readonly more?: readonly string[];
}

function program(stack: Stack): readonly [string, ...string[]] {
  if (stack === "gstreamer") return ["/usr/bin/python3", fileURLToPath(new URL("./gst_client.py", import.meta.url))];
  const script = stack === "wrtc" ? "./wrtc-client.ts" : "./datachannel-client.ts";
  return [process.execPath, fileURLToPath(new URL(script, import.meta.url))];
}

/**
 * Starts a publisher or a viewer and waits until the server has accepted its offer.
 *
 * @throws with the client's output when it is refused or ends.
 */
export async function startForeign(
  stack: Stack,
  mode: "publish" | "watch",
  options: ForeignOptions,
): Promise<ForeignClient> {
  const [command, ...script] = program(stack);
  const { colour, toneHz } = PEOPLE[options.person ?? "anna"];
  const child = startChild(command, [
    ...script,
    mode,
    ...["--endpoint", options.endpoint],
    ...(options.token === undefined ? [] : ["--token", options.token]),
    ...["--codec", options.codec ?? "VP8"],
    ...(mode === "publish"
      ? ["--colour", colour.join(","), "--tone", String(toneHz)]
      : [
          "--tones",
          Object.values(PEOPLE)
            .map((person) => person.toneHz)
            .join(","),
        ]),
    ...(options.more ?? []),
  ]);
  await child.line(/"event": ?"accepted"/, 20_000);
  return {
    child,
    look: async () => last(child, "picture") as Picture | undefined,
    listen: async () => {
      const tone = last(child, "tone") as (Tone & { readonly share: number }) | undefined;
      // A tone that is not nearly all that is heard is no tone.
      return tone === undefined || tone.share < 0.7 ? { peakHz: 0, peakDb: -200 } : tone;
    },
    stop: async () => {
      child.write("stop\n");
      const deadline = setTimeout(() => void child.stop("SIGKILL"), 8000);
      try {
        while (child.ended() === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
      } finally {
        clearTimeout(deadline);
      }
      return child.ended() ?? "unknown";
    },
  };
}

function last(child: Child, event: string): unknown {
  for (let at = child.lines.length - 1; at >= 0 && at > child.lines.length - 200; at -= 1) {
    const line = child.lines[at] ?? "";
    if (!line.startsWith("{")) continue;
    const said = JSON.parse(line) as { event: string };
    if (said.event === event) return said;
  }
  return undefined;
}
