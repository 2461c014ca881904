// npm run bench:control -- [--binds 2000] [--subscribers 20] [--joins 300] [--json]
//
// What the control part costs: binding a slot, from the command on the bus to the command in the data plane's queue, and a join, by threads.
// See README.md here.
import { parseArgs } from "node:util";
import { measureBinds } from "./control/binds.ts";
import { measureJoins } from "./control/joins.ts";

function count(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 100_000) throw new Error(`--${name} is a whole number from 1`);
  return value;
}

try {
  const { values } = parseArgs({
    options: {
      binds: { type: "string", default: "2000" },
      subscribers: { type: "string", default: "20" },
      joins: { type: "string", default: "300" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(
      "npm run bench:control -- [--binds 2000] [--subscribers 20] [--joins 300] [--json]     (bench/README.md)",
    );
    process.exit();
  }
  const binds = await measureBinds(count("binds", values.binds), count("subscribers", values.subscribers));
  const joins = await measureJoins(count("joins", values.joins));
  const figures = { ...binds, ...joins };
  console.log(values.json ? JSON.stringify(figures) : JSON.stringify(figures, undefined, 2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
