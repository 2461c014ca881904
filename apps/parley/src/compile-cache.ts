// Imported for what it does, before everything that is to come out of the cache: what V8 has compiled, and TypeScript without its types, is kept for
// the next start. See docs/decisions/0023.
import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";

/** Beside what the tools keep. Who may write there may change the program itself. */
const folder = new URL("../../../node_modules/.cache/parley/compiled", import.meta.url);

// NODE_COMPILE_CACHE names another folder and NODE_DISABLE_COMPILE_CACHE=1 switches it off, both by Node itself. A folder that cannot be written is no
// error: the start is slower then.
enableCompileCache(fileURLToPath(folder));
