import { Failure } from "./failures.js";

/** Names of rooms and streams that need no escaping anywhere. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** @param {string} name */
export function isName(name) {
  return NAME.test(name);
}

/** What the link's fragment says. It never leaves the browser, so tokens live there and not in the query. */
function fragment() {
  return new URLSearchParams(location.hash.slice(1));
}

/** True when the link itself brings a token for this page. */
export function linkHasToken() {
  return (fragment().get("token") ?? "") !== "";
}

/**
 * A token for one room: the link's own, or, from a server in development mode, one that it hands out to anybody.
 *
 * @param {string} room
 * @param {boolean} publish
 * @returns {Promise<string>}
 * @throws {Failure} `no-token`
 */
export async function obtainToken(room, publish) {
  const own = fragment().get("token");
  if (own !== null && own !== "") return own;
  const query = new URLSearchParams({ room, publish: publish ? "true" : "false", user: ownName() });
  let response;
  try {
    response = await fetch(`/v1/dev/token?${query}`, { cache: "no-store", signal: AbortSignal.timeout(4000) });
  } catch {
    // The server is away; the offer that follows finds that out and is tried again.
    return "";
  }
  if (!response.ok) throw new Failure("no-token", `HTTP ${response.status}`);
  const { token } = await response.json();
  return token;
}

/** Who we are to a server in development mode: the same after a reload, so that a publisher takes its stream's name back. */
function ownName() {
  try {
    const known = localStorage.getItem("parley-user");
    if (known !== null) return known;
    const fresh = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) =>
      byte.toString(16).padStart(2, "0"),
    ).join("");
    localStorage.setItem("parley-user", fresh);
    return fresh;
  } catch {
    // No storage in this browser: one name for all of them is good enough for development.
    return "page";
  }
}

/**
 * The link for viewers. A publisher's own token is never in it; a token for viewers is, if the publisher's link brought one.
 *
 * @param {string} room
 * @param {string} stream
 */
export function watchLink(room, stream) {
  const url = new URL("/watch", location.origin);
  url.searchParams.set("room", room);
  url.searchParams.set("stream", stream);
  const viewerToken = fragment().get("watch-token");
  if (viewerToken !== null && viewerToken !== "") url.hash = new URLSearchParams({ token: viewerToken }).toString();
  return url.toString();
}
