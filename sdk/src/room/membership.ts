import type { Joined, RoomResponse, SessionAnswer } from "@parley/protocol";
import { ParleyError, sdkError } from "../api/error.ts";
import type { JoinOptions } from "../api/options.ts";
import type { OpenSessionInit, SessionRequests } from "../media/session-requests.ts";
import type { Platform } from "../platform/platform.ts";
import { backoffMs } from "../signal/backoff.ts";
import type { SignalLink } from "../signal/link.ts";
import type { RoomMethod } from "./local-participant.ts";
import { kindToWire } from "./wire-values.ts";

/**
 * `out`: not in the room. `joining`: a join is under way (the first, or again after a break). `waiting`: in the lobby. `in`: joined; a
 * broken link is resumed under it.
 */
export type Phase = "out" | "joining" | "waiting" | "in";

export interface MembershipDeps {
  readonly link: SignalLink;
  readonly platform: Platform;
  /** Offers for the join; made anew for each one. */
  prepareMedia(): Promise<OpenSessionInit[]>;
  /** The join has to do without media. */
  resetMedia(): void;
  /** In the room, or (`waiting`) in its lobby. */
  onJoined(joined: Joined): void;
  /** The server does not know us any more; a join in place of who we were is under way. */
  onReconnecting(): void;
  /** There is no way back. */
  onFailed(error: ParleyError): void;
}

/** A join may have to wait for a room's new owner. */
const joinDeadlineMs = 15_000;
/** How often to look whether the link is back. */
const linkPauseMs = 500;
/** A join is all or nothing; with these it may still do without media. */
const mediaRefusals: ReadonlySet<string> = new Set([
  "permission-denied",
  "grant-missing",
  "no-media-node",
  "no-common-codec",
]);

/** Our being in one room: joins it, joins again when the server has forgotten us, and asks it things. */
export class Membership {
  readonly #deps: MembershipDeps;
  #phase: Phase = "out";
  #roomId = "";
  #participantId = "";
  #join: JoinOptions = {};
  #rejoins = 0;
  /** Grows with every join and at the end; what belongs to an older one is void. */
  #turn = 0;

  constructor(deps: MembershipDeps) {
    this.#deps = deps;
  }

  get phase(): Phase {
    return this.#phase;
  }
  /** "" before the first join. */
  get roomId(): string {
    return this.#roomId;
  }
  /** "" before it is known. */
  get participantId(): string {
    return this.#participantId;
  }

  /** Resolves when in, or in the lobby. */
  async join(roomId: string, options: JoinOptions): Promise<void> {
    this.#roomId = roomId;
    this.#join = options;
    this.#participantId = "";
    this.#rejoins = 0;
    await this.#joinNow("");
  }

