export * from "./composition-root.ts";
export { devApp, loadConfig, type ConfigSources } from "./config/load-config.ts";
export type { Config } from "./config/schema.ts";
export * from "./bench/index.ts";
