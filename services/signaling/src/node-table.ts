import type { NodeAnnouncement } from "@parley/protocol";

/** A node that was silent for so long is gone: three announcements (architecture.md, "Bus"). */
const forgetAfterMs = 750;
/** Silence counts in steps of at most this. A stall of our own must not look like everybody else's silence: their announcements wait in our queue. */
const maxStepMs = 300;
/** A node is left out at this load; rooms stay together until then. */
const fullLoad = 0.95;

interface Node {
  announcement: NodeAnnouncement;
  silentMs: number;
}

export interface LostNode {
  readonly nodeId: string;
  readonly bootId: bigint;
}

/** The media nodes that live, by their announcements. */
export class NodeTable {
  readonly #nodes = new Map<string, Node>();
  #tickedAtMs: number | undefined;

  get size(): number {
    return this.#nodes.size;
  }

  /** Takes an announcement; a node that was started anew has lost its former self. */
  announced(announcement: NodeAnnouncement): LostNode | undefined {
    const { nodeId, bootId } = announcement;
    const before = this.#nodes.get(nodeId)?.announcement;
    this.#nodes.set(nodeId, { announcement, silentMs: 0 });
    return before !== undefined && before.bootId !== bootId ? { nodeId, bootId: before.bootId } : undefined;
  }

  /** To be called every 100 ms or so; tells who has fallen silent. */
  tick(nowMs: number): LostNode[] {
    const stepMs = Math.min(maxStepMs, nowMs - (this.#tickedAtMs ?? nowMs));
    this.#tickedAtMs = nowMs;
    const lost: LostNode[] = [];
    for (const [nodeId, node] of this.#nodes) {
      node.silentMs += stepMs;
      if (node.silentMs < forgetAfterMs) continue;
      this.#nodes.delete(nodeId);
      lost.push({ nodeId, bootId: node.announcement.bootId });
    }
    return lost;
  }

  get(nodeId: string): NodeAnnouncement | undefined {
    return this.#nodes.get(nodeId)?.announcement;
  }

  /** The node for a new session: one that has the room already, else the least loaded. */
  pick(preferred: ReadonlySet<string>): NodeAnnouncement | undefined {
    let best: NodeAnnouncement | undefined;
    let bestCost = Number.POSITIVE_INFINITY;
    for (const { announcement } of this.#nodes.values()) {
      if (announcement.draining || announcement.load >= fullLoad) continue;
      const cost = announcement.load + (preferred.has(announcement.nodeId) ? 0 : 1);
      if (cost < bestCost) [best, bestCost] = [announcement, cost];
    }
    return best;
  }
}
