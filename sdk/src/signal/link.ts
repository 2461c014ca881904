import type { Clock, Random, Timer } from "@parley/foundation";
import {
  closeCodeName,
  errorName,
  errorTable,
  type Connected,
  type Disconnect,
  type RoomEvent,
  type ServerFrame,
} from "@parley/protocol";
import { TypedEmitter } from "../api/emitter.ts";
import { ParleyError, sdkError, wireError } from "../api/error.ts";
import type { TokenSource } from "../api/options.ts";
import { backoffMs } from "./backoff.ts";
import type { ClientFrameInit, FrameCodec } from "./frames.ts";
import { defaultDeadlineMs, PendingRequests, type RequestMethod, type RequestResult } from "./requests.ts";
import type { OpenSocket, SignalSocket } from "./socket.ts";
import { readToken } from "./token.ts";

/** `idle` and `closed` have no socket and want none. */
export type LinkState = "idle" | "connecting" | "connected" | "reconnecting" | "closed";

export interface LinkEvents {
  state: readonly [state: LinkState];
  /** The connection stands (again). Not resumed: everything the server knew of us is gone, rooms must be joined again. */
  established: readonly [outcome: { readonly resumed: boolean; readonly first: boolean; readonly userId: string }];
  event: readonly [event: RoomEvent];
  /** Over for good; undefined: by `close`. */
  closed: readonly [error: ParleyError | undefined];
}

export interface LinkOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly openSocket: OpenSocket;
  readonly codec: FrameCodec;
  readonly client: { readonly sdk: string; readonly browser: string; readonly os: string };
  readonly connectTimeoutMs: number;
  readonly reconnectTimeoutMs: number;
}

/** One attempt, from the socket to the answer: two bad mobile round trips with room to spare. */
const attemptTimeoutMs = 8_000;
/** An answer to a ping takes longer than this: the way is dead. */
const pongTimeoutMs = 5_000;
/** As above when there is a reason to doubt (the network changed, media stopped). */
const probeTimeoutMs = 2_000;
/** Acknowledge at least so often, so that the server can forget. */
const acknowledgeEvery = 64;
/** A token is replaced when this part of its remaining life has passed. */
const refreshAfterPart = 0.8;
/** Until the server has told its limit. */
const smallestFrameLimitBytes = 256 << 10;
/** Ids and acknowledgements are numbers of up to ten bytes each. */
const frameOverheadBytes = 32;
/** The longest a timer of a browser can wait is 2^31 ms. */
const longestTimerMs = 2 ** 31 - 1;

/**
 * The connection to the server: connects, keeps it alive, comes back by itself and resumes, repeats what was not answered. One
 * state machine; the socket, the clock and randomness come from outside.
 */
export class SignalLink extends TypedEmitter<LinkEvents> {
  readonly #options: LinkOptions;
  readonly #clock: Clock;
  readonly #requests: PendingRequests;
  #state: LinkState = "idle";
  #url = "";
  #tokenSource: TokenSource = "";
  /** A token the server has just refused must not be offered again. */
  #needsFreshToken = false;
  #socket: SignalSocket | undefined;
  #resume: { token: string; lastSeq: number } | undefined;
  #acknowledged = 0;
  #attempt = 0;
  #everEstablished = false;
  #giveUpAtMs = 0;
  #lastSentAtMs = 0;
  /** Of the timer that waits for an answer to a ping. */
  #pongDueMs = 0;
  #heartbeatMs = 10_000;
  #maxFrameBytes = smallestFrameLimitBytes;
  #rttMs: number | undefined;
  #lastError: ParleyError | undefined;
  #timers: { retry?: Timer; attempt?: Timer; beat?: Timer; pong?: Timer; refresh?: Timer } = {};
  #first: PromiseWithResolvers<void> | undefined;

  constructor(options: LinkOptions) {
    super();
    this.#options = options;
    this.#clock = options.clock;
    this.#requests = new PendingRequests(options.clock);
  }

  get state(): LinkState {
    return this.#state;
  }

  /** Last measured round trip; undefined before the first. */
  get rttMs(): number | undefined {
    return this.#rttMs;
  }