  /** The server does not know us any more: everything from the start, in place of who we were. */
  rejoin(): void {
    if (this.#phase === "out") return;
    this.#deps.onReconnecting();
    const joining = this.#joinNow(this.#participantId);
    const turn = this.#turn;
    joining.catch((error: unknown) => {
      // Else another join, or a move, has taken its place.
      if (turn === this.#turn) this.#onRejoinFailed(error);
    });
  }

  /** What a join, an admission or a move brought. */
  take(joined: Joined): void {
    this.#participantId = joined.participantId;
    this.#rejoins = 0;
    this.#phase = joined.waiting ? "waiting" : "in";
    this.#deps.onJoined(joined);
  }

  /** A host has put us into another room; without `joined` it has to be joined. */
  move(toRoomId: string, joined: Joined | undefined): void {
    this.#turn += 1;
    this.#roomId = toRoomId;
    if (joined === undefined) this.rejoin();
    else this.take(joined);
  }

  leave(): void {
    this.#turn += 1;
    this.#phase = "out";
  }

  // ---- requests ----

  /** As {@link request}, only while in the room. */
  async ask(method: RoomMethod): Promise<RoomResponse | undefined> {
    if (this.#phase === "out") throw sdkError("not-connected");
    if (this.#phase === "joining") throw sdkError("connection-lost");
    const turn = this.#turn;
    try {
      return await this.request(method);
    } catch (error) {
      if (error instanceof ParleyError && error.code === "not-in-room" && this.#deps.link.state === "connected") {
        // Moved meanwhile: we are not in the room that was asked, and need not be.
        if (this.#phase === "in" && turn === this.#turn) this.rejoin();
        throw sdkError("connection-lost");
      }
      throw error;
    }
  }

  async moderate(method: RoomMethod): Promise<void> {
    try {
      await this.ask(method);
    } catch (error) {
      // The room's end may overtake the answer to the command that ended it.
      const closes = method.case === "moderate" && method.value.command?.case === "closeRoom";
      if (!closes || this.#phase !== "out") throw error;
    }
  }

  request(method: RoomMethod, deadlineMs?: number): Promise<RoomResponse | undefined> {
    return this.#deps.link.request({ case: "room", value: { roomId: this.#roomId, method } }, deadlineMs);
  }

  /** What the media sessions ask of the room. */
  sessionRequests(): SessionRequests {
    const answered = (response: RoomResponse | undefined): SessionAnswer => {
      if (response?.result.case !== "session") throw sdkError("media-failed", "An answer of another kind.");
      return response.result.value;
    };
    return {
      open: async (value) => answered(await this.ask({ case: "openSession", value })),
      update: async (value) => answered(await this.ask({ case: "updateSession", value })),
      bind: async (value) => {
        const response = await this.ask({ case: "bindSlots", value });
        return response?.result.case === "slots" ? response.result.value.slots : [];
      },
      close: async (session) => {
        await this.ask({ case: "closeSession", value: { session } });
      },
    };
  }

  // ---- one join ----

  async #joinNow(replacesParticipantId: string): Promise<void> {
    this.#turn += 1;
    const turn = this.#turn;
    this.#phase = "joining";
    const roomId = this.#roomId;
    const sessions = await this.#deps.prepareMedia();
    if (turn !== this.#turn) throw sdkError("cancelled");
    const { name = "", attributes = {}, kind } = this.#join;
    const value = {
      name,
      attributes: { ...attributes },
      sessions,
      replacesParticipantId,
      ...(kind === undefined ? {} : { kind: kindToWire(kind) }),
    };
    const response = await this.request({ case: "join", value }, joinDeadlineMs).catch((error: unknown) => {
      const withoutMedia = error instanceof ParleyError && mediaRefusals.has(error.code) && sessions.length > 0;
      if (!withoutMedia || turn !== this.#turn) throw error;
      this.#deps.resetMedia();
      return this.request({ case: "join", value: { ...value, sessions: [] } }, joinDeadlineMs);
    });
    if (turn !== this.#turn) {
      // Moved meanwhile: the room that we have joined after that must not keep us.
      if (this.phase !== "out" && roomId !== this.#roomId) this.leaveRoom(roomId);
      throw sdkError("cancelled");
    }
    if (response?.result.case !== "joined") throw sdkError("connect-failed", "An answer of another kind.");
    this.take(response.result.value);
  }

  #onRejoinFailed(error: unknown): void {
    const reason = error instanceof ParleyError ? error : sdkError("media-failed", String(error), error);
    // The link joins again when it is back.
    if (reason.code === "connection-lost") return;
    // By a join whose answer came too late.
    if (reason.code === "already-in-room") this.leaveRoom(this.#roomId);
    else if (!reason.retryable && reason.code !== "cancelled") {
      this.#deps.onFailed(reason);
      return;
    }
    const pauseMs = Math.max(reason.retryAfterMs, backoffMs(this.#rejoins, this.#deps.platform.random));
    this.#rejoins += 1;
    this.#rejoinAfter(pauseMs);
  }

  #rejoinAfter(pauseMs: number): void {
    const turn = this.#turn;
    this.#deps.platform.clock.after(pauseMs, () => {
      if (turn !== this.#turn) return;
      if (this.#deps.link.state === "connected") this.rejoin();
      // It may be resumed, which joins nothing.
      else this.#rejoinAfter(linkPauseMs);
    });
  }

  /** Nobody waits for it. */
  leaveRoom(roomId: string): void {
    const leaving = this.#deps.link.request({ case: "room", value: { roomId, method: { case: "leave", value: {} } } });
    leaving.catch(() => undefined);
  }
}
