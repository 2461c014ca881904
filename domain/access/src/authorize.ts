import type { MessageInitShape } from "@bufbuild/protobuf";
import { err, ok, type Result } from "@parley/foundation";
import { parleyError, Role, Source, type GrantsSchema, type ParleyError } from "@parley/protocol";
import type { RoleName, SourceName } from "./claims.ts";
import type { VerifiedToken } from "./token-verifier.ts";

export type Action =
  | { readonly type: "publish"; readonly room: string; readonly sources: readonly SourceName[] }
  | { readonly type: "subscribe"; readonly room: string }
  | { readonly type: "publish-data"; readonly room: string }
  | { readonly type: "moderate"; readonly room: string };

/** Whether the token allows the action; the error says what is missing. Expiry is `verify`'s matter. */
export function authorize(token: VerifiedToken, action: Action): Result<undefined, ParleyError> {
  const { grants } = token;
  if (grants.room !== undefined && grants.room !== action.room) return err(parleyError("wrong-room"));
  const missing = missingGrant(token, action);
  return missing === undefined ? ok(undefined) : err(parleyError("grant-missing", `Missing: ${missing}.`));
}

function missingGrant({ grants }: VerifiedToken, action: Action): string | undefined {
  switch (action.type) {
    case "publish": {
      if (!grants.publish) return "publish";
      const { sources } = grants;
      const refused = sources === undefined ? undefined : action.sources.find((source) => !sources.has(source));
      return refused === undefined ? undefined : `the source ${refused}`;
    }
    case "subscribe":
      return grants.subscribe ? undefined : "subscribe";
    case "publish-data":
      return grants.publishData ? undefined : "canPublishData";
    case "moderate":
      return grants.moderate ? undefined : "roomAdmin";
  }
}

const sourcesByName: Readonly<Record<SourceName, Source>> = {
  camera: Source.CAMERA,
  microphone: Source.MICROPHONE,
  screen: Source.SCREEN,
  screen_audio: Source.SCREEN_AUDIO,
  custom: Source.CUSTOM,
};

const rolesByName: Readonly<Record<RoleName, Role>> = {
  host: Role.HOST,
  speaker: Role.SPEAKER,
  viewer: Role.VIEWER,
};

/** What rooms get to know of a token, as it goes over the bus. */
export function roomGrantsOf(token: VerifiedToken): MessageInitShape<typeof GrantsSchema> {
  const { grants } = token;
  // An empty list of sources means all of them on the wire, so a token that allows none publishes nothing.
  const publish = grants.publish && grants.sources?.size !== 0;
  return {
    roomId: grants.room ?? "",
    permissions: {
      subscribe: grants.subscribe,
      publish,
      publishSources: [...(grants.sources ?? [])].map((source) => sourcesByName[source]),
      publishData: grants.publishData,
      moderate: grants.moderate,
      hidden: grants.hidden,
    },
    role: rolesByName[grants.role],
    create: grants.createRoom,
    name: grants.name,
    attributes: Object.fromEntries(grants.attributes),
    tokenId: token.tokenId ?? "",
    expiresAtUnixMs: BigInt(Math.floor(token.expiresAtUnixMs)),
  };
}
