import type { Bus } from "@parley/foundation";
import type { ProgramDeps } from "./composition-root.ts";
import type { Config } from "./config/schema.ts";

export interface MediaRoleDeps extends ProgramDeps {
  readonly bus: Bus;
  readonly ufragKey: Uint8Array;
}

export interface MediaRole {
  drain(): void;
  sessions(): number;
  close(): Promise<void>;
}

export function startMediaRole(_config: Config, _deps: MediaRoleDeps): Promise<MediaRole> {
  return Promise.reject(new Error("the data plane is not joined yet; leave the role media out"));
}
