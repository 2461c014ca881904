import type { BusHandler } from "@parley/foundation";
import { hasWildcard, isSubject, SubjectPattern } from "./subject-pattern.ts";

export interface Subscriber {
  readonly subject: string;
  readonly queue: string | undefined;
  readonly handler: BusHandler;
  live: boolean;
}

/** Who is subscribed to one subject: each of `all`, and one of each group. */
interface Route {
  readonly all: readonly Subscriber[];
  readonly groups: readonly { readonly queue: string; readonly members: readonly Subscriber[] }[];
}

/** Subjects name rooms and connections, so there are ever new ones: some are remembered. */
const maxRoutes = 2_000;
/** Two names of 128 bytes in base64url, and some. A subject made of anything longer is nobody's, and is not kept. */
const maxRememberedLength = 512;

/** Who is subscribed to what. */
export class Subscriptions {
  readonly #exact = new Map<string, Set<Subscriber>>();
  readonly #patterns = new Map<Subscriber, SubjectPattern>();
  /** By subjects that were published to since their subscriptions changed; undefined: it is no subject. */
  readonly #routes = new Map<string, Route | undefined>();
  /** Turns of each queue group, so that its members take messages one after the other. */
  readonly #turns = new Map<string, number>();

  add(subscriber: Subscriber): void {
    const { subject } = subscriber;
    this.#forgetRoutes(subject);
    if (hasWildcard(subject)) {
      this.#patterns.set(subscriber, new SubjectPattern(subject));
      return;
    }
    const there = this.#exact.get(subject);
    if (there === undefined) this.#exact.set(subject, new Set([subscriber]));
    else there.add(subscriber);
  }

  remove(subscriber: Subscriber): void {
    subscriber.live = false;
    this.#forgetRoutes(subscriber.subject);
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

  /** Everybody who gets a message on `subject`: all without a queue, one of each queue group. Undefined: it is no subject. */
  receivers(subject: string): readonly Subscriber[] | undefined {
    const route = this.#routeOf(subject);
    if (route === undefined || route.groups.length === 0) return route?.all;
    const receivers = [...route.all];
    for (const { queue, members } of route.groups) {
      const turn = this.#turns.get(queue) ?? 0;
      this.#turns.set(queue, (turn + 1) >>> 0);
      const chosen = members[turn % members.length];
      if (chosen !== undefined) receivers.push(chosen);
    }
    return receivers;
  }

  #routeOf(subject: string): Route | undefined {
    if (this.#routes.has(subject)) return this.#routes.get(subject);
    const route = isSubject(subject) ? this.#findRoute(subject) : undefined;
    if (this.#routes.size >= maxRoutes) this.#routes.clear();
    if (subject.length <= maxRememberedLength) this.#routes.set(subject, route);
    return route;
  }

  #findRoute(subject: string): Route {
    const matching = [...(this.#exact.get(subject) ?? [])];
    if (this.#patterns.size > 0) {
      const tokens = subject.split(".");
      for (const [subscriber, pattern] of this.#patterns) if (pattern.matches(tokens)) matching.push(subscriber);
    }
    const groups = new Map<string, Subscriber[]>();
    for (const subscriber of matching) {
      if (subscriber.queue === undefined) continue;
      const group = groups.get(subscriber.queue);
      if (group === undefined) groups.set(subscriber.queue, [subscriber]);
      else group.push(subscriber);
    }
    return {
      all: matching.filter(({ queue }) => queue === undefined),
      groups: [...groups].map(([queue, members]) => ({ queue, members })),
    };
  }

  #forgetRoutes(subject: string): void {
    if (hasWildcard(subject)) this.#routes.clear();
    else this.#routes.delete(subject);
  }
}
