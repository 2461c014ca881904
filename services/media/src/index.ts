export * from "./media-node.ts";
export type { FeedbackFollower } from "./session-host.ts";
