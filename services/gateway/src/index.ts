export * from "./config.ts";
export { createGateway, type Gateway } from "./gateway.ts";
export type * from "./ports.ts";
export * from "./refuse-upgrade.ts";
