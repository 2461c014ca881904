import { loadLoadClient, type NativeLoadClient } from "@parley/native";
import { NativeUnavailableError } from "./addon.ts";

export type { FloorResult, LoadRemote, LoadSnapshot, LoadStates, NativeLoadClient as MediaLoad } from "@parley/native";

/**
 * The other side of many PeerConnections, for measuring: cameras, viewers and the floor, on threads of their own, by an addon that a server does
 * not load. Whoever opens it closes it. Throws {@link NativeUnavailableError}.
 */
export function openMediaLoad(): NativeLoadClient {
  try {
    const { LoadClient } = loadLoadClient();
    return new LoadClient();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split("\n")[0] : String(cause);
    throw new NativeUnavailableError(
      `the load client cannot be loaded by Node ${process.version} (${reason}); build it with "npm run build:native"`,
      { cause },
    );
  }
}
