export * from "./admission.ts";
export * from "./command-lane.ts";
export * from "./connection.ts";
export * from "./delivery.ts";
export * from "./frames.ts";
export * from "./limits.ts";
export * from "./policy.ts";
export * from "./token-bucket.ts";
