import type { RoomState, SessionState } from "./state.ts";

export function bindSpeakers(room: RoomState, session: SessionState, nowMs: number): void {
  void room;
  void session;
  void nowMs;
}
