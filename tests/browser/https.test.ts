import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connect } from "node:tls";
import {
  BrowserClient,
  type CaptureFiles,
  type Chromium,
  type ParleyProcess,
  pageScript,
  startChromium,
  startParley,
  until,
  untilPictureOf,
  writeCaptureFiles,
  writeCertificate,
} from "@parley/testing";

let folder: string;
let files: { readonly certFile: string; readonly keyFile: string };
let capture: CaptureFiles;
let server: ParleyProcess;
let chromium: Chromium;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "parley-certificate-"));
  files = { certFile: join(folder, "cert.pem"), keyFile: join(folder, "key.pem") };
  await writeCertificate(files);
  capture = await writeCaptureFiles("ben");
  server = await startParley({
    args: ["--http.host", "0.0.0.0", "--http.tls.certFile", files.certFile, "--http.tls.keyFile", files.keyFile],
  });
  chromium = await startChromium({ ...capture, args: ["--ignore-certificate-errors"] });
});
after(async () => {
  await chromium.close();
  assert.equal(await server.stop(), 0);
  await capture.remove();
  await rm(folder, { recursive: true, force: true });
});

test("over HTTPS from another address the page has the camera, and publishes", async () => {
  const address = Object.values(networkInterfaces())
    .flat()
    .find((one) => one?.family === "IPv4" && !one.internal)?.address;
  assert.ok(address !== undefined, "this test needs an address that is not the loopback's");
  const page = await chromium.openPage(`https://${address}:${server.httpPort}/`);
  await page.getByLabel("Resolution", { exact: true }).selectOption("180");
  await page.getByRole("button", { name: "Go live" }).click();
  await page.locator('#state[data-state="live"]').waitFor({ timeout: 8000 });
  const viewer = await chromium.openPage(await page.getByLabel("Link for viewers").inputValue());
  const eyes = new BrowserClient(pageScript(viewer));
  await untilPictureOf("ben", () => eyes.pictureOf("#picture"), { deadlineMs: 8000 });
});

/** SHA-256 of the certificate that a new connection is shown. */
async function shownFingerprint(): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port: server.httpPort, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.end();
    });
    socket.once("error", reject);
  });
}

test("new certificate files are taken without a restart", async () => {
  const before = await shownFingerprint();
  await writeCertificate(files);
  await until(async () => (await shownFingerprint()) !== before, {
    what: "the new certificate is shown",
    deadlineMs: 10_000,
    intervalMs: 200,
  });
});
