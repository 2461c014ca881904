import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  errorBody,
  errorName,
  errorNumber,
  errorTable,
  parleyError,
  retiredErrorNumbers,
  type ErrorName,
  type ErrorRow,
} from "./error-table.ts";

const rows = Object.entries(errorTable) as [ErrorName, ErrorRow][];

test("numbers are unique, in a known range, and lead back to their names", () => {
  const numbers = new Set<number>();
  for (const [name, { number }] of rows) {
    assert(!numbers.has(number), `${number} is there twice`);
    numbers.add(number);
    assert([1, 2, 3, 4, 5, 9].includes(Math.floor(number / 1000)), `${name}: ${number}`);
    assert.equal(errorNumber(name), number);
    assert.equal(errorName(number), name);
  }
  assert.equal(errorName(1), undefined);
});

test("rows are whole: kebab-case names, sentences, statuses that are errors", () => {
  for (const [name, { httpStatus, text, action }] of rows) {
    assert.match(name, /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/);
    assert.match(text, /^[A-Z].*\.$/, name);
    assert(action.length > 0, name);
    assert(httpStatus === 0 || (httpStatus >= 400 && httpStatus < 600), name);
  }
});

test("a status of the 2xxx range says what HTTP means by it", () => {
  for (const [name, { number, httpStatus }] of rows) {
    if (Math.floor(number / 1000) === 2) assert([401, 403].includes(httpStatus), name);
    if (httpStatus === 429) assert.equal(Math.floor(number / 1000), 5, name);
  }
});

test("the specification has the same rows, and no others", () => {
  const spec = readFileSync(new URL("../../../docs/specs/errors.md", import.meta.url), "utf8");
  const documented = new Map<string, string[]>();
  for (const line of spec.split("\n")) {
    const cells = line.split("|").map((cell) => cell.trim());
    if (/^\d{4}$/.test(cells[1] ?? "")) documented.set(cells[1] ?? "", cells.slice(2, 7));
  }
  for (const [name, row] of rows) {
    const status = row.httpStatus === 0 ? "" : String(row.httpStatus);
    assert.deepEqual(
      documented.get(String(row.number)),
      [`\`${name}\``, status, row.retry, row.text, row.action],
      `${row.number}: run npm run generate`,
    );
  }
  assert.equal(documented.size, rows.length);
});

test("the body of an HTTP answer carries number, name, text with detail, and retry", () => {
  assert.deepEqual(errorBody(parleyError("grant-missing", "Missing: publish.")), {
    error: {
      number: 2009,
      name: "grant-missing",
      text: "The token does not grant this. Missing: publish.",
      retry: "new-token",
    },
  });
});

const root = new URL("../../..", import.meta.url).pathname;

function* sources(folder: string, accept: (file: string) => boolean): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (["node_modules", "dist", "gen", "test", "fixtures"].includes(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path, accept);
    else if (accept(entry.name)) yield path;
  }
}

test("[SIG-1] every row is used by the server's code: a number that nothing sends is retired", () => {
  const isCode = (file: string) => file.endsWith(".ts") && !file.endsWith(".test.ts");
  const used = new Set<string>();
  for (const folder of ["domain", "services", "apps/parley"]) {
    for (const file of sources(join(root, folder), isCode)) {
      for (const [, name] of readFileSync(file, "utf8").matchAll(/"([a-z][a-z0-9-]*)"/g)) used.add(name ?? "");
    }
  }
  const unused = rows.filter(([name]) => !used.has(name)).map(([name, { number }]) => `${number} ${name}`);
  assert.deepEqual(unused, []);
  for (const number of retiredErrorNumbers) assert.equal(errorName(number), undefined, `${number} is retired`);
});

test("[SIG-1] an error that the documents or the schema name is in the table", () => {
  const documents = [
    ...sources(join(root, "docs"), (file) => file.endsWith(".md")),
    ...sources(join(root, "protocol/proto"), (file) => file.endsWith(".proto")),
  ];
  let named = 0;
  for (const file of documents) {
    for (const [, number] of readFileSync(file, "utf8").matchAll(/\berrors? (\d{4})\b/g)) {
      named += 1;
      assert.notEqual(errorName(Number(number)), undefined, `${file} names error ${number}`);
    }
  }
  assert.ok(named > 3, "the pattern finds something");
});
