import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";
// The build is JavaScript for the shell as well; its one function is used here.
import { buildSdk } from "../build/build.mjs";
import { sdkVersion } from "../src/version.ts";

const root = resolve(import.meta.dirname, "..", "..");

/** What a page downloads for the SDK, compressed. Raised on purpose only. */
const budgetBytes = 60_000;

const program = `
import { Client, ParleyError, Room, RoomEvent, getLocalDevices, type RemoteParticipant, type RoomStats } from "@parley/sdk";

export async function main(element: HTMLVideoElement): Promise<RoomStats> {
  const room = new Room({ adaptiveStream: true, publishDefaults: { videoCodec: "VP8" } });
  room.on(RoomEvent.TrackSubscribed, (track, publication, participant) => {
    const who: RemoteParticipant = participant;
    console.log(track.kind, publication.source, who.name);
    publication.attach(element);
  });
  room.on("disconnected", (reason, error) => console.log(reason, error?.code));
  try {
    await room.connect("wss://example.org", async () => "token", { room: "lesson" });
    await room.localParticipant.setCameraEnabled(true);
  } catch (error) {
    if (error instanceof ParleyError && error.retryable) console.log(error.retryAfterMs);
  }
  // @ts-expect-error there is no such event
  room.on("nothing", () => undefined);
  const client = new Client();
  void client;
  await getLocalDevices("audioinput");
  return room.getStats();
}

export const made: string = typeof new Room().connect;
`;

test("the packed package installs into an empty project, type-checks and bundles", { timeout: 120_000 }, async () => {
  const scratch = mkdtempSync(join(tmpdir(), "parley-sdk-"));
  try {
    const dist = await buildSdk(join(scratch, "package"));
    const npm = (args: string[], cwd: string): string =>
      execFileSync("npm", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    npm(["pack", "--silent", "--pack-destination", scratch], dist);
    const project = join(scratch, "project");
    mkdirSync(project);
    writeFileSync(join(project, "package.json"), JSON.stringify({ name: "empty", private: true, type: "module" }));
    npm(
      ["install", "--silent", "--offline", "--no-audit", "--no-fund", join(scratch, `parley-sdk-${sdkVersion}.tgz`)],
      project,
    );
    const installed = JSON.parse(readFileSync(join(project, "node_modules/@parley/sdk/package.json"), "utf8"));
    assert.equal(installed.version, sdkVersion);

    writeFileSync(join(project, "main.ts"), program);
    for (const [module, moduleResolution] of [
      ["NodeNext", "NodeNext"],
      ["ESNext", "Bundler"],
    ]) {
      const compilerOptions = {
        module,
        moduleResolution,
        target: "ES2022",
        lib: ["ES2022", "DOM", "DOM.Iterable"],
        types: [],
        strict: true,
        noEmit: true,
        skipLibCheck: false,
      };
      writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["main.ts"] }));
      execFileSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", project], { stdio: "pipe" });
    }

    const build = await rolldown({ input: join(project, "main.ts"), platform: "browser", cwd: project });
    const { output } = await build.write({ dir: join(project, "out"), format: "esm", minify: true });
    await build.close();
    assert.equal(output.length, 1);
    const size = gzipSync(output[0].code).length;
    assert.ok(size < budgetBytes, `${size} bytes compressed`);
    const bundled: { made: string } = await import(join(project, "out", output[0].fileName));
    assert.equal(bundled.made, "function");
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
});

test("the version is the package's", () => {
  const { version } = JSON.parse(readFileSync(join(root, "sdk/package.json"), "utf8"));
  assert.equal(sdkVersion, version);
});