  /** Resolves when the server has let us in. Requests may be made at once: they travel with the connect frame. */
  connect(url: string, token: TokenSource): Promise<void> {
    if (this.#state !== "idle" && this.#state !== "closed")
      return Promise.reject(sdkError("bad-argument", "Connected already."));
    this.#url = url;
    this.#tokenSource = token;
    this.#needsFreshToken = false;
    this.#everEstablished = false;
    this.#resume = undefined;
    this.#attempt = 0;
    this.#giveUpAtMs = this.#clock.monoMs() + this.#options.connectTimeoutMs;
    const first = Promise.withResolvers<void>();
    this.#first = first;
    this.#setState("connecting");
    // It may end at once.
    this.#open();
    return first.promise;
  }

  /** Rejects with the server's error, `request-timeout`, `connection-lost` when it could not be resumed, or why the connection ended. */
  request(method: RequestMethod, deadlineMs = defaultDeadlineMs): Promise<RequestResult> {
    if (this.#state === "idle" || this.#state === "closed") return Promise.reject(sdkError("not-connected"));
    const value = { id: 1n, deadlineMs, method };
    // A frame that is too large would end the connection for good.
    const sizeBytes = this.#options.codec.encode({ frame: { case: "request", value } }).length + frameOverheadBytes;
    if (sizeBytes > this.#maxFrameBytes) {
      return Promise.reject(sdkError("message-too-large", `At most ${this.#maxFrameBytes} bytes.`));
    }
    const { answered } = this.#requests.add(method, deadlineMs);
    this.#flush("unsent");
    return answered;
  }

  /** There is doubt whether the way still works: ask, and reconnect soon when no answer comes. */
  probe(): void {
    if (this.#state === "connected") this.#ping(probeTimeoutMs);
    else if (this.#state === "reconnecting" || this.#state === "connecting") this.#retryNow();
  }

  close(): void {
    if (this.#state === "closed" || this.#state === "idle") return;
    this.#end(undefined);
  }

  #setState(state: LinkState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.emit("state", state);
  }

  get #isEstablished(): boolean {
    return this.#state === "connected";
  }

  // ---- one attempt ----

  #open(): void {
    const first = this.#attempt === 0 && !this.#everEstablished;
    this.#cancel("retry");
    this.#cancel("attempt");
    this.#timers.attempt = this.#clock.after(attemptTimeoutMs, () =>
      this.#broken(sdkError("connect-failed", "No answer.")),
    );
    let token: string | undefined;
    let opened = false;
    let socket: SignalSocket | undefined;
    const greet = (): void => {
      if (token === undefined || !opened || socket === undefined || this.#socket !== socket) return;
      this.#sendConnect(token);
      // The server takes requests before it has answered; after a break, whether we may repeat them is known only from its answer.
      if (this.#resume === undefined) this.#flush("all");
    };
    try {
      socket = this.#options.openSocket(this.#url, this.#options.codec.subprotocol, {
        open: () => {
          opened = true;
          greet();
        },
        message: (data) => {
          if (this.#socket === socket) this.#onData(data);
        },
        closed: (code) => {
          if (this.#socket === socket) this.#onClosed(code);
        },
      });
    } catch (error) {
      this.#end(error instanceof ParleyError ? error : sdkError("connect-failed", String(error), error));
      return;
    }
    this.#socket = socket;
    readToken(this.#tokenSource).then(
      (value) => {
        token = value;
        greet();
      },
      (error: unknown) => {
        if (this.#socket !== socket) return;
        const failed = sdkError("connect-failed", "The token function failed.", error);
        if (first) this.#end(failed);
        else this.#broken(failed);
      },
    );
  }

  #sendConnect(token: string): void {
    const resume =
      this.#resume === undefined
        ? {}
        : { resume: { resumeToken: this.#resume.token, lastSeq: BigInt(this.#resume.lastSeq) } };
    this.#sendFrame({ frame: { case: "connect", value: { token, client: this.#options.client, ...resume } } });
  }

  /** Sends requests if they may go now. */
  #flush(which: "all" | "unsent"): void {
    const early = this.#state === "connecting" && this.#resume === undefined && this.#greeted;
    if (!this.#isEstablished && !early) return;
    for (const value of this.#requests.frames(which)) this.#sendFrame({ frame: { case: "request", value } });
  }

  /** Whether this socket has carried the connect frame. */
  #greeted = false;

  #sendFrame(frame: ClientFrameInit): void {
    if (this.#socket === undefined) return;
    if (frame.frame?.case === "connect") this.#greeted = true;
    const lastSeq = this.#resume?.lastSeq ?? 0;
    const ack = this.#isEstablished && lastSeq > this.#acknowledged ? BigInt(lastSeq) : 0n;
    if (ack !== 0n) this.#acknowledged = lastSeq;
    this.#lastSentAtMs = this.#clock.monoMs();
    this.#socket.send(this.#options.codec.encode({ ...frame, ack }));
  }

  // ---- what comes in ----

  #onData(data: Uint8Array | string): void {
    const frame = this.#options.codec.decode(data);
    // A newer server may send what we do not know; it does not need an answer.
    if (frame === undefined) return;
    this.#heard();
    if (!this.#isNew(frame)) return;
    switch (frame.frame.case) {
      case "connected":
        this.#onConnected(frame.frame.value);
        break;
      case "response":
        this.#requests.answer(frame.frame.value);
        break;
      case "event":
        this.emit("event", frame.frame.value);
        break;
      case "pong":
        this.#rttMs = Math.max(0, this.#clock.monoMs() - Number(frame.frame.value.sentAtMs));
        break;
      case "disconnect":
        this.#onDisconnect(frame.frame.value);
        break;
      case "tokenRefreshed":
        this.#scheduleRefresh(Number(frame.frame.value.tokenExpiresAtUnixMs), this.#clock.unixMs());
        break;
      case undefined:
        break;
    }
    const unacknowledged = (this.#resume?.lastSeq ?? 0) - this.#acknowledged;
    if (this.#isEstablished && unacknowledged >= acknowledgeEvery) this.#sendFrame({});
  }

  /** Numbered frames are handled once and in order. */
  #isNew({ seq }: ServerFrame): boolean {
    if (seq === 0n || this.#resume === undefined) return true;
    if (Number(seq) <= this.#resume.lastSeq) return false;
    this.#resume.lastSeq = Number(seq);
    return true;
  }

  #onConnected(connected: Connected): void {
    const first = !this.#everEstablished;
    const { resumed } = connected;
    this.#cancel("attempt");
    this.#attempt = 0;
    this.#needsFreshToken = false;
    this.#everEstablished = true;
    const lastSeq = resumed ? (this.#resume?.lastSeq ?? 0) : 0;
    if (!resumed) this.#acknowledged = 0;
    const lost = !first && !resumed;
    this.#resume = { token: connected.resumeToken, lastSeq };
    this.#heartbeatMs = Math.max(1_000, connected.heartbeatIntervalMs);
    this.#maxFrameBytes = connected.limits?.maxFrameBytes ?? smallestFrameLimitBytes;
    this.#setState("connected");
    // Requests to rooms we are no longer in; what is to be done again, their owners know.
    if (lost) this.#requests.failAll(sdkError("connection-lost"));
    this.#flush(resumed ? "all" : "unsent");
    this.#beat();
    this.#scheduleRefresh(Number(connected.tokenExpiresAtUnixMs), Number(connected.serverTimeUnixMs));
    this.#first?.resolve();
    this.#first = undefined;
    this.emit("established", { resumed, first, userId: connected.userId });
  }

  #onDisconnect({ error, reconnect, retryAfterMs }: Disconnect): void {
    const failure = error === undefined ? sdkError("connect-failed") : wireError(error);
    const name = error === undefined ? undefined : errorName(error.number);
    const wantsToken = name !== undefined && errorTable[name].retry === "new-token";
    if (reconnect) {
      this.#broken(failure, retryAfterMs);
    } else if (
      wantsToken &&
      typeof this.#tokenSource === "function" &&
      !this.#needsFreshToken &&
      name !== "token-revoked"
    ) {
      this.#needsFreshToken = true;
      this.#broken(failure);
    } else {
      this.#end(failure);
    }
  }

  #onClosed(code: number): void {
    switch (closeCodeName(code)) {
      case "ended":
      case "replaced":
        this.#end(this.#lastError ?? sdkError("connect-failed", `The server ended the connection (${code}).`));
        break;
      case "new-token":
      case "later":
      case "resume":
      case undefined:
        this.#broken(sdkError("connect-failed", `The connection broke (${code}).`));
        break;
    }
  }

  // ---- alive or not ----

  #heard(): void {
    this.#cancel("pong");
  }

  #beat(): void {
    this.#cancel("beat");
    const sinceSentMs = this.#clock.monoMs() - this.#lastSentAtMs;
    this.#timers.beat = this.#clock.after(Math.max(0, this.#heartbeatMs - sinceSentMs), () => {
      if (!this.#isEstablished) return;
      if (this.#clock.monoMs() - this.#lastSentAtMs >= this.#heartbeatMs) this.#ping(pongTimeoutMs);
      this.#beat();
    });
  }

  #ping(timeoutMs: number): void {
    const value = { sentAtMs: BigInt(Math.floor(this.#clock.monoMs())), rttMs: Math.round(this.#rttMs ?? 0) };
    this.#sendFrame({ frame: { case: "ping", value } });
    const dueMs = this.#clock.monoMs() + timeoutMs;
    // Another doubt must not give a dead way more time.
    if (this.#timers.pong !== undefined && this.#pongDueMs <= dueMs) return;
    this.#pongDueMs = dueMs;
    this.#cancel("pong");
    this.#timers.pong = this.#clock.after(timeoutMs, () =>
      this.#broken(sdkError("connect-failed", "The server is silent.")),
    );
  }

  #scheduleRefresh(expiresAtUnixMs: number, serverNowUnixMs: number): void {
    this.#cancel("refresh");
    if (expiresAtUnixMs === 0 || typeof this.#tokenSource !== "function") return;
    const leftMs = Math.max(0, expiresAtUnixMs - serverNowUnixMs);
    const source = this.#tokenSource;
    const socket = this.#socket;
    this.#timers.refresh = this.#clock.after(Math.min(longestTimerMs, leftMs * refreshAfterPart), () => {
      readToken(source).then(
        (token) => {
          // A new socket has had a token of its own, perhaps of somebody else.
          if (this.#isEstablished && this.#socket === socket)
            this.#sendFrame({ frame: { case: "refreshToken", value: { token } } });
        },
        // The server ends the connection when the old one runs out; the reconnect asks again.
        () => undefined,
      );
    });
  }

  // ---- breaking and ending ----

  /** This socket is of no use any more; try again, not before `notBeforeMs` from now. */
  #broken(error: ParleyError, notBeforeMs = 0): void {
    this.#lastError = error;
    this.#dropSocket();
    const nowMs = this.#clock.monoMs();
    if (this.#state === "connected") this.#giveUpAtMs = nowMs + this.#options.reconnectTimeoutMs;
    const pauseMs = Math.max(notBeforeMs, backoffMs(this.#attempt, this.#options.random));
    this.#attempt += 1;
    if (nowMs + pauseMs > this.#giveUpAtMs) {
      this.#end(error);
      return;
    }
    if (this.#everEstablished) this.#setState("reconnecting");
    this.#timers.retry = this.#clock.after(pauseMs, () => this.#open());
  }

  #retryNow(): void {
    if (this.#timers.retry === undefined || this.#socket !== undefined) return;
    this.#open();
  }

  #end(error: ParleyError | undefined): void {
    this.#dropSocket();
    this.#resume = undefined;
    this.#setState("closed");
    const reason = error ?? sdkError("cancelled");
    this.#requests.failAll(reason);
    this.#first?.reject(reason);
    this.#first = undefined;
    this.emit("closed", error);
  }

  #dropSocket(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#greeted = false;
    for (const name of ["retry", "attempt", "beat", "pong", "refresh"] as const) this.#cancel(name);
    socket?.close();
  }

  #cancel(name: "retry" | "attempt" | "beat" | "pong" | "refresh"): void {
    this.#timers[name]?.cancel();
    delete this.#timers[name];
  }
}
