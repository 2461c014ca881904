// Brings what is missing: npm packages by the lock file, system packages by apt where we may.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { environment, hasProgram, run } from "./processes.mjs";
import { root } from "./repository.mjs";

/** Why `node_modules` does not fit the lock file, or undefined when it does. */
export function reasonToInstall(lock, installed) {
  if (installed === undefined) return "npm packages are not installed";
  for (const [path, wanted] of Object.entries(lock.packages)) {
    if (!path.includes("node_modules/")) continue;
    const got = installed.packages[path];
    // An optional package may be for another system.
    if (got === undefined && wanted.optional !== true && wanted.peer !== true) return `${path} is missing`;
    if (got !== undefined && got.version !== wanted.version) {
      return `${path} is ${got.version}, the lock file has ${wanted.version}`;
    }
  }
  return undefined;
}

function readJson(path) {
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : undefined;
}

/** Installs npm packages if they are missing or differ from the lock file. Throws when that fails. */
export async function ensureNpmPackages() {
  const lock = readJson(join(root, "package-lock.json"));
  // npm writes this file last, so an install that was cut off has none.
  const installed = readJson(join(root, "node_modules", ".package-lock.json"));
  const reason = reasonToInstall(lock, installed);
  if (reason === undefined) return;
  console.log(`Installing npm packages (${reason}) ...`);
  // Scripts stay off: with a binding.gyp in a workspace npm would build it and fetch headers.
  const result = await run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], {
    env: environment(),
  });
  if (result.code !== 0) throw new Error("npm ci failed; see above.");
}

/** Debian packages by the program or file that shows they are there. */
const forBuilding = [
  { package: "g++", program: "g++" },
  { package: "make", program: "make" },
  { package: "python3", program: "python3" },
];

const forTests = [
  ...forBuilding,
  { package: "chromium", program: "chromium" },
  { package: "firefox-esr", program: "firefox-esr" },
  { package: "clang", program: "clang++", alternative: "clang++-14" },
  // Recommended by clang, and recommended packages are not installed: libFuzzer and the sanitizers' runtimes.
  { package: "libclang-rt-dev" },
  { package: "libssl-dev", file: "/usr/include/openssl/ssl.h" },
  { package: "valgrind", program: "valgrind" },
  { package: "ffmpeg", program: "ffmpeg" },
  // The commands of guides are run as they stand there.
  { package: "curl", program: "curl" },
  { package: "gstreamer1.0-tools", program: "gst-launch-1.0" },
  { package: "gstreamer1.0-plugins-base" },
  { package: "gstreamer1.0-plugins-good" },
  { package: "gstreamer1.0-plugins-bad" },
  { package: "gstreamer1.0-plugins-ugly" },
  { package: "gstreamer1.0-libav" },
  { package: "gstreamer1.0-nice" },
  { package: "python3-gi" },
  { package: "python3-gst-1.0" },
  { package: "gir1.2-gst-plugins-bad-1.0" },
  { package: "python3-aiortc" },
];

async function isThere(item, debianPackages) {
  if (item.file !== undefined) return existsSync(item.file);
  if (item.program !== undefined) {
    if (await hasProgram(item.program)) return true;
    return item.alternative !== undefined && (await hasProgram(item.alternative));
  }
  // Without dpkg we cannot tell; the test that needs it will say so.
  return debianPackages === undefined || debianPackages.has(item.package);
}

async function installedDebianPackages() {
  const result = await run("dpkg-query", ["-W", "-f", "${Package} ${db:Status-Status}\n"], { quiet: true });
  if (result.code !== 0) return undefined;
  return new Set(
    result.output
      .split("\n")
      .filter((line) => line.endsWith(" installed"))
      .map((line) => line.split(" ")[0]),
  );
}

async function missingSystemPackages(wanted) {
  const needsDpkg = wanted.some((item) => item.file === undefined && item.program === undefined);
  const debianPackages = needsDpkg ? await installedDebianPackages() : undefined;
  const missing = [];
  for (const item of wanted) {
    if (!(await isThere(item, debianPackages))) missing.push(item.package);
  }
  return missing;
}

async function ensureSystemPackages(wanted, purpose) {
  const missing = await missingSystemPackages(wanted);
  if (missing.length === 0) return;
  const mayInstall = process.getuid?.() === 0 && (await hasProgram("apt-get"));
  if (mayInstall) {
    console.log(`Installing Debian packages ${purpose}: ${missing.join(" ")} ...`);
    const env = environment({ DEBIAN_FRONTEND: "noninteractive" });
    const install = ["install", "-y", "--no-install-recommends", "-q", ...missing];
    await run("apt-get", ["update", "-q"], { env });
    if ((await run("apt-get", install, { env })).code === 0) return;
  }
  const command = `apt-get install --no-install-recommends ${missing.join(" ")}`;
  throw new Error(
    `These system packages are needed ${purpose} and are missing: ${missing.join(", ")}.\n` +
      `On Debian or Ubuntu, as root: ${command}`,
  );
}

/** What the addon is built with. Throws an error that names what is missing where we may not install. */
export function ensureBuildPackages() {
  return ensureSystemPackages(forBuilding, "to build the media addon");
}

/** What the tests need besides: browsers, GStreamer, sanitizers. */
export function ensureTestPackages() {
  return ensureSystemPackages(forTests, "for the tests");
}
