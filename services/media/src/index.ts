export * from "./media-node.ts";
