import type { BusHandler } from "@parley/foundation";
import { hasWildcard, SubjectPattern } from "./subject-pattern.ts";

export interface Subscriber {
  readonly subject: string;
  readonly queue: string | undefined;
  readonly handler: BusHandler;
  live: boolean;
}

/** Who is subscribed to what. */
export class Subscriptions {
  readonly #exact = new Map<string, Set<Subscriber>>();
  readonly #patterns = new Map<Subscriber, SubjectPattern>();
  /** Turns of each queue group, so that its members take messages one after the other. */
  readonly #turns = new Map<string, number>();

  add(subscriber: Subscriber): void {
    if (hasWildcard(subscriber.subject)) {
      this.#patterns.set(subscriber, new SubjectPattern(subscriber.subject));
      return;
    }
    const there = this.#exact.get(subscriber.subject);
    if (there === undefined) this.#exact.set(subscriber.subject, new Set([subscriber]));
    else there.add(subscriber);
  }

  remove(subscriber: Subscriber): void {
    subscriber.live = false;
    this.#patterns.delete(subscriber);
    const there = this.#exact.get(subscriber.subject);
    if (there?.delete(subscriber) === true && there.size === 0) this.#exact.delete(subscriber.subject);
  }

  clear(): void {
    for (const subscriber of [...this.#patterns.keys(), ...[...this.#exact.values()].flatMap((all) => [...all])]) {
      this.remove(subscriber);
    }
    this.#turns.clear();
  }

  /** Everybody who gets a message on `subject`: all without a queue, one of each queue group. */
  receivers(subject: string): Subscriber[] {
    const matching = [...(this.#exact.get(subject) ?? [])];
    if (this.#patterns.size > 0) {
      const tokens = subject.split(".");
      for (const [subscriber, pattern] of this.#patterns) if (pattern.matches(tokens)) matching.push(subscriber);
    }
    if (matching.every((subscriber) => subscriber.queue === undefined)) return matching;
    return this.#oneOfEachQueue(matching);
  }

  #oneOfEachQueue(matching: readonly Subscriber[]): Subscriber[] {
    const receivers: Subscriber[] = [];
    const groups = new Map<string, Subscriber[]>();
    for (const subscriber of matching) {
      if (subscriber.queue === undefined) receivers.push(subscriber);
      else {
        const group = groups.get(subscriber.queue);
        if (group === undefined) groups.set(subscriber.queue, [subscriber]);
        else group.push(subscriber);
      }
    }
    for (const [queue, members] of groups) {
      const turn = this.#turns.get(queue) ?? 0;
      this.#turns.set(queue, (turn + 1) >>> 0);
      const chosen = members[turn % members.length];
      if (chosen !== undefined) receivers.push(chosen);
    }
    return receivers;
  }
}
