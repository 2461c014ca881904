import assert from "node:assert/strict";
import { test } from "node:test";
import { BusError, type Bus } from "@parley/foundation";

/** A fresh bus for one test; several views of it when it joins processes. */
export interface BusUnderTest {
  /** Two connections to the same bus; the same object where there is only one. */
  readonly first: Bus;
  readonly second: Bus;
  /** Resolves when what was published and subscribed before has arrived everywhere. */
  readonly settle: () => Promise<void>;
  readonly close: () => Promise<void>;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (payload: Uint8Array | undefined): string => new TextDecoder().decode(payload);

/** What every {@link Bus} must do. Each adapter's test calls this once. */
export function busContract(name: string, make: () => Promise<BusUnderTest>): void {
  const contract = (title: string, run: (bus: BusUnderTest) => Promise<void>): void => {
    test(`${name}: ${title}`, async () => {
      const bus = await make();
      try {
        await run(bus);
      } finally {
        await bus.close();
      }
    });
  };
  publishing(contract);
  requesting(contract);
  buckets(contract);
}

type Contract = (title: string, run: (bus: BusUnderTest) => Promise<void>) => void;

function publishing(contract: Contract): void {
  contract("delivers in order, never within publish", async ({ first, second, settle }) => {
    const seen: string[] = [];
    second.subscribe("a.b", (message) => seen.push(`${message.subject} ${text(message.payload)}`));
    await settle();
    first.publish("a.b", bytes("1"));
    first.publish("a.b", bytes("2"));
    first.publish("a.c", bytes("3"));
    assert.deepEqual(seen, []);
    await settle();
    assert.deepEqual(seen, ["a.b 1", "a.b 2"]);
  });

  contract("matches * with one token and a last > with one or more", async ({ first, second, settle }) => {
    const one: string[] = [];
    const more: string[] = [];
    second.subscribe("room.*.x", (message) => one.push(message.subject));
    second.subscribe("room.>", (message) => more.push(message.subject));
    await settle();
    for (const subject of ["room.a.x", "room.x", "room.a.b.x", "room", "rooms.a.x"]) first.publish(subject, bytes(""));
    await settle();
    assert.deepEqual(one, ["room.a.x"]);
    assert.deepEqual(more, ["room.a.x", "room.x", "room.a.b.x"]);
  });

  contract("gives each message to one member of a queue group and to everybody outside it", async (bus) => {
    let grouped = 0;
    let alone = 0;
    bus.first.subscribe("work", () => (grouped += 1), { queue: "q" });
    bus.second.subscribe("work", () => (grouped += 1), { queue: "q" });
    bus.second.subscribe("work", () => (alone += 1));
    await bus.settle();
    for (let count = 0; count < 10; count += 1) bus.first.publish("work", bytes(""));
    await bus.settle();
    assert.equal(grouped, 10);
    assert.equal(alone, 10);
  });

  contract("calls nobody after unsubscribe, and survives a handler that throws", async ({ first, second, settle }) => {
    const seen: string[] = [];
    const subscription = second.subscribe("a", () => seen.push("ended"));
    second.subscribe("a", () => {
      throw new Error("a handler's bug");
    });
    second.subscribe("a", () => seen.push("other"));
    await settle();
    first.publish("a", bytes(""));
    subscription.unsubscribe();
    await settle();
    assert.deepEqual(seen, ["other"]);
  });

  contract("whoever subscribes to a subject in use hears it from then on, and whoever leaves does not", async (bus) => {
    const seen: string[] = [];
    const publish = async (what: string): Promise<void> => {
      bus.first.publish("in.use", bytes(what));
      await bus.settle();
    };
    await publish("0");
    const exact = bus.second.subscribe("in.use", ({ payload }) => seen.push(`exact ${text(payload)}`));
    await bus.settle();
    await publish("1");
    const pattern = bus.second.subscribe("in.*", ({ payload }) => seen.push(`pattern ${text(payload)}`));
    await bus.settle();
    await publish("2");
    exact.unsubscribe();
    await bus.settle();
    await publish("3");
    pattern.unsubscribe();
    await bus.settle();
    await publish("4");
    assert.deepEqual(seen.sort(), ["exact 1", "exact 2", "pattern 2", "pattern 3"]);
  });

  contract("drops a publish to what is no subject", async ({ first, second, settle }) => {
    const seen: string[] = [];
    second.subscribe(">", (message) => seen.push(message.subject));
    await settle();
    for (const subject of ["", "a..b", "a.*", "a.>", ".a", "a b"]) first.publish(subject, bytes(""));
    await settle();
    assert.deepEqual(seen, []);
  });
}

function requesting(contract: Contract): void {
  contract("answers a request with the first reply", async ({ first, second, settle }) => {
    second.subscribe("echo", (message) => {
      message.reply?.(bytes(`first ${text(message.payload)}`));
      message.reply?.(bytes("second"));
    });
    await settle();
    assert.equal(text(await first.request("echo", bytes("x"), { timeoutMs: 1000 })), "first x");
  });

  contract("rejects at once when nobody is subscribed", async ({ first }) => {
    await assert.rejects(first.request("nobody", bytes(""), { timeoutMs: 60_000 }), code("no-responders"));
  });

  contract("rejects when nobody answers in time", async ({ first, second, settle }) => {
    second.subscribe("silent", () => undefined);
    await settle();
    await assert.rejects(first.request("silent", bytes(""), { timeoutMs: 20 }), code("timeout"));
  });

  contract("rejects when its signal aborts, before and while it waits", async ({ first, second, settle }) => {
    second.subscribe("silent", () => undefined);
    await settle();
    const signal = AbortSignal.abort();
    await assert.rejects(first.request("silent", bytes(""), { timeoutMs: 60_000, signal }), code("aborted"));
    const controller = new AbortController();
    const waiting = first.request("silent", bytes(""), { timeoutMs: 60_000, signal: controller.signal });
    controller.abort();
    await assert.rejects(waiting, code("aborted"));
  });

  contract("fails pending and later requests when it is closed", async ({ first, second, settle }) => {
    second.subscribe("silent", () => undefined);
    await settle();
    const waiting = assert.rejects(first.request("silent", bytes(""), { timeoutMs: 60_000 }), code("closed"));
    await first.close();
    await waiting;
    await assert.rejects(first.request("silent", bytes(""), { timeoutMs: 60_000 }), code("closed"));
    first.publish("silent", bytes("dropped, not thrown"));
  });
}

function buckets(contract: Contract): void {
  contract("keeps the last value of a key, with growing revisions", async ({ first, second }) => {
    const ours = first.bucket("b");
    const theirs = second.bucket("b");
    assert.equal(await ours.get("k"), undefined);
    const one = await ours.put("k", bytes("1"));
    const two = await theirs.put("k", bytes("2"));
    assert.ok(two > one);
    const entry = await ours.get("k");
    assert.equal(text(entry?.value), "2");
    assert.equal(entry?.revision, two);
    assert.equal(await first.bucket("other").get("k"), undefined);
  });

  contract("lets one of two writers win a compare-and-set", async ({ first, second }) => {
    const ours = first.bucket("b");
    const theirs = second.bucket("b");
    const results = await Promise.all([
      ours.compareAndSet("k", bytes("ours"), 0),
      theirs.compareAndSet("k", bytes("theirs"), 0),
    ]);
    assert.equal(results.filter((revision) => revision !== undefined).length, 1);
    const revision = (await ours.get("k"))?.revision ?? 0;
    assert.equal(await ours.compareAndSet("k", bytes("late"), revision - 1), undefined);
    assert.ok(((await theirs.compareAndSet("k", bytes("next"), revision)) ?? 0) > revision);
    await ours.delete("k");
    assert.equal(await theirs.get("k"), undefined);
    assert.notEqual(await theirs.compareAndSet("k", bytes("again"), 0), undefined);
  });

  contract("shows a watcher what is there and what changes", async ({ first, second, settle }) => {
    const bucket = first.bucket("b");
    await bucket.put("room.1", bytes("a"));
    await bucket.put("other", bytes("x"));
    const seen: string[] = [];
    const watch = second.bucket("b").watch("room.", ({ key, value }) => {
      seen.push(value === undefined ? `${key} deleted` : `${key} ${text(value)}`);
    });
    await settle();
    await bucket.put("room.2", bytes("b"));
    await bucket.delete("room.1");
    await settle();
    watch.unsubscribe();
    await bucket.put("room.3", bytes("c"));
    await settle();
    assert.deepEqual(seen, ["room.1 a", "room.2 b", "room.1 deleted"]);
  });
}

function code(expected: string): (error: unknown) => boolean {
  return (error) => error instanceof BusError && error.code === expected;
}
