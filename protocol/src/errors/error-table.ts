/**
 * The one table of Parley's errors. A number never changes its meaning and is never used again; the text is for people
 * and is no API. `docs/specs/errors.md` has the same table; a test keeps the two and the code in step.
 *
 * Ranges: 1xxx the request itself, 2xxx who is asking, 3xxx sessions and negotiation, 4xxx rooms and streams,
 * 5xxx limits and load, 9xxx faults of ours.
 */
export const errorTable = {
  // 1xxx: the request itself.
  "bad-request": row(1001, 400, "never", "The request is malformed.", "fix the request"),
  "not-found": row(1002, 404, "never", "There is nothing at this address.", "check the address"),
  "method-not-allowed": row(1003, 405, "never", "This address does not take the method.", "use one of Allow"),
  "unsupported-media-type": row(1004, 415, "never", "The content type is not supported.", "send the type of the spec"),
  "payload-too-large": row(1005, 413, "never", "The body is too large.", "send less"),
  "precondition-failed": row(1006, 412, "changed", "If-Match names an old ICE generation.", "take the current ETag"),
  "precondition-required": row(1007, 428, "changed", "If-Match is missing.", "send the ETag of the session"),
  "bad-frame": row(1010, 400, "never", "A frame cannot be read or comes out of order.", "fix the client"),
  "frame-too-large": row(1011, 413, "never", "A frame is larger than the limit.", "send less"),
  "unknown-subprotocol": row(1012, 400, "never", "No offered subprotocol is known here.", "offer parley.v1.proto"),
  "bad-id": row(1009, 400, "never", "A name is empty, too long or has control characters.", "choose another name"),

  // 2xxx: who is asking.
  "token-missing": row(2001, 401, "new-token", "There is no bearer token.", "send a token"),
  "token-malformed": row(2002, 401, "new-token", "The token is not a JWT of the form Parley takes.", "get a new token"),
  "token-too-large": row(2003, 401, "new-token", "The token is larger than the limit.", "get a smaller token"),
  "token-bad-signature": row(2004, 401, "new-token", "The token's signature is wrong.", "get a new token"),
  "token-unknown-app": row(2005, 401, "new-token", "The token's issuer is no app of this server.", "check the app key"),
  "token-expired": row(2006, 401, "new-token", "The token has expired.", "get a new token"),
  "token-not-yet-valid": row(2007, 401, "later", "The token is not valid yet.", "wait, or check the clocks"),
  "token-revoked": row(2008, 401, "new-token", "The token was revoked.", "get a new token"),
  "grant-missing": row(2009, 403, "new-token", "The token does not grant this.", "get a token with the grant"),
  "wrong-room": row(2010, 403, "new-token", "The token is for another room.", "get a token for this room"),
  "wrong-app": row(2011, 403, "new-token", "The token is of another app.", "use a token of the app"),

  // 3xxx: sessions and negotiation.
  "sdp-malformed": row(3001, 400, "never", "The SDP cannot be read.", "send an SDP of RFC 8866"),
  "sdp-unsupported": row(
    3002,
    422,
    "never",
    "The SDP lacks what Parley needs.",
    "offer BUNDLE, rtcp-mux, ICE and DTLS",
  ),
  "no-common-codec": row(3003, 422, "never", "No offered codec can be used.", "offer another codec"),
  "session-not-found": row(3004, 404, "new-session", "There is no such session (any more).", "make a new session"),
  "session-lost": row(3005, 410, "new-session", "The media node of the session is gone.", "make a new PeerConnection"),
  "no-media-node": row(3006, 503, "later", "No media node can take the session now.", "try again after Retry-After"),
  "ice-failed": row(3007, 0, "new-session", "No valid check came in time, or consent ran out.", "make a new session"),
  "dtls-failed": row(3008, 0, "new-session", "The DTLS handshake failed.", "make a new session"),
  "fingerprint-mismatch": row(3009, 0, "never", "The peer's certificate is not the one of its SDP.", "report it"),
  "codec-not-accepted": row(3010, 0, "later", "The stream's codec is none the subscriber takes.", "wait for a backup"),
  "ice-fragment-malformed": row(3011, 400, "never", "The trickle ICE fragment cannot be read.", "send one of RFC 8840"),
  "session-closed": row(3012, 0, "never", "The session was closed.", "nothing"),
  "too-many-media-sections": row(3013, 422, "never", "The offer has too many media sections.", "offer fewer"),

  // 4xxx: rooms and streams.
  "stream-in-use": row(4001, 409, "later", "Somebody else publishes under this name.", "choose another name"),
  "not-in-room": row(4002, 409, "new-session", "This connection is in no such room.", "join (again)"),
  "already-in-room": row(4003, 409, "never", "This connection has joined the room already.", "leave first"),
  "room-full": row(4004, 409, "later", "The room has as many participants as it may.", "try again later"),
  "room-locked": row(4005, 403, "later", "The room is locked.", "ask a host"),
  "room-not-there": row(
    4006,
    404,
    "later",
    "The room does not exist and this token may not create it.",
    "wait for a host",
  ),
  "in-lobby": row(4007, 403, "later", "The participant waits for admission.", "wait for the event"),
  "not-admitted": row(4008, 403, "never", "A host did not let the participant in.", "nothing"),
  removed: row(4009, 403, "never", "A host removed the participant.", "nothing"),
  banned: row(4010, 403, "never", "A host barred this user from the room.", "nothing"),
  replaced: row(4011, 410, "never", "The same user took this place from elsewhere.", "nothing"),
  "room-closed": row(4012, 410, "never", "The room was closed.", "nothing"),
  "permission-denied": row(4013, 403, "never", "The participant's permissions do not allow this.", "ask a host"),
  "participant-not-found": row(4014, 404, "changed", "There is no such participant.", "fetch the snapshot"),
  "stream-not-found": row(4015, 404, "changed", "There is no such stream or track.", "fetch the snapshot"),
  "slot-not-found": row(4016, 404, "changed", "The session has no such slot.", "bind to a slot of the session"),
  "section-not-found": row(4017, 400, "never", "The offer has no such media section.", "name sections of the offer"),
  "too-many-streams": row(4018, 409, "never", "The participant publishes as much as it may.", "unpublish something"),
  "too-many-slots": row(4019, 409, "never", "The session has as many slots as it may.", "use fewer slots"),
  "attributes-too-large": row(4020, 413, "never", "The attributes are larger than the limit.", "send less"),
  "data-too-large": row(4021, 413, "never", "The data message is larger than the limit.", "send less"),
  "wrong-kind": row(
    4023,
    409,
    "never",
    "Sound does not fit a slot for pictures, nor the reverse.",
    "bind to another slot",
  ),
  "too-many-rooms": row(4025, 503, "later", "The server has as many rooms as it may.", "try another server"),
  "already-there": row(
    4027,
    410,
    "never",
    "A host moved the participant to a room that its connection had joined already.",
    "go on in that room",
  ),

  // 5xxx: limits and load.
  "rate-limited": row(5001, 429, "later", "Too many requests.", "try again after Retry-After"),
  "too-many-sessions": row(5002, 503, "later", "The server has as many sessions as it may.", "try another server"),
  "too-many-connections": row(5004, 429, "later", "Too many connections of this user or address.", "close some"),
  "connect-timeout": row(5005, 0, "later", "No connect frame came in time.", "connect again"),
  "connection-silent": row(5006, 0, "later", "Nothing was heard for too long.", "connect again and resume"),
  "connection-slow": row(5007, 0, "later", "Frames are taken too slowly.", "connect again and resume"),
  "too-many-revocations": row(5008, 507, "later", "The app has as many revocations as are kept.", "let some expire"),
  draining: row(5003, 503, "later", "The server is shutting down.", "try another server"),

  // 9xxx: faults of ours.
  internal: row(9001, 500, "later", "Something went wrong in the server.", "try again, and report it"),
  unavailable: row(9002, 503, "later", "A part that is needed cannot be reached.", "try again after Retry-After"),
  timeout: row(9003, 504, "later", "A part that is needed did not answer in time.", "try again"),
} as const satisfies Readonly<Record<string, ErrorRow>>;

