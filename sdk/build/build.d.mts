/** Builds the package into `dist` (default: sdk/dist) and returns the folder. */
export declare function buildSdk(dist?: string): Promise<string>;
