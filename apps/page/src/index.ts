import { readFileSync } from "node:fs";

/** One file of the page, ready to be served. */
export interface PageAsset {
  /** URL path, compared exactly: `/`, `/watch`, `/page/style.css`. */
  readonly path: string;
  readonly contentType: string;
  readonly body: Uint8Array;
}

const JAVASCRIPT = "text/javascript; charset=utf-8";
const HTML = "text/html; charset=utf-8";

/** URL path, file under `assets/`, content type. `/` publishes, `/watch` watches. */
const FILES: readonly (readonly [path: string, file: string, contentType: string])[] = [
  ["/", "publish.html", HTML],
  ["/watch", "watch.html", HTML],
  ["/page/style.css", "style.css", "text/css; charset=utf-8"],
  ["/page/icon.svg", "icon.svg", "image/svg+xml"],
  ["/page/publish.js", "publish.js", JAVASCRIPT],
  ["/page/watch.js", "watch.js", JAVASCRIPT],
  ["/page/session.js", "session.js", JAVASCRIPT],
  ["/page/liveness.js", "liveness.js", JAVASCRIPT],
  ["/page/failures.js", "failures.js", JAVASCRIPT],
  ["/page/access.js", "access.js", JAVASCRIPT],
  ["/page/statistics.js", "statistics.js", JAVASCRIPT],
];

/**
 * Headers that every file of the pages is to be served with: no inline script, no other origin, no device but those of a call, and a
 * revalidation on every load, so that a new version of the server never meets an old page.
 */
export const pageHeaders: Readonly<Record<string, string>> = {
  "cache-control": "no-cache",
  "content-security-policy":
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; connect-src 'self'; " +
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
  "cross-origin-opener-policy": "same-origin",
  "permissions-policy":
    "camera=(self), microphone=(self), display-capture=(self), speaker-selection=(self), geolocation=()",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/**
 * Reads the page's files from this package's folder. They are plain HTML, CSS and JavaScript modules: there is no build.
 *
 * @throws when a file cannot be read (a broken installation).
 */
export function loadPageAssets(): readonly PageAsset[] {
  return FILES.map(([path, file, contentType]) => ({
    path,
    contentType,
    body: readFileSync(new URL(`../assets/${file}`, import.meta.url)),
  }));
}
