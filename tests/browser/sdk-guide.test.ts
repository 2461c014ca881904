import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { after, before, test } from "node:test";
import { systemClock } from "@parley/adapter-system";
import { startChromium, type Chromium } from "@parley/testing";
import { rolldown } from "rolldown";
import { LocalServer } from "../local-server.ts";
import { FakeMediaNode } from "../integration/fake-media-node.ts";

/** Every example of docs/guides/sdk.md: type-checked, then run, in Chromium or in Node, against gateway and signaling. */

interface Example {
  readonly line: number;
  readonly place: "browser" | "node";
  readonly host: boolean;
  readonly code: string;
}

const root = fileURLToPath(new URL("../../", import.meta.url));
const guide = readFileSync(join(root, "docs/guides/sdk.md"), "utf8");
const examples = [...examplesOf(guide)];

function* examplesOf(text: string): Iterable<Example> {
  const pattern = /(<!-- example: (browser|node)(, host)? -->\n)?```ts\n([^]*?)```/g;
  for (const match of text.matchAll(pattern)) {
    const line = text.slice(0, match.index).split("\n").length;
    assert.ok(match[2] === "browser" || match[2] === "node", `line ${line}: an example that no test runs`);
    yield { line, place: match[2], host: match[3] !== undefined, code: match[4] ?? "" };
  }
}

let scratch: string;
let server: LocalServer;
let node: FakeMediaNode;
let chromium: Chromium;

before(async () => {
  mkdirSync(join(root, ".cache"), { recursive: true });
  // Below the root, so that imports resolve as in an app.
  scratch = mkdtempSync(join(root, ".cache/guide-"));
  server = await LocalServer.start();
  node = new FakeMediaNode(server.bus, systemClock);
  node.start();
  chromium = await startChromium();
});
after(async () => {
  await chromium?.close();
  node?.stop();
  await server?.down();
  rmSync(scratch, { recursive: true, force: true });
});

test("the guide has examples", () => assert.ok(examples.length >= 12));

test("all examples type-check", () => {
  writeFileSync(
    join(scratch, "globals.d.ts"),
    "declare const serverUrl: string;\ndeclare function getToken(): Promise<string>;\n" +
      'declare module "@roamhq/wrtc" {\n  const wrtc: { RTCPeerConnection: typeof RTCPeerConnection; nonstandard: { RTCAudioSource: new () => { createTrack(): MediaStreamTrack } } };\n  export default wrtc;\n}\n',
  );
  const files = examples.map(({ line, code }) => {
    const file = join(scratch, `line-${line}.ts`);
    writeFileSync(file, code);
    return file;
  });
  const tsconfig = {
    extends: join(root, "tsconfig.base.json"),
    compilerOptions: { incremental: false, types: [] },
    files: [join(scratch, "globals.d.ts"), ...files],
  };
  writeFileSync(join(scratch, "tsconfig.json"), JSON.stringify(tsconfig));
  execFileSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", scratch], { stdio: "pipe" });
});

for (const example of examples) {
  test(`the example in line ${example.line} runs in ${example.place}`, { timeout: 30_000 }, async () => {
    const token = server.token({ sub: `user-${example.line}`, room: `room-${example.line}`, roomAdmin: example.host });
    // Example rooms are their own, except for a client that joins one by name.
    const anyRoom = server.token({ sub: `user-${example.line}` });
    const chosen = example.code.includes("new Client(") ? anyRoom : token;
    if (example.place === "browser") await runInBrowser(example, chosen);
    else await runInNode(example, chosen);
  });
}

async function runInBrowser({ line, code }: Example, token: string): Promise<void> {
  const file = join(scratch, `browser-${line}.ts`);
  writeFileSync(file, code);
  const build = await rolldown({ input: file, platform: "browser" });
  const { output } = await build.generate({ format: "esm" });
  await build.close();
  const page = await chromium.openPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.evaluate(
    async ({ script, url, jwt }) => {
      Object.assign(globalThis, { serverUrl: url, getToken: async () => jwt });
      await import(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
    },
    { script: output[0].code, url: server.url, jwt: token },
  );
  await page.close();
  assert.deepEqual(errors, []);
}

/** In a process of its own; the server lives in this one. */
async function runInNode({ line, code }: Example, token: string): Promise<void> {
  const file = join(scratch, `node-${line}.ts`);
  const main = join(scratch, `main-${line}.ts`);
  const globals = `{ serverUrl: ${JSON.stringify(server.url)}, getToken: async () => ${JSON.stringify(token)} }`;
  writeFileSync(
    main,
    `Object.assign(globalThis, ${globals});\nawait import(${JSON.stringify(file)});\nprocess.exit(0);\n`,
  );
  writeFileSync(file, code);
  await promisify(execFile)(process.execPath, [main], { timeout: 20_000 });
}
