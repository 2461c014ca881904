import type { SessionGrant, SessionStatus } from "@parley/protocol";
import { groupStanding, type StandingOutput } from "./standing-grants.ts";

/** Until the node has acknowledged: the bus may lose anything. */
const repeatMs = 1_000;
/** Afterwards: so that a node that lost it comes right; a node forgets a session after three of these and a bit (35 s). */
const refreshMs = 10_000;
/** Who is due within this is named with those who are due now: one message a second, however many sessions there are. */
const refreshTogetherMs = 1_000;
/** A closing grant is not acknowledged for ever by a node that has forgotten the session. */
const closeForMs = 10_000;

interface Kept {
  readonly nodeId: string;
  readonly grant: SessionGrant;
  readonly since: number;
  sentAtMs: number;
}

/** The desired state of every session, and when to send it again. */
export class GrantKeeper {
  /** Not acknowledged. */
  readonly #waiting = new Map<string, Kept>();
  /** Acknowledged; who was told longest ago comes first, so that a tick looks at nobody else. */
  readonly #standing = new Map<string, Kept>();
  readonly #byUfrag = new Map<string, string>();

  get size(): number {
    return this.#waiting.size + this.#standing.size;
  }

  /** A new revision; the caller sends it now. */
  put(nodeId: string, grant: SessionGrant, nowMs: number): void {
    this.#remove(grant.sessionId);
    this.#waiting.set(grant.sessionId, { nodeId, grant, since: nowMs, sentAtMs: nowMs });
    if (grant.ice !== undefined && !grant.closed) this.#byUfrag.set(grant.ice.localUfrag, grant.sessionId);
  }

  /** What a node asks for that got a check with a ufrag it does not know. */
  byUfrag(localUfrag: string): SessionGrant | undefined {
    const sessionId = this.#byUfrag.get(localUfrag);
    return sessionId === undefined ? undefined : this.#find(sessionId)?.grant;
  }

  acknowledge(status: SessionStatus, nowMs: number): void {
    const { sessionId, acknowledgedRevision } = status;
    const kept = this.#find(sessionId);
    if (kept === undefined || kept.nodeId !== status.nodeId) return;
    if (acknowledgedRevision < kept.grant.revision) {
      // Also downwards: a node that says less has lost what it had.
      if (this.#standing.delete(sessionId)) this.#waiting.set(sessionId, kept);
    } else if (kept.grant.closed) {
      this.#remove(sessionId);
    } else if (this.#waiting.delete(sessionId)) {
      kept.sentAtMs = nowMs;
      this.#standing.set(sessionId, kept);
    }
  }

  forgetNode(nodeId: string, bootId: bigint): void {
    for (const kept of [this.#waiting, this.#standing]) {
      for (const [sessionId, { nodeId: node, grant }] of kept) {
        if (node === nodeId && grant.nodeBootId === bootId) this.#remove(sessionId);
      }
    }
  }

  /** Grants that are to be sent again now, because they were not acknowledged. */
  due(nowMs: number): { readonly nodeId: string; readonly grant: SessionGrant }[] {
    const due: { readonly nodeId: string; readonly grant: SessionGrant }[] = [];
    for (const [sessionId, kept] of this.#waiting) {
      if (kept.grant.closed && nowMs - kept.since > closeForMs) {
        this.#remove(sessionId);
        continue;
      }
      if (nowMs - kept.sentAtMs < repeatMs) continue;
      kept.sentAtMs = nowMs;
      due.push({ nodeId: kept.nodeId, grant: kept.grant });
    }
    return due;
  }

  /** What the nodes are to be told of the grants that they have acknowledged. */
  standing(nowMs: number): StandingOutput[] {
    const [oldest] = this.#standing.values();
    if (oldest === undefined || nowMs - oldest.sentAtMs < refreshMs) return [];
    const named: Kept[] = [];
    for (const kept of this.#standing.values()) {
      if (nowMs - kept.sentAtMs < refreshMs - refreshTogetherMs) break;
      named.push(kept);
    }
    for (const kept of named) {
      kept.sentAtMs = nowMs;
      this.#standing.delete(kept.grant.sessionId);
      this.#standing.set(kept.grant.sessionId, kept);
    }
    return groupStanding(named);
  }

  #find(sessionId: string): Kept | undefined {
    return this.#standing.get(sessionId) ?? this.#waiting.get(sessionId);
  }

  #remove(sessionId: string): void {
    const ice = this.#find(sessionId)?.grant.ice;
    if (ice !== undefined) this.#byUfrag.delete(ice.localUfrag);
    this.#standing.delete(sessionId);
    this.#waiting.delete(sessionId);
  }
}
