import { loadAddon, type NativeAddon } from "@parley/native";

/** The addon is not there or does not fit this Node; the message says what to do. */
export class NativeUnavailableError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "NativeUnavailableError";
  }
}

let loaded: NativeAddon | undefined;

/**
 * Loads the addon once and looks whether this Node exports the OpenSSL functions it calls (official builds do, some of
 * distributions link OpenSSL away). Throws {@link NativeUnavailableError}.
 */
export function addon(): NativeAddon {
  if (loaded !== undefined) return loaded;
  let candidate: NativeAddon;
  try {
    candidate = loadAddon();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split("\n")[0] : String(cause);
    throw new NativeUnavailableError(
      `the media addon cannot be loaded by Node ${process.version} (${reason}); build it with "npm run build:native"`,
      { cause },
    );
  }
  const missing = candidate.missingSymbols();
  if (missing.length > 0) {
    throw new NativeUnavailableError(
      `this Node (${process.version}, OpenSSL ${process.versions.openssl}) lacks ${missing.length} OpenSSL functions the media addon ` +
        `needs: ${missing.slice(0, 8).join(", ")}${missing.length > 8 ? ", ..." : ""}; use an official build of Node 24`,
    );
  }
  loaded = candidate;
  return candidate;
}
