/**
 * What a link says. It stands in the fragment, which browsers do not send to servers: a token in it is in no log.
 * `#room=lesson&token=...`, and for development `#room=lesson&name=Ann&host=1`.
 */
export interface MeetingLink {
  readonly room: string;
  readonly name: string;
  readonly token: string | undefined;
  /** Wants to be a host: only development servers grant that for the asking. */
  readonly host: boolean;
}

/** Names of rooms and people have at most 128 bytes (docs/guides/tokens.md); characters of up to four bytes fit in any case. */
export const maxNameLength = 32;

export function readLink(fragment: string): MeetingLink {
  const values = new URLSearchParams(fragment.replace(/^#/, ""));
  return {
    room: tidyName(values.get("room") ?? ""),
    name: tidyName(values.get("name") ?? ""),
    token: values.get("token") || undefined,
    host: values.get("host") === "1",
  };
}

/** The link to a room, for others: without our name, our token and our rights. */
export function inviteLink(page: string, room: string): string {
  const url = new URL(page);
  url.hash = new URLSearchParams({ room }).toString();
  return url.toString();
}

/** No control characters, single spaces, not too long; empty when nothing is left. */
export function tidyName(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\s]+/gu, " ")
    .trim()
    .slice(0, maxNameLength)
    .trim();
}

/** The room a token is for, told by the token itself; undefined when it is for all rooms or cannot be read. */
export function roomInToken(token: string): string | undefined {
  const part = token.split(".")[1];
  if (part === undefined) return undefined;
  try {
    const bytes = Uint8Array.from(atob(part.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof claims !== "object" || claims === null || !("room" in claims)) return undefined;
    return typeof claims.room === "string" ? claims.room : undefined;
  } catch {
    return undefined;
  }
}
