// The addon as it was built; node-gyp puts it here. Loading is the adapter's business, so that a failure can be explained.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** Loads the addon. Throws what the loader says when it is not built or does not fit this Node. */
export function loadAddon() {
  return require("./build/Release/parley_native.node");
}

/** The addon with a client's side of SRTP, for integration tests only. */
export function loadTestAddon() {
  return require("./build/Release/parley_test_client.node");
}

/** The load client of bench/, an addon of its own. */
export function loadLoadClient() {
  return require("./build/Release/parley_load.node");
}
