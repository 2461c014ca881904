export { createApi, type Api } from "./api.ts";
export type { ApiConfig, ApiDeps, IceServer, StaticFile } from "./context.ts";
