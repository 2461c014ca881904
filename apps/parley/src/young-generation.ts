// Imported first of all, for what it does: V8 reads these flags whenever it collects, but has to hear of them before the young
// generation has grown. See docs/decisions/0013.
import { setFlagsFromString } from "node:v8";

/** Whoever starts Node with a size of their own has decided otherwise. */
const isDecided = [...process.execArgv, process.env["NODE_OPTIONS"] ?? ""].some((text) => text.includes("semi-space"));
if (!isDecided) setFlagsFromString("--semi-space-growth-factor=1");
