import type { HostTools } from "../api/participant.ts";
import { permissionsToWire, roleToWire, sourceToWire } from "./wire-values.ts";
import type { RoomMethod } from "./local-participant.ts";
import type { Permissions } from "../api/values.ts";

type ModerateCommand = NonNullable<Extract<RoomMethod, { case: "moderate" }>["value"]["command"]>;

/** Host tools over the room's requests. `permissionsOf` tells what somebody may do now. */
export function hostTools(
  request: (method: RoomMethod) => Promise<void>,
  permissionsOf: (participantId: string) => Permissions | undefined,
): HostTools {
  const moderate = (command: ModerateCommand): Promise<void> => request({ case: "moderate", value: { command } });
  return {
    muteTrack: ({ id, streamId }) => {
      const mid = id.slice(id.indexOf(":") + 1);
      return moderate({ case: "muteTrack", value: { streamId, mid } });
    },
    muteAll: () => moderate({ case: "muteTrack", value: { allAudio: true } }),
    askToUnmute: (participantId, source) =>
      moderate({ case: "askToUnmute", value: { participantId, source: sourceToWire(source) } }),
    remove: (participantId, { reason = "", ban = false } = {}) =>
      moderate({ case: "remove", value: { participantId, reason, ban } }),
    closeRoom: (reason = "") => moderate({ case: "closeRoom", value: { reason } }),
    admit: (participantIds) => moderate({ case: "admit", value: { participantIds: [...participantIds], deny: false } }),
    deny: (participantIds) => moderate({ case: "admit", value: { participantIds: [...participantIds], deny: true } }),
    move: (participantIds, toRoomId) =>
      moderate({ case: "move", value: { participantIds: [...participantIds], toRoomId } }),
    setPermissions: (participantId, { role, permissions }) => {
      const now = permissionsOf(participantId);
      const wanted = permissions === undefined || now === undefined ? undefined : { ...now, ...permissions };
      return moderate({
        case: "setPermissions",
        value: {
          participantId,
          ...(role === undefined ? {} : { role: roleToWire(role) }),
          ...(wanted === undefined ? {} : { permissions: permissionsToWire(wanted) }),
        },
      });
    },
    updateRoom: ({ attributes = {}, locked, lobbyEnabled }) =>
      request({
        case: "updateRoom",
        value: {
          attributes: { ...attributes },
          ...(locked === undefined ? {} : { locked }),
          ...(lobbyEnabled === undefined ? {} : { lobbyEnabled }),
        },
      }),
  };
}
