export * from "./bus.ts";
export * from "./clock.ts";
export * from "./ids.ts";
export * from "./logger.ts";
export * from "./metrics.ts";
export * from "./random.ts";
export * from "./result.ts";
export * from "./subjects.ts";
