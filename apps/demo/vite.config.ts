import { defineConfig } from "vite";

/**
 * Served by Parley under /demo/, nothing inline, as the content policy wants it. React and Protobuf are scripts of their own: they change
 * rarely, so browsers have them already when a new version of the rest comes.
 */
export default defineConfig({
  base: "/demo/",
  oxc: { jsx: { runtime: "automatic" } },
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: "react", test: /node_modules\/(?:react|react-dom|scheduler)\// },
            { name: "protobuf", test: /node_modules\/@bufbuild\/protobuf\// },
          ],
        },
      },
    },
  },
});
