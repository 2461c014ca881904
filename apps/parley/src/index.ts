// First: a program around the server keeps its heap as the product does.
import "./heap.ts";
export { parseCommandLine } from "./command-line.ts";
export * from "./composition-root.ts";
export { devApp, loadConfig, type ConfigSources } from "./config/load-config.ts";
export type { Config } from "./config/schema.ts";
export { configOf, serve } from "./serve.ts";
export * from "./bench/index.ts";
