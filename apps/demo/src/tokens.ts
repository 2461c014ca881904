import type { MeetingLink } from "./link.ts";

/** No token can be had. `code` is read as that of a `ParleyError`. */
export class TokenError extends Error {
  readonly code: "no-invitation" | "connect-failed";
  constructor(code: "no-invitation" | "connect-failed") {
    super(code);
    this.name = "TokenError";
    this.code = code;
  }
}

export interface TokenRequest {
  readonly user: string;
  readonly name: string;
  readonly host: boolean;
  /** Not shown to others. */
  readonly hidden?: boolean;
}

/** The link's token, or one from the development server. Asked again by the SDK before a token expires. */
export async function requestToken(link: MeetingLink, wanted: TokenRequest): Promise<string> {
  if (link.token !== undefined) return link.token;
  const query = new URLSearchParams({
    user: wanted.user,
    name: wanted.name,
    publish: "true",
    subscribe: "true",
    data: "true",
    admin: String(wanted.host),
    hidden: String(wanted.hidden ?? false),
  });
  let response: Response;
  try {
    response = await fetch(`/v1/dev/token?${query}`);
  } catch {
    throw new TokenError("connect-failed");
  }
  if (response.status === 404) throw new TokenError("no-invitation");
  if (!response.ok) throw new TokenError("connect-failed");
  const { token } = (await response.json()) as { readonly token: string };
  return token;
}

/** Whether this server gives tokens to anybody, so that the form may offer what only development has. */
export async function isDevelopmentServer(): Promise<boolean> {
  try {
    const response = await fetch("/v1/dev/token?user=probe&subscribe=false", { method: "HEAD" });
    return response.ok;
  } catch {
    return false;
  }
}

/** One user per tab, the same after a reload. */
export function tabUser(storage: Storage): string {
  const key = "parley.demo.user";
  const known = storage.getItem(key);
  if (known !== null) return known;
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  const fresh = `guest-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  storage.setItem(key, fresh);
  return fresh;
}
