import { type ErrorName, SessionState } from "@parley/protocol";
import type { Grant } from "../negotiation/grant-parts.ts";
import { isOpenGrant, type OpenGrant } from "./session-machine.ts";

export interface GrantTableOptions {
  readonly maxSessions: number;
  /** Signaling names a living session every 10 s; three may be lost. */
  readonly forgottenAfterMs: number;
  /** How long a closed session is remembered, so that a late repeat does not open it again. */
  readonly closedMemoryMs: number;
}

export const DEFAULT_GRANT_TABLE_OPTIONS: GrantTableOptions = {
  maxSessions: 10_000,
  forgottenAfterMs: 35_000,
  closedMemoryMs: 60_000,
};

/** What a grant means for the node. */
export type GrantVerdict =
  | { readonly type: "open"; readonly grant: OpenGrant }
  /** A higher revision of a session that is here. */
  | { readonly type: "apply"; readonly grant: Grant }
  /** The revision that is applied already: acknowledge again. */
  | { readonly type: "repeat" }
  /** The same, and signaling knows that it is here. */
  | { readonly type: "stands" }
  /** It is not here, or not in this revision: say what is here (0: nothing), and the whole of it comes. */
  | { readonly type: "lacking"; readonly revision: bigint }
  /** An older revision, overtaken on its way. */
  | { readonly type: "stale" }
  /** Answer with this state and reason, and do nothing. */
  | {
      readonly type: "refuse";
      readonly state: SessionState;
      readonly reason: ErrorName;
      /** To be acknowledged: the highest that was heard of. */
      readonly revision: bigint;
    }
  | { readonly type: "malformed" };

/** Which grant is meant, without what it grants. */
export type GrantHead = Pick<Grant, "appId" | "roomId" | "sessionId" | "revision" | "nodeBootId">;

interface Entry {
  grant: Grant;
  heardAtMs: number;
}

/** Which sessions the node has been granted, by revision, ufrag and age. Sans-IO. */
export class GrantTable {
  readonly #bootId: bigint;
  readonly #options: GrantTableOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #closed = new Map<string, { revision: bigint; readonly atMs: number }>();
  readonly #byUfrag = new Map<string, string>();
  /** No new session is taken. */
  draining = false;

  constructor(bootId: bigint, options: GrantTableOptions = DEFAULT_GRANT_TABLE_OPTIONS) {
    this.#bootId = bootId;
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  grants(): Grant[] {
    return [...this.#entries.values()].map(({ grant }) => grant);
  }

  /** The session a local ufrag belongs to, the one of before a restart included. */
  sessionOfUfrag(ufrag: string): string | undefined {
    return this.#byUfrag.get(ufrag);
  }

  accept(grant: Grant, nowMs: number): GrantVerdict {
    const refusal = this.#check(grant);
    if (refusal !== undefined) return refusal;
    const entry = this.#entries.get(grant.sessionId);
    return entry === undefined ? this.#acceptNew(grant, nowMs) : this.#acceptKnown(entry, grant, nowMs);
  }

  /** Signaling still wants what it believes to be here. */
  confirm(head: GrantHead, nowMs: number): GrantVerdict {
    const refusal = this.#check(head);
    if (refusal !== undefined) return refusal;
    const { sessionId, revision } = head;
    const entry = this.#entries.get(sessionId);
    if (entry === undefined) return this.#closedAlready(head) ?? { type: "lacking", revision: 0n };
    entry.heardAtMs = nowMs;
    if (revision < entry.grant.revision) return { type: "stale" };
    return revision === entry.grant.revision ? { type: "stands" } : { type: "lacking", revision: entry.grant.revision };
  }

  /** Session ids are minted, so one is never used for another tenant's session; a grant that tries is not from signaling. */
  #check({ appId, roomId, sessionId, nodeBootId, revision }: GrantHead): GrantVerdict | undefined {
    if (sessionId === "") return { type: "malformed" };
    const there = this.#entries.get(sessionId)?.grant;
    if (there !== undefined && (there.appId !== appId || there.roomId !== roomId)) return { type: "malformed" };
    if (nodeBootId === 0n || nodeBootId === this.#bootId) return undefined;
    return { type: "refuse", state: SessionState.FAILED, reason: "session-lost", revision };
  }

  #closedAlready({ sessionId, revision }: GrantHead): GrantVerdict | undefined {
    const closed = this.#closed.get(sessionId);
    if (closed === undefined) return undefined;
    if (revision > closed.revision) closed.revision = revision;
    return { type: "refuse", state: SessionState.CLOSED, reason: "session-closed", revision: closed.revision };
  }

  #acceptNew(grant: Grant, nowMs: number): GrantVerdict {
    const { revision } = grant;
    if (grant.closed && !this.#closed.has(grant.sessionId)) {
      this.#closed.set(grant.sessionId, { revision, atMs: nowMs });
    }
    const refusal = this.#closedAlready(grant);
    if (refusal !== undefined) return refusal;
    if (!isOpenGrant(grant)) return { type: "malformed" };
    if (this.draining) return { type: "refuse", state: SessionState.FAILED, reason: "draining", revision };
    if (this.#entries.size >= this.#options.maxSessions) {
      return { type: "refuse", state: SessionState.FAILED, reason: "too-many-sessions", revision };
    }
    this.#entries.set(grant.sessionId, { grant, heardAtMs: nowMs });
    this.#indexUfrags(grant);
    return { type: "open", grant };
  }

  #acceptKnown(entry: Entry, grant: Grant, nowMs: number): GrantVerdict {
    entry.heardAtMs = nowMs;
    if (grant.revision < entry.grant.revision) return { type: "stale" };
    if (grant.revision === entry.grant.revision) return { type: "repeat" };
    if (!grant.closed && !isOpenGrant(grant)) return { type: "malformed" };
    const before = entry.grant;
    if (grant.closed) {
      this.#dropUfrags(before);
      this.#entries.delete(grant.sessionId);
      this.#closed.set(grant.sessionId, { revision: grant.revision, atMs: nowMs });
    } else {
      entry.grant = grant;
      // Most revisions bind a slot, and share the rest with the one before.
      if (before.ice !== grant.ice) {
        this.#dropUfrags(before);
        this.#indexUfrags(grant);
      }
    }
    return { type: "apply", grant };
  }

  /** Forgets closed sessions of long ago; returns the sessions that nobody has wanted for too long, which are forgotten too. */
  sweep(nowMs: number): string[] {
    for (const [sessionId, { atMs }] of this.#closed) {
      if (nowMs - atMs < this.#options.closedMemoryMs) break;
      this.#closed.delete(sessionId);
    }
    const forgotten: string[] = [];
    for (const [sessionId, entry] of this.#entries) {
      if (nowMs - entry.heardAtMs < this.#options.forgottenAfterMs) continue;
      this.#entries.delete(sessionId);
      this.#dropUfrags(entry.grant);
      forgotten.push(sessionId);
    }
    return forgotten;
  }

  #indexUfrags({ sessionId, ice }: Grant): void {
    for (const ufrag of [ice?.localUfrag, ice?.previousLocalUfrag]) {
      if (ufrag !== undefined && ufrag !== "") this.#byUfrag.set(ufrag, sessionId);
    }
  }

  #dropUfrags({ sessionId, ice }: Grant): void {
    for (const ufrag of [ice?.localUfrag, ice?.previousLocalUfrag]) {
      if (ufrag !== undefined && this.#byUfrag.get(ufrag) === sessionId) this.#byUfrag.delete(ufrag);
    }
  }
}
