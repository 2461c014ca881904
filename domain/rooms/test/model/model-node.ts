import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  SessionGrantSchema,
  SessionOwnerStateSchema,
  SessionState,
  SessionStatusSchema,
  type SessionGrant,
  type SessionStatus,
} from "@parley/protocol";
import type { RoomOutput } from "../../src/index.ts";

type StandingOutput = Extract<RoomOutput, { type: "standing-grants" }>;

/** A media node as far as desired state goes: the highest revision wins, closed sessions stay closed. */
export class ModelNode {
  readonly nodeId = "node";
  bootId = 1n;
  readonly #grants = new Map<string, SessionGrant>();

  /** Takes a grant and returns the status that acknowledges it. */
  take(bytes: Uint8Array): SessionStatus | undefined {
    const grant = fromBinary(SessionGrantSchema, bytes);
    if (grant.nodeBootId !== this.bootId) return undefined;
    const there = this.#grants.get(grant.sessionId);
    if (there === undefined || there.revision < grant.revision) this.#grants.set(grant.sessionId, grant);
    return this.#statusOf(this.#grants.get(grant.sessionId) ?? grant);
  }

  /** What is said of those sessions in a standing list that are not here as it says. */
  confirm({ nodeBootId, rooms }: StandingOutput): SessionStatus[] {
    if (nodeBootId !== this.bootId) return [];
    return rooms.flatMap(({ appId, roomId, sessions }) =>
      sessions.flatMap(({ sessionId, revision }) => {
        const there = this.#grants.get(sessionId);
        if (there !== undefined && there.revision >= revision && !there.closed) return [];
        return this.#statusOf(there ?? create(SessionGrantSchema, { appId, roomId, sessionId }));
      }),
    );
  }

  /** The announcements of living sessions, each second. */
  statuses(): SessionStatus[] {
    return this.living().map((grant) => this.#statusOf(grant));
  }

  living(): SessionGrant[] {
    return [...this.#grants.values()].filter(({ closed }) => !closed);
  }

  reboot(): void {
    this.bootId += 1n;
    this.#grants.clear();
  }

  /** What is sent by each slot: by room, connection, session and mid. */
  bindings(): Map<string, string> {
    const result = new Map<string, string>();
    for (const grant of this.living()) {
      const { connectionId, session } = fromBinary(SessionOwnerStateSchema, grant.ownerState);
      for (const { mid, binding } of grant.slots) {
        const publisher = this.#grants.get(binding?.publisherSessionId ?? "");
        const known = binding !== undefined && publisher !== undefined && !publisher.closed;
        result.set(
          `${grant.roomId} ${connectionId}/${session}/${mid}`,
          known ? `${binding.streamId}/${binding.publisherMid}` : "nothing",
        );
      }
    }
    return result;
  }

  #statusOf(grant: SessionGrant): SessionStatus {
    const { appId, roomId, sessionId, revision, closed } = grant;
    return create(SessionStatusSchema, {
      appId,
      roomId,
      sessionId,
      nodeId: this.nodeId,
      nodeBootId: this.bootId,
      acknowledgedRevision: revision,
      state: closed ? SessionState.CLOSED : SessionState.CONNECTED,
    });
  }
}

export function grantBytes(grant: SessionGrant): Uint8Array {
  return toBinary(SessionGrantSchema, grant);
}
