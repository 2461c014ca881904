import assert from "node:assert/strict";
import type { Room } from "../src/index.ts";
import { roomOn } from "../src/room/own-room.ts";
import type { FakeWorld } from "./fake-world.ts";

/** Ann, in the room "r". */
export async function joined(world: FakeWorld, options: Parameters<typeof roomOn>[1] = {}): Promise<Room> {
  const room = roomOn(world.platform, options);
  const connecting = room.connect("ws://server", "token", { room: "r", name: "Ann" });
  await world.advance(200);
  await connecting;
  return room;
}

/** What a call resolves with that needs some way to the server and back. */
export async function done<T>(world: FakeWorld, call: Promise<T>): Promise<T> {
  await world.advance(300);
  return await call;
}

/** Lets so many turns of promises pass. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await Promise.resolve();
}

/** What a promise has come to. */
export function outcome(promise: Promise<unknown>): { readonly value: () => string } {
  let value = "pending";
  promise.then(
    () => (value = "done"),
    (error: unknown) => (value = error instanceof Error && "code" in error ? String(error.code) : String(error)),
  );
  return { value: () => value };
}

/** A host has put Ann into another room. */
export function tellMoved(world: FakeWorld, from: string, toRoomId: string): void {
  const participantId = `me-${toRoomId}`;
  const snapshot = { room: { roomId: toRoomId }, revision: 1n, participants: [{ participantId }] };
  const joinedThere = { participantId, snapshot };
  world.server.keep({
    case: "event",
    value: { roomId: from, event: { case: "moved", value: { toRoomId, joined: joinedThere } } },
  });
}

/** What was asked of a room, oldest first. */
export function requestsTo(world: FakeWorld, roomId: string): string[] {
  return world.server.requests.flatMap((request) =>
    request.roomId === roomId && request.method.case !== undefined ? [request.method.case] : [],
  );
}

/** Until so many joins have been sent, though not answered. */
export async function joinsSent(world: FakeWorld, count: number): Promise<void> {
  const sent = (): number =>
    world.server.sockets
      .flatMap(({ frames }) => frames)
      .filter(
        ({ frame }) =>
          frame.case === "request" &&
          frame.value.method.case === "room" &&
          frame.value.method.value.method.case === "join",
      ).length;
  for (let step = 0; step < 200 && sent() < count; step += 1) await world.advance(10);
  assert.equal(sent(), count);
}
