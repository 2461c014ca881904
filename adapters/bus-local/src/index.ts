export { createLocalBus, type LocalBus, type LocalBusDeps } from "./local-bus.ts";
