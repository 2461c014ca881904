import { defineConfig } from "vite";

/** Served by Parley under /demo/; one script and one style sheet, nothing inline, as the content policy wants it. */
export default defineConfig({
  base: "/demo/",
  oxc: { jsx: { runtime: "automatic" } },
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