/** Numbers of rows that are no more. They are not given to anything else: a client of any age must read the same meaning. */
export const retiredErrorNumbers: readonly number[] = [1008, 4022, 4024];

/** When the same thing may be tried again. */
export type Retry =
  /** It will fail again. */
  | "never"
  /** The same request, after a pause. */
  | "later"
  /** With another token. */
  | "new-token"
  /** With a new session. */
  | "new-session"
  /** After the client has fetched the present state. */
  | "changed";

export interface ErrorRow {
  readonly number: number;
  /** The HTTP status that carries it; 0: never an HTTP answer (a reason in a status or an event). */
  readonly httpStatus: number;
  readonly retry: Retry;
  readonly text: string;
  /** What the client does about it. */
  readonly action: string;
}

export type ErrorName = keyof typeof errorTable;

function row<const N extends number, const S extends number>(
  number: N,
  httpStatus: S,
  retry: Retry,
  text: string,
  action: string,
): ErrorRow & { readonly number: N; readonly httpStatus: S } {
  return { number, httpStatus, retry, text, action };
}

/** A refusal with its number of the table, as a value. `detail` is for people and tells no secrets. */
export interface ParleyError {
  readonly name: ErrorName;
  readonly detail?: string;
}

export function parleyError(name: ErrorName, detail?: string): ParleyError {
  return detail === undefined ? { name } : { name, detail };
}

/** The number of an error, as it goes over the wire. */
export function errorNumber(name: ErrorName): number {
  return errorTable[name].number;
}

const namesByNumber: ReadonlyMap<number, ErrorName> = new Map(
  (Object.keys(errorTable) as ErrorName[]).map((name) => [errorTable[name].number, name]),
);

/** The name of a number from the wire; undefined when a newer peer knows more than we do. */
export function errorName(number: number): ErrorName | undefined {
  return namesByNumber.get(number);
}

/** The body of an HTTP answer that refuses (`application/json`). */
export interface ErrorBody {
  readonly error: { readonly number: number; readonly name: string; readonly text: string; readonly retry: Retry };
}

export function errorBody(error: ParleyError): ErrorBody {
  const { number, text, retry } = errorTable[error.name];
  return {
    error: { number, name: error.name, text: error.detail === undefined ? text : `${text} ${error.detail}`, retry },
  };
}
