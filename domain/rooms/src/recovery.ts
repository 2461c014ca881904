import type { RoomInput } from "./io.ts";
import { readHeldGrant, type HeldGrant } from "./rebuild.ts";

/** Nodes answer within a few milliseconds; in a fresh process without any, this is all that a first join can wait. */
const firstAnswerMs = 150;
/** After the last grant that came: nodes send thousands in one go. */
const quietMs = 250;
/** Joins wait under 3 s (architecture.md, "Failure table"). */
const longestMs = 2_000;

/** The first moments of a process: grants are collected from the media nodes, and all that would meet half-built rooms waits. */
export class Recovery {
  readonly held: HeldGrant[] = [];
  readonly waiting: RoomInput[] = [];
  readonly #startedAtMs: number;
  #untilMs: number;

  constructor(nowMs: number) {
    this.#startedAtMs = nowMs;
    this.#untilMs = nowMs + firstAnswerMs;
  }

  /** Whether the input is kept for later, or was what recovery is about. */
  keeps(input: RoomInput, nowMs: number): boolean {
    switch (input.type) {
      case "grant-held": {
        const held = readHeldGrant(input.grant);
        if (held === undefined) return true;
        this.held.push(held);
        this.#untilMs = Math.min(this.#startedAtMs + longestMs, Math.max(this.#untilMs, nowMs + quietMs));
        return true;
      }
      case "command":
      case "transfer":
      case "transfer-settled":
      case "connection-gone":
      case "node-lost":
        this.waiting.push(input);
        return true;
      // They come again within seconds.
      case "session-status":
      case "audio-levels":
      case "presence":
        return true;
      case "recover":
      case "tick":
      case "transfer-answered":
        return false;
    }
  }

  isOver(nowMs: number): boolean {
    return nowMs >= this.#untilMs;
  }
}
