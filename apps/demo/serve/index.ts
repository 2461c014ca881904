import { existsSync, readdirSync, readFileSync } from "node:fs";
import { extname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** One file of the demo, ready to be served. */
export interface DemoAsset {
  /** URL path, compared exactly (but for a slash at the end). */
  readonly path: string;
  readonly contentType: string;
  readonly body: Uint8Array;
  /** What the build compressed, the best one first. */
  readonly encoded: readonly { readonly encoding: "br" | "gzip"; readonly body: Uint8Array }[];
  /** True: the build put a hash of the content into the name. */
  readonly immutable: boolean;
}

const contentTypes: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

const encodings = [
  { encoding: "br", suffix: ".br" },
  { encoding: "gzip", suffix: ".gz" },
] as const;

const builtFolder = fileURLToPath(new URL("../dist/", import.meta.url));

/**
 * Reads what the build made, for the addresses under `/demo/`. Empty when the demo is not built (`npm start` and `npm test` build it):
 * the server is whole without it. Files of unknown types are left out.
 */
export function loadDemoAssets(folder: string = builtFolder): readonly DemoAsset[] {
  if (!existsSync(join(folder, "index.html"))) return [];
  const assets: DemoAsset[] = [];
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const contentType = contentTypes[extname(entry.name)];
    if (!entry.isFile() || contentType === undefined) continue;
    const file = join(entry.parentPath, entry.name);
    const name = relative(folder, file).split(sep).join("/");
    assets.push({
      path: name === "index.html" ? "/demo/" : `/demo/${name}`,
      contentType,
      body: readFileSync(file),
      encoded: encodings
        .filter(({ suffix }) => existsSync(file + suffix))
        .map(({ encoding, suffix }) => ({ encoding, body: readFileSync(file + suffix) })),
      immutable: name.startsWith("assets/"),
    });
  }
  return assets;
}
