/** A failure in words for people: what happened, and what to do. */
export interface Failure {
  readonly title: string;
  readonly text: string;
  /** `retry`: may go right the next time. `link`: another invitation is needed. `none`: it is over. */
  readonly remedy: "retry" | "link" | "none";
}

const failure = (title: string, text: string, remedy: Failure["remedy"] = "retry"): Failure => ({
  title,
  text,
  remedy,
});

const newLink = "Ask whoever invited you for a new link.";

const known: Readonly<Record<string, Failure>> = {
  "no-invitation": failure("This link has no invitation", `${newLink} It ends with a token.`, "link"),
  "connect-failed": failure("The server cannot be reached", "Check your connection. We keep trying."),
  "connection-lost": failure("The connection broke", "We are connecting again."),
  "request-timeout": failure("The server did not answer", "It may be busy. Please try again."),
  "media-unsupported": failure("This browser has no video calls", "Please use a current browser.", "none"),
  "media-failed": failure(
    "Sound and pictures do not get through",
    "A firewall may be in the way. Try another network.",
  ),
  "insecure-context": failure(
    "Camera and microphone need HTTPS",
    "Browsers give them only to pages from HTTPS or from this machine itself.",
    "none",
  ),
  "token-missing": failure("This link has no invitation", newLink, "link"),
  "token-malformed": failure("This invitation is damaged", `Perhaps it was not copied whole. ${newLink}`, "link"),
  "token-bad-signature": failure("This invitation is not valid", newLink, "link"),
  "token-unknown-app": failure("This invitation is for another server", newLink, "link"),
  "token-expired": failure("This invitation has expired", newLink, "link"),
  "token-not-yet-valid": failure("This invitation is not valid yet", "Try again when the meeting begins."),
  "token-revoked": failure("This invitation was withdrawn", newLink, "link"),
  "grant-missing": failure("This invitation does not allow that", newLink, "link"),
  "wrong-room": failure("This invitation is for another room", "Check the name of the room.", "link"),
  "wrong-app": failure("This invitation is for another app", newLink, "link"),
  "bad-id": failure("This name cannot be used", "Choose a shorter name without special characters."),
  "no-media-node": failure("The server has no room for video now", "Please try again in a moment."),
  "room-full": failure("The room is full", "Try again when somebody has left."),
  "room-locked": failure("The room is locked", "The host lets nobody in at the moment."),
  "room-not-there": failure("The meeting has not started", "Try again when the host is there."),
  "not-admitted": failure("The host did not let you in", "If that was a mistake, ask them and try again."),
  removed: failure("You were removed", "The host has taken you out of the meeting."),
  banned: failure("You cannot come back", "The host has barred you from this meeting.", "none"),
  replaced: failure("You joined from elsewhere", "This meeting goes on in another window."),
  "room-closed": failure("The meeting has ended", "The host has closed it for everybody."),
  "permission-denied": failure("You are not allowed to do that", "Ask the host."),
  "rate-limited": failure("Too many attempts", "Please wait a moment."),
  "too-many-connections": failure("Too many windows", "Close some of them and try again."),
  "too-many-sessions": failure("The server is full", "Please try again later."),
  "too-many-rooms": failure("The server is full", "Please try again later."),
  draining: failure("The server is about to restart", "Please try again in a moment."),
  unavailable: failure("The server is not ready", "Please try again in a moment."),
  timeout: failure("The server did not answer", "Please try again in a moment."),
};

/** The words for an error's code; codes that have none share a general sentence with the code in it. */
export function describeFailure(code: string): Failure {
  const words = Object.hasOwn(known, code) ? known[code] : undefined;
  return words ?? failure("That did not work", `Please try again. (${code})`);
}

export type DeviceSource = "camera" | "microphone" | "screen";

/** Browsers ask about both at once, and who says no means both. */
export const bothRefused = failure(
  "Camera and microphone are not allowed",
  "Allow them in your browser: the icon beside the address. Then try again. You can also join without.",
);

/** What to do about a device that cannot be used. */
export function describeDeviceFailure(code: string, source: DeviceSource): Failure {
  const name = source === "screen" ? "Screen sharing" : source === "camera" ? "Camera" : "Microphone";
  switch (code) {
    case "device-permission-denied":
      return source === "screen"
        ? failure("Nothing is shared", "You did not choose a screen, or sharing is not allowed here.")
        : failure(`${name} is not allowed`, `Allow it in your browser: the icon beside the address. Then try again.`);
    case "device-not-found":
      return failure(`No ${name.toLowerCase()} found`, "Plug one in; you can also join without.");
    case "device-in-use":
      return failure(`${name} is in use`, "Another program has it. Close that program and try again.");
    case "insecure-context":
    case "media-unsupported":
      return describeFailure(code);
    default:
      return failure(`${name} could not be started`, "Try again, or choose another device.");
  }
}

/** The code of anything that was thrown. */
export function codeOf(error: unknown): string {
  if (typeof error === "object" && error !== null && "code" in error && typeof error.code === "string") {
    // The SDK wraps what a token function throws.
    if (error.code === "connect-failed" && error instanceof Error && error.cause !== undefined) {
      const inner = codeOf(error.cause);
      if (inner !== "unknown") return inner;
    }
    return error.code;
  }
  return "unknown";
}
