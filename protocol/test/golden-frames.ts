import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  ClientSessionState,
  LeaveReason,
  Role,
  RoomKind,
  Source,
  TrackKind,
  type ClientFrameSchema,
  type ServerFrameSchema,
} from "../src/index.ts";

/** Frames whose bytes are fixed for ever: a change here breaks clients that are out there. New fields get new frames. */
export const clientFrames: Readonly<Record<string, MessageInitShape<typeof ClientFrameSchema>>> = {
  connect: {
    frame: {
      case: "connect",
      value: { token: "a.b.c", client: { sdk: "parley-js 0.1.0", browser: "Chrome 156", os: "Linux" } },
    },
  },
  resume: { frame: { case: "connect", value: { token: "a.b.c", resume: { resumeToken: "r", lastSeq: 300n } } } },
  ping: { ack: 17n, frame: { case: "ping", value: { sentAtMs: 123_456n, rttMs: 20 } } },
  acknowledge: { ack: 64n },
  "refresh-token": { frame: { case: "refreshToken", value: { token: "d.e.f" } } },
  echo: {
    frame: { case: "request", value: { id: 3n, method: { case: "echo", value: { payload: Uint8Array.of(1, 2, 3) } } } },
  },
  join: {
    frame: {
      case: "request",
      value: {
        id: 1n,
        deadlineMs: 10_000,
        method: {
          case: "room",
          value: {
            roomId: "lesson",
            method: {
              case: "join",
              value: {
                name: "Ann",
                attributes: { mood: "fine" },
                kind: RoomKind.CONFERENCE,
                sessions: [
                  {
                    session: "sub",
                    offerSdp: "v=0",
                    sections: [
                      { mid: "0", use: { case: "receive", value: { pair: 0 } } },
                      { mid: "1", use: { case: "receive", value: { pair: 0 } } },
                    ],
                    bindings: [{ mid: "1", streamId: 4_000_000_000, trackMid: "1" }],
                    speakers: { enabled: true, mids: ["0"] },
                  },
                  {
                    session: "pub",
                    offerSdp: "v=0",
                    sections: [
                      {
                        mid: "0",
                        use: {
                          case: "publish",
                          value: { stream: "camera", source: Source.CAMERA, width: 1280, height: 720 },
                        },
                      },
                    ],
                  },
                ],
                replacesParticipantId: "p1",
              },
            },
          },
        },
      },
    },
  },
  "send-data": {
    frame: {
      case: "request",
      value: {
        id: 9n,
        method: {
          case: "room",
          value: {
            roomId: "lesson",
            method: {
              case: "sendData",
              value: { payload: Uint8Array.of(104, 105), topic: "chat", reliable: true, toParticipantIds: ["p2"] },
            },
          },
        },
      },
    },
  },
};

export const serverFrames: Readonly<Record<string, MessageInitShape<typeof ServerFrameSchema>>> = {
  connected: {
    frame: {
      case: "connected",
      value: {
        connectionId: "c",
        resumed: true,
        resumeToken: "r",
        heartbeatIntervalMs: 15_000,
        resumeWindowMs: 30_000,
        limits: { maxFrameBytes: 262_144, requestsPerSecond: 50, dataMessageBytes: 15_000, dataMessagesPerSecond: 30 },
        serverTimeUnixMs: 1_800_000_000_000n,
        serverVersion: "0.1.0",
        userId: "ann",
        tokenExpiresAtUnixMs: 1_800_000_600_000n,
      },
    },
  },
  pong: { frame: { case: "pong", value: { sentAtMs: 123_456n } } },
  disconnect: {
    frame: {
      case: "disconnect",
      value: {
        error: {
          number: 5003,
          name: "draining",
          message: "The server is shutting down.",
          retryable: true,
          retryAfterMs: 700,
        },
        reconnect: true,
        retryAfterMs: 700,
      },
    },
  },
  refused: {
    seq: 5n,
    frame: {
      case: "response",
      value: { requestId: 1n, result: { case: "error", value: { number: 2010, name: "wrong-room" } } },
    },
  },
  "participant-left": {
    seq: 6n,
    frame: {
      case: "event",
      value: {
        roomId: "lesson",
        revision: 12n,
        event: { case: "participantLeft", value: { participantId: "p2", reason: LeaveReason.REMOVED } },
      },
    },
  },
  "stream-published": {
    seq: 7n,
    frame: {
      case: "event",
      value: {
        roomId: "lesson",
        revision: 13n,
        event: {
          case: "streamPublished",
          value: {
            stream: {
              streamId: 4_000_000_000,
              participantId: "p1",
              name: "camera",
              tracks: [
                {
                  mid: "0",
                  kind: TrackKind.VIDEO,
                  source: Source.CAMERA,
                  live: true,
                  codec: "VP8",
                  width: 640,
                  height: 360,
                },
              ],
            },
          },
        },
      },
    },
  },
  joined: {
    seq: 1n,
    frame: {
      case: "response",
      value: {
        requestId: 1n,
        result: {
          case: "room",
          value: {
            result: {
              case: "joined",
              value: {
                participantId: "p1",
                snapshot: {
                  room: {
                    roomId: "lesson",
                    kind: RoomKind.CONFERENCE,
                    participantCount: 1,
                    createdAtUnixMs: 1_800_000_000_000n,
                  },
                  revision: 1n,
                  participants: [{ participantId: "p1", userId: "ann", name: "Ann", role: Role.HOST }],
                },
                sessions: [
                  { session: "pub", answerSdp: "v=0", published: [{ name: "camera", streamId: 4_000_000_000 }] },
                ],
              },
            },
          },
        },
      },
    },
  },
  "session-lost": {
    seq: 8n,
    frame: {
      case: "event",
      value: {
        roomId: "lesson",
        event: { case: "sessionState", value: { session: "sub", state: ClientSessionState.LOST } },
      },
    },
  },
  "lobby-changed": {
    seq: 9n,
    frame: {
      case: "event",
      value: {
        roomId: "lesson",
        event: {
          case: "lobbyChanged",
          value: { waiting: [{ participantId: "p9", userId: "guest" }], revision: 1_843_200_000_000_001n },
        },
      },
    },
  },
  "speakers-changed": {
    frame: {
      case: "event",
      value: {
        roomId: "lesson",
        event: {
          case: "speakersChanged",
          value: {
            speakers: [{ streamId: 4_000_000_000, participantId: "p1", level: 101 }],
            revision: 1_843_200_000_000_007n,
          },
        },
      },
    },
  },
  "snapshot-with-lobby-and-speakers": {
    seq: 10n,
    frame: {
      case: "response",
      value: {
        requestId: 2n,
        result: {
          case: "room",
          value: {
            result: {
              case: "snapshot",
              value: {
                room: { roomId: "lesson", kind: RoomKind.CONFERENCE, participantCount: 1, lobbyEnabled: true },
                revision: 1_843_200_000_000_400n,
                lobby: [{ participantId: "p9", userId: "guest" }],
                lobbyRevision: 1_843_200_000_000_001n,
                speakers: { revision: 1_843_200_000_000_007n },
              },
            },
          },
        },
      },
    },
  },
};
