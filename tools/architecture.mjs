// The import table and the banned globals of the layout (see ARCHITECTURE.md), checked over all sources.
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { pathToFileURL } from "node:url";
import { bannedGlobalsOf, importsOf, maskSource } from "./imports.mjs";
import { filesUnder, root, workspaces } from "./repository.mjs";

/**
 * Which of our packages a layer may import, by layer of the imported package. `tests` says so for its test files,
 * which may also import everything the sources may.
 */
const table = {
  protocol: [],
  foundation: [],
  domain: ["protocol", "foundation"],
  services: ["domain", "protocol", "foundation"],
  adapters: ["domain", "protocol", "foundation"],
  native: [],
  sdk: ["protocol", "foundation"],
  program: ["services", "adapters", "domain", "protocol", "foundation", "page", "sdk"],
  page: ["sdk", "protocol", "foundation"],
  testing: ["domain", "protocol", "foundation"],
  tests: ["*"],
  bench: ["*"],
};
const inTests = ["testing", "protocol", "foundation"];
/** Adapters of the bus and the like are joined with services in tests of services. */
const moreInTests = {
  services: ["adapters"],
  sdk: ["services", "adapters", "domain"],
  program: ["*"],
  adapters: ["native"],
};

/** Layers that run in browsers: no modules of Node. */
const browserSafe = new Set(["protocol", "foundation", "sdk", "page"]);
/** What of Node is only computing, and so allowed in sans-IO code. */
const pureNodeModules = new Set(["node:crypto", "node:buffer"]);
/** Layers at the edge, which may touch the real clock, randomness, environment and console. */
const edge = new Set(["adapters", "native", "program", "page", "testing", "tests", "bench"]);

export function layerOf(folder) {
  const [top, second] = folder.split("/");
  if (top === "apps") return second === "parley" ? "program" : "page";
  return top ?? "";
}

const isTest = (name) => /\.(test|bench)\.tsx?$/.test(name) || /\/(test|tests|fixtures)\//.test(name);

/** The npm package of a bare specifier. */
const packageOf = (specifier) =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");

/** What is wrong with one file: messages with line numbers. `packages` maps a package's name to its layer. */
export function checkFile({ name, source, folder, manifest, packages }) {
  const layer = layerOf(folder);
  const test = isTest(name) || layer === "tests" || layer === "bench";
  const masked = maskSource(source);
  const problems = [];
  const report = (line, text) => problems.push(`${name}:${line} ${text}`);
  for (const { specifier, line } of importsOf(source, masked)) {
    const problem = specifier.startsWith(".")
      ? relativeProblem(name, folder, specifier)
      : specifier.startsWith("node:")
        ? nodeProblem(layer, test, specifier)
        : packageProblem(layer, test, specifier, manifest, packages);
    if (problem !== undefined) report(line, problem);
  }
  // The SDK's own clock and randomness for browsers live in one folder.
  const atEdge = edge.has(layer) || test || name.startsWith("sdk/src/platform/");
  if (!atEdge) {
    for (const { name: global, line } of bannedGlobalsOf(source, masked)) {
      report(line, `${global} is for adapters, apps and tests; take a Clock, Random, Logger or argument`);
    }
  } else if (layer === "adapters" && !test) {
    for (const { name: global, line } of bannedGlobalsOf(source, masked)) {
      if (global === "process.exit" || global === "process.env") report(line, `${global} is for apps/parley`);
    }
  }
  return problems;
}

function relativeProblem(name, folder, specifier) {
  const target = normalize(join(dirname(name), specifier));
  if (!target.startsWith(`${folder}/`)) return `${specifier} leaves the package; import it by its name`;
  if (!/\.(ts|tsx|js|mjs|json|css)$/.test(specifier)) return `${specifier} needs its extension`;
  return undefined;
}

function nodeProblem(layer, test, specifier) {
  if (test) return undefined;
  if (browserSafe.has(layer) && layer !== "page") return `${specifier}: this layer runs in browsers`;
  if (layer === "domain" && !pureNodeModules.has(specifier)) return `${specifier}: domain code is sans-IO`;
  return undefined;
}

function packageProblem(layer, test, specifier, manifest, packages) {
  const wanted = packageOf(specifier);
  if (wanted === manifest.name) return `${specifier}: import your own files by path`;
  const declared =
    manifest.dependencies?.[wanted] ??
    manifest.peerDependencies?.[wanted] ??
    (test ? manifest.devDependencies?.[wanted] : undefined) ??
    (manifest.devDependencies?.[wanted] !== undefined && wanted.startsWith("@types/") ? "" : undefined);
  const target = packages.get(wanted);
  if (target === undefined) {
    return declared === undefined ? `${wanted} is not in the package's dependencies` : undefined;
  }
  if (specifier !== wanted) return `${specifier}: packages of ours export "." only`;
  const allowed = [...(table[layer] ?? []), ...(test ? [...inTests, ...(moreInTests[layer] ?? [])] : [])];
  const native = target === "native";
  if (native && manifest.name !== "@parley/adapter-media-native" && layer !== "tests" && layer !== "bench") {
    return `${wanted} is imported by adapters/media-native only`;
  }
  if (!native && !allowed.includes("*") && !allowed.includes(target)) return `${layer} may not import ${wanted}`;
  return declared === undefined ? `${wanted} is not in the package's dependencies` : undefined;
}

/** Dependencies that a package.json declares although the table forbids the import. */
export function checkManifest({ folder, manifest, packages }) {
  const problems = [];
  if (!manifest.name?.startsWith("@parley/"))
    problems.push(`${folder}/package.json: the name must begin with @parley/`);
  const exported = Object.keys(manifest.exports ?? {});
  if (exported.some((key) => key !== ".")) problems.push(`${folder}/package.json: packages export "." only`);
  for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
    if (!/^\d+\.\d+\.\d+/.test(version)) problems.push(`${folder}/package.json: ${name} needs an exact version`);
    if (name.startsWith("@parley/") && !packages.has(name)) problems.push(`${folder}/package.json: no package ${name}`);
  }
  return problems;
}

/** Everything that is wrong in the repository. */
export function checkRepository() {
  const all = workspaces();
  const packages = new Map(all.map(({ name, folder }) => [name, layerOf(folder)]));
  const problems = [];
  for (const { folder, manifest } of all) {
    problems.push(...checkManifest({ folder, manifest, packages }));
    const sources = filesUnder(folder, (name) => /\.tsx?$/.test(name) && !name.includes("/gen/"));
    for (const name of sources) {
      const source = readFileSync(join(root, name), "utf8");
      problems.push(...checkFile({ name, source, folder, manifest, packages }));
    }
  }
  return problems;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const problems = checkRepository();
  for (const problem of problems) console.error(problem);
  console.log(problems.length === 0 ? "Imports and globals are as the table says." : `${problems.length} problems`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
