import assert from "node:assert/strict";
import { test } from "node:test";
import { bannedGlobalsOf, importsOf, maskSource } from "./imports.mjs";

const specifiers = (source) => importsOf(source).map(({ specifier }) => specifier);
const banned = (source) => bannedGlobalsOf(source).map(({ name }) => name);

test("all forms of import are found, with their lines", () => {
  const source = [
    'import a from "a";',
    "import type { B } from './b.ts';",
    "import {",
    "  c,",
    "  type D,",
    '} from "c";',
    'import * as e from "e";',
    'export * from "f";',
    'export type { G } from "g";',
    'import "h";',
    'const i = await import("i");',
    'type J = import("j").J;',
    'import k, { l } from "k";',
  ].join("\n");
  assert.deepEqual(specifiers(source), ["a", "./b.ts", "c", "e", "f", "g", "h", "i", "j", "k"]);
  assert.equal(importsOf(source)[2]?.line, 3);
});

test("text in comments, strings, templates and regular expressions does not count", () => {
  const source = [
    '// import a from "a";',
    '/* import b from "b"; */',
    "const c = 'import d from \"d\"';",
    'const e = `import f from "f" ${g("x")} import h from "h"`;',
    'const i = /import j from "j"/;',
    "const k = `${`nested ${1} import l from 'l'`}`;",
    'const m = "a\\"b"; // Date.now()',
    "const n = `Math.random() ${Date.now()}`;",
  ].join("\n");
  assert.deepEqual(specifiers(source), []);
  assert.deepEqual(banned(source), ["Date.now"]);
});

test("a division is no regular expression", () => {
  const source = 'const a = b / c; import("d"); const e = f / g;';
  assert.deepEqual(specifiers(source), ["d"]);
  assert.deepEqual(specifiers('const a = list[1] / 2; const b = x() / 3; import("c"); const d = 1 / 2;'), ["c"]);
  assert.deepEqual(specifiers('if (a) return /"/.test(b) ? import("c") : 0; // "'), ["c"]);
});

test("masking keeps length and line breaks", () => {
  const source = 'a = "xy"; /* 1\n2 */ `t\n${b}`; // c\nd';
  const masked = maskSource(source);
  assert.equal(masked.length, source.length);
  assert.equal(masked.split("\n").length, source.split("\n").length);
  assert.equal(masked.replaceAll(/\s+/g, " "), 'a = " "; ` ${b}`; d');
});

test("banned globals are found, members of the same name are not", () => {
  assert.deepEqual(banned("setTimeout(a, 1); globalThis.setInterval(b, 2);"), ["a timer", "a timer"]);
  assert.deepEqual(banned("clock.setTimeout(a); this.setInterval(b); foo.console.log(1);"), []);
  assert.deepEqual(banned("new Date(); new Date(5); performance.now(); Math.random(); console.log(1);"), [
    "new Date()",
    "performance.now",
    "Math.random",
    "console",
  ]);
  assert.deepEqual(banned("process.env['A']; process.exit(1); process.memoryUsage();"), [
    "process.env",
    "process.exit",
  ]);
});
