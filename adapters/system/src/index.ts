export * from "./crypto-random.ts";
export * from "./pino-logger.ts";
export * from "./system-clock.ts";
