// Imported first of all, for what it does: V8 reads these flags whenever it collects, but has to hear of the first before the young generation has
// grown. See docs/decisions/0013 and 0017.
import { setFlagsFromString } from "node:v8";

/** Of whoever starts Node. V8 takes underscores for hyphens. */
const settings = [...process.execArgv, process.env["NODE_OPTIONS"] ?? ""].map((text) => text.replaceAll("_", "-"));

/** A setting of their own decides otherwise. */
function unlessDecided(topic: string, flag: string): void {
  if (!settings.some((text) => text.includes(topic))) setFlagsFromString(flag);
}

unlessDecided("semi-space", "--semi-space-growth-factor=1");
// In percent of what lives.
unlessDecided("heap-growing", "--heap-growing-percent=50");
