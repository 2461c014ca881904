import assert from "node:assert/strict";
import type { RoomTransfer, RoomTransferReply, RoomTransferSettled } from "@parley/protocol";
import type { RoomOutput } from "../src/index.ts";
import type { CommandOptions, RoomBench } from "./room-bench.ts";

/** What owners of rooms tell each other, to be delivered when a test says so. */
export class Owners {
  readonly bench: RoomBench;
  /** Above all of the bench. */
  #requestId = 1_000_000;
  /** Answers to hosts, in their order: "done", or why not. */
  readonly answers = new Map<number, string>();

  constructor(bench: RoomBench) {
    this.bench = bench;
    bench.onOutput = (output) => this.#note(output);
  }

  /** A host's command; returns its request's id. */
  order(
    participantIds: readonly string[],
    toRoomId: string,
    options: CommandOptions & { readonly by?: string } = {},
  ): number {
    const { by = "host", ...rest } = options;
    this.#requestId += 1;
    const value = { command: { case: "move" as const, value: { participantIds: [...participantIds], toRoomId } } };
    this.bench.send(by, { case: "moderate", value }, { requestId: this.#requestId, ...rest });
    return this.#requestId;
  }

  readonly requested: RoomTransfer[] = [];
  readonly settlements: RoomTransferSettled[] = [];

  /** The next request that nobody has got yet. */
  next(): RoomTransfer {
    const transfer = this.requested.shift();
    assert.ok(transfer !== undefined, "an owner is asked");
    return transfer;
  }

  take(transfer: RoomTransfer): RoomTransferReply {
    const reply = this.bench
      .handle({ type: "transfer", transfer, replyTo: 1 })
      .find(({ type }) => type === "transfer-reply");
    assert.ok(reply?.type === "transfer-reply");
    return reply.reply;
  }

  answer({ transferId }: RoomTransfer, reply: RoomTransferReply | undefined): void {
    this.bench.handle({ type: "transfer-answered", transferId, reply });
  }

  settle(): void {
    for (const settled of this.settlements.splice(0)) this.bench.handle({ type: "transfer-settled", settled });
  }

  /** All that is under way, at once. */
  deliver(): void {
    while (this.requested.length > 0 || this.settlements.length > 0) {
      const transfer = this.requested.shift();
      if (transfer !== undefined) this.answer(transfer, this.take(transfer));
      this.settle();
    }
  }

  where(roomId: string, who = "host"): string[] {
    const answer = this.bench.command(who, { case: "getSnapshot", value: {} }, { roomId });
    assert.ok(answer.ok && answer.response.result.case === "snapshot");
    return answer.response.result.value.participants.map(({ userId }) => userId).sort();
  }

  #note(output: RoomOutput): void {
    if (output.type === "transfer-request") this.requested.push(output.transfer);
    if (output.type === "transfer-settled") this.settlements.push(output.settled);
    if (output.type !== "reply") return;
    const { result } = output.reply;
    this.answers.set(output.replyTo, result.case === "error" ? result.value.name : "done");
  }
}
