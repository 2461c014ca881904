// docs/specs/errors.md from the error table, part of `npm run generate`. Needs the Node that strips types.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errorTable } from "../protocol/src/errors/error-table.ts";
import { root } from "./repository.mjs";

const file = join(root, "docs/specs/errors.md");
const begin = "<!-- generated from protocol/src/errors/error-table.ts: npm run generate -->";
const end = "<!-- end of the generated part -->";

function table() {
  const rows = Object.entries(errorTable)
    .sort(([, a], [, b]) => a.number - b.number)
    .map(([name, row]) =>
      [row.number, `\`${name}\``, row.httpStatus === 0 ? "" : row.httpStatus, row.retry, row.text, row.action].join(
        " | ",
      ),
    );
  return ["number | name | HTTP | retry | meaning | what the client does", "--- | --- | --- | --- | --- | ---", ...rows]
    .map((row) => `| ${row.trim()} |`)
    .join("\n");
}

const text = readFileSync(file, "utf8");
const [before, rest] = text.split(begin);
const after = rest?.split(end)[1];
if (after === undefined) throw new Error(`${file} has lost its markers`);
const fresh = `${before}${begin}\n\n${table()}\n\n${end}${after}`;
if (process.argv.includes("--check")) {
  if (fresh !== text) {
    console.error("docs/specs/errors.md is not up to date, please run `npm run generate`");
    process.exitCode = 1;
  }
} else if (fresh !== text) {
  writeFileSync(file, fresh);
}
