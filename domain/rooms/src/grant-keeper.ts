import type { SessionGrant, SessionStatus } from "@parley/protocol";

/** Until the node has acknowledged: the bus may lose anything. */
const repeatMs = 1_000;
/** Afterwards: so that a node that lost it comes right; a node forgets a session after three of these and a bit (35 s). */
const refreshMs = 10_000;
/** A closing grant is not acknowledged for ever by a node that has forgotten the session. */
const closeForMs = 10_000;

interface Kept {
  readonly nodeId: string;
  readonly grant: SessionGrant;
  readonly since: number;
  acknowledged: bigint;
  sentAtMs: number;
}

/** The desired state of every session, and when to send it again. */
export class GrantKeeper {
  readonly #bySession = new Map<string, Kept>();
  readonly #byUfrag = new Map<string, string>();

  get size(): number {
    return this.#bySession.size;
  }

  /** A new revision; the caller sends it now. */
  put(nodeId: string, grant: SessionGrant, nowMs: number): void {
    const before = this.#bySession.get(grant.sessionId);
    this.#forgetUfrag(before);
    this.#bySession.set(grant.sessionId, {
      nodeId,
      grant,
      since: nowMs,
      acknowledged: before?.acknowledged ?? 0n,
      sentAtMs: nowMs,
    });
    if (grant.ice !== undefined && !grant.closed) this.#byUfrag.set(grant.ice.localUfrag, grant.sessionId);
  }

  /** What a node asks for that got a check with a ufrag it does not know. */
  byUfrag(localUfrag: string): SessionGrant | undefined {
    const sessionId = this.#byUfrag.get(localUfrag);
    return sessionId === undefined ? undefined : this.#bySession.get(sessionId)?.grant;
  }

  acknowledge(status: SessionStatus): void {
    const kept = this.#bySession.get(status.sessionId);
    if (kept === undefined || kept.nodeId !== status.nodeId) return;
    // Also downwards: a node that says less has lost what it had.
    kept.acknowledged = status.acknowledgedRevision;
    if (kept.grant.closed && kept.acknowledged >= kept.grant.revision) this.#remove(status.sessionId);
  }

  forgetNode(nodeId: string, bootId: bigint): void {
    for (const [sessionId, { nodeId: node, grant }] of this.#bySession) {
      if (node === nodeId && grant.nodeBootId === bootId) this.#remove(sessionId);
    }
  }

  /** What is to be sent again now. */
  due(nowMs: number): { readonly nodeId: string; readonly grant: SessionGrant }[] {
    const due: Kept[] = [];
    for (const [sessionId, kept] of this.#bySession) {
      if (kept.grant.closed && nowMs - kept.since > closeForMs) {
        this.#remove(sessionId);
        continue;
      }
      const periodMs = kept.acknowledged >= kept.grant.revision ? refreshMs : repeatMs;
      if (nowMs - kept.sentAtMs < periodMs) continue;
      kept.sentAtMs = nowMs;
      due.push(kept);
    }
    return due;
  }

  #remove(sessionId: string): void {
    this.#forgetUfrag(this.#bySession.get(sessionId));
    this.#bySession.delete(sessionId);
  }

  #forgetUfrag(kept: Kept | undefined): void {
    if (kept?.grant.ice !== undefined) this.#byUfrag.delete(kept.grant.ice.localUfrag);
  }
}
