import { create } from "@bufbuild/protobuf";
import { PermissionsSchema, Role, RoomKind, type Grants, type Permissions, type Source } from "@parley/protocol";
import type { Member } from "./state.ts";

/** The role a token gives; without one, what its permissions suggest. */
export function roleOf(grants: Grants): Role {
  if (grants.role !== Role.UNSPECIFIED) return grants.role;
  if (grants.permissions?.moderate === true) return Role.HOST;
  return grants.permissions?.publish === true ? Role.SPEAKER : Role.VIEWER;
}

/** What a role may do at most: viewers of a live class only watch. */
export function effectivePermissions(granted: Permissions | undefined, role: Role, kind: RoomKind): Permissions {
  const permissions = create(PermissionsSchema, {
    subscribe: granted?.subscribe ?? false,
    publish: granted?.publish ?? false,
    publishSources: [...(granted?.publishSources ?? [])],
    publishData: granted?.publishData ?? false,
    moderate: granted?.moderate ?? false,
    hidden: granted?.hidden ?? false,
  });
  if (kind === RoomKind.LIVE_CLASS && role === Role.VIEWER) permissions.publish = false;
  // Nobody may be seen or heard without being shown.
  if (permissions.hidden) permissions.publish = false;
  return permissions;
}

export function mayPublish(member: Member, source: Source): boolean {
  const { publish, publishSources } = member.permissions;
  return publish && (publishSources.length === 0 || publishSources.includes(source));
}
