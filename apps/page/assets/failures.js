/**
 * Everything that can go wrong, with what the user may do about it. Shown as title and advice; the detail is for whoever helps them.
 */
const TEXTS = {
  "insecure-context": {
    title: "Your browser allows the camera only on a secure address",
    advice:
      "This page was opened over plain HTTP from another machine, so the browser hides cameras, microphones and screens from it. " +
      "Open it over HTTPS (give the server a certificate), or on the server's own machine as http://localhost. Watching works here.",
  },
  "no-webrtc": {
    title: "This browser cannot send or receive live video",
    advice: "Use a current Chrome, Edge, Firefox or Safari.",
  },
  "permission-denied": {
    title: "The browser may not use your camera or microphone",
    advice:
      "Allow it with the camera icon in the address bar, and check your system's privacy settings. Then try again.",
  },
  "screen-denied": {
    title: "No screen was chosen",
    advice: "Choose a screen, a window or a tab in the browser's dialog, and allow this page to share it.",
  },
  "no-device": {
    title: "No camera or microphone was found",
    advice: "Plug one in, or choose another source, and try again.",
  },
  "device-busy": {
    title: "The camera or microphone cannot be opened",
    advice: "Another program may be using it. Close that program, or choose another device, and try again.",
  },
  "device-lost": {
    title: "The camera or screen was taken away",
    advice: "It was unplugged, or sharing was ended. Start again when it is back.",
  },
  "no-token": {
    title: "This address needs an access token",
    advice: "Open the full link that you were given: its end, after #token=, is the token.",
  },
  unauthorized: {
    title: "The access token is not valid",
    advice: "It may have expired, or it is for another server. Ask for a new link.",
  },
  forbidden: {
    title: "Your access token does not allow this",
    advice: "It is for another room, or only for watching. Ask for a link that fits.",
  },
  "not-found": {
    title: "There is nothing at this address",
    advice: "Check the names of the room and the stream in the link.",
  },
  replaced: {
    title: "This stream is now published from somewhere else",
    advice:
      "Someone with the same access started a stream under this name. Start again to take it back, or choose another name.",
  },
  "name-taken": {
    title: "Somebody else publishes under this name",
    advice: "Choose another name for your stream, or wait until they have stopped.",
  },
  removed: {
    title: "You were removed from this room",
    advice: "Someone who runs the room ended your session. Ask them, if that was a mistake.",
  },
  "room-closed": {
    title: "This room was closed",
    advice: "Someone who runs the room closed it. Ask them for a new link.",
  },
  "too-many": {
    title: "The server is busy",
    advice: "Too many requests came at once. Wait a moment and try again.",
  },
  "no-path": {
    title: "The media port of the server cannot be reached",
    advice:
      "The server answers, but neither UDP nor TCP gets through to its media port. A firewall or a wrong configured address is the usual reason.",
  },
  "no-codec": {
    title: "Browser and server have no video format in common",
    advice: "Choose another video format, or another browser.",
  },
  "bad-name": {
    title: "This name cannot be used",
    advice: "Use letters, digits, dots, dashes and underscores, at most 64 of them.",
  },
  unexpected: {
    title: "Something went wrong",
    advice: "Try again. If it stays so, tell whoever runs this server what is written here.",
  },
};

export class Failure {
  /**
   * @param {keyof typeof TEXTS} kind
   * @param {string} [detail]
   */
  constructor(kind, detail = "") {
    this.kind = kind;
    this.title = TEXTS[kind].title;
    this.advice = TEXTS[kind].advice;
    this.detail = detail;
  }
}

/** The server's numbered errors (by name) that mean something of their own to a user; for all others the HTTP status says enough. */
const KINDS = {
  "bad-id": "bad-name",
  "no-common-codec": "no-codec",
  "stream-in-use": "name-taken",
  replaced: "replaced",
  removed: "removed",
  banned: "removed",
  "not-admitted": "removed",
  "room-closed": "room-closed",
};

/**
 * @param {number} status of a refusal
 * @param {string} body the server's numbered error (RFC 9457), or anything
 */
export function failureOfResponse(status, body) {
  const problem = readProblem(body);
  const said = [problem.number, problem.name, problem.detail].filter((part) => part !== undefined).join(" ");
  const detail = said === "" ? `HTTP ${status}` : `HTTP ${status}: ${said}`;
  const kind = KINDS[problem.name];
  if (kind !== undefined) return new Failure(kind, detail);
  if (status === 401) return new Failure("unauthorized", detail);
  if (status === 403) return new Failure("forbidden", detail);
  if (status === 404) return new Failure("not-found", detail);
  if (status === 429) return new Failure("too-many", detail);
  return new Failure("unexpected", detail);
}

/**
 * @param {string} body
 * @returns {{ number?: number, name?: string, retry?: string, detail?: string }} empty when it is no numbered error
 */
export function readProblem(body) {
  try {
    const problem = JSON.parse(body);
    return typeof problem === "object" && problem !== null ? problem : {};
  } catch {
    // Not JSON: a proxy's page, say.
    return {};
  }
}

/**
 * @param {unknown} error of getUserMedia or getDisplayMedia
 * @param {"camera" | "screen"} source
 */
export function failureOfCapture(error, source) {
  const name = error instanceof DOMException || error instanceof Error ? error.name : "";
  const detail = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  switch (name) {
    case "NotAllowedError":
    case "SecurityError":
      return new Failure(source === "screen" ? "screen-denied" : "permission-denied", detail);
    case "NotFoundError":
    case "OverconstrainedError":
      return new Failure("no-device", detail);
    case "NotReadableError":
    case "AbortError":
      return new Failure("device-busy", detail);
    default:
      return new Failure("unexpected", detail);
  }
}
