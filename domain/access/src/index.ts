export * from "./authorize.ts";
export * from "./claims.ts";
export * from "./mint-token.ts";
export * from "./revocation-list.ts";
export * from "./revocation-store.ts";
export * from "./revocation-wire.ts";
export * from "./token-verifier.ts";
