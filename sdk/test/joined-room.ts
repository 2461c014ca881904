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
