export * from "./fuzz-budget.ts";
export * from "./loggers.ts";
export * from "./mutation.ts";
export * from "./seeded-random.ts";
export * from "./virtual-clock.ts";
