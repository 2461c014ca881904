// How many instructions of our own code the data plane's hot loop takes per packet, against the budget in
// native/bench/instruction-budget.json: counts, not times, so a busy machine changes nothing. `npm run budget` compares,
// `npm run budget -- --record` writes a new budget, `npm run budget -- --top 15` shows where they go.
//
// native/bench/hot_loop_bench.cc plays the datagrams under callgrind. Only instructions of its own binary count: what the C library and
// OpenSSL take depends on the processor, and they are not ours to make cheaper.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ensureBuildPackages, ensureTestPackages } from "./install.mjs";
import { run } from "./processes.mjs";
import { cacheFolder, root } from "./repository.mjs";

const program = join(root, "native/build/counted/bin/hot_loop_bench");
const budgetFile = join(root, "native/bench/instruction-budget.json");
const minuteMs = 60_000;
/** Other compilers lay out the same code otherwise: with a budget of another major version only gross changes are told. */
const otherCompilerTolerance = 0.2;

/** Self cost by function of what lies in `object`, from a callgrind file written without compression. */
export function ownInstructions(text, object) {
  const byFunction = new Map();
  let inside = false;
  let name = "";
  let skip = false;
  for (const line of text.split("\n")) {
    if (line.startsWith("ob=")) inside = line.slice(3) === object;
    else if (line.startsWith("fn=")) name = line.slice(3);
    else if (line.startsWith("calls=")) skip = true;
    else if (/^(0x[0-9a-f]+|\d+) \d+$/.test(line)) {
      // The line behind `calls=` is what the callee took.
      if (!skip && inside) byFunction.set(name, (byFunction.get(name) ?? 0) + Number(line.split(" ")[1]));
      skip = false;
    }
  }
  return byFunction;
}

/** The major version of the compiler that make uses, such as "g++ 12". */
async function compilerName() {
  const command = process.env.CXX ?? "g++";
  const { output } = await run(command, ["-dumpversion"], { quiet: true });
  return `${command.split("/").pop()?.replace(/-\d+$/, "")} ${output.trim().split(".")[0]}`;
}

async function count(shape) {
  const out = join(cacheFolder, `callgrind-${shape}-${process.pid}.out`);
  const args = ["--tool=callgrind", "--collect-atstart=no", "--compress-strings=no", "--compress-pos=no"];
  const { code, output } = await run("valgrind", [...args, `--callgrind-out-file=${out}`, program, shape], {
    quiet: true,
    deadlineMs: 3 * minuteMs,
  });
  const packets = Number(/^(\d+) packets$/m.exec(output)?.[1] ?? 0);
  const text = existsSync(out) ? readFileSync(out, "utf8") : "";
  rmSync(out, { force: true });
  if (code !== 0 || packets === 0)
    throw new Error(`${output}\nThe hot loop (${shape}) failed under callgrind; see above.`);
  const byFunction = ownInstructions(text, program);
  const total = [...byFunction.values()].reduce((sum, each) => sum + each, 0);
  if (total === 0) throw new Error("Nothing was counted: is valgrind/callgrind.h there? (Debian package valgrind)");
  return { shape, perPacket: total / packets, packets, byFunction };
}

function showTop({ shape, packets, byFunction }, howMany) {
  console.log(`\n${shape}, instructions per packet by function:`);
  const sorted = [...byFunction].sort((a, b) => b[1] - a[1]).slice(0, howMany);
  for (const [name, instructions] of sorted)
    console.log(`${(instructions / packets).toFixed(1).padStart(8)}  ${name.slice(0, 110)}`);
}

/** Whether a shape keeps its budget, and the line that says so. */
export function verdict({ shape, perPacket }, budget, compiler) {
  const exact = budget.compilers[compiler];
  const [nearest, recorded] = exact === undefined ? (Object.entries(budget.compilers)[0] ?? []) : [compiler, exact];
  const wanted = recorded?.[shape];
  const measured = perPacket.toFixed(1);
  if (wanted === undefined)
    return { ok: false, line: `${shape}: ${measured} instructions per packet, no budget recorded` };
  const tolerance = exact === undefined ? otherCompilerTolerance : budget.tolerance;
  const change = perPacket / wanted - 1;
  const against = `${wanted} recorded with ${nearest} (${(change * 100).toFixed(1)} %, allowed ${tolerance * 100} %)`;
  const ok = change <= tolerance;
  const note = ok && change < -tolerance && exact !== undefined ? "; cheaper than its budget: record it" : "";
  return { ok, line: `${shape}: ${measured} instructions per packet, ${against}${note}` };
}

/** Builds, counts and compares; returns how many shapes kept their budget and how many did not. */
export async function instructionBudget({ record = false, top = 0 } = {}) {
  if (process.arch !== "x64") {
    console.log(`(instructions are counted on x86-64 only, this is ${process.arch})`);
    return { passed: 0, failed: 0 };
  }
  const made = await run("make", ["-C", "native", "counted", "--silent", "--jobs=2"], {
    quiet: true,
    deadlineMs: 5 * minuteMs,
  });
  if (made.code !== 0) throw new Error(`${made.output}\nBuilding the hot loop failed; see above.`);
  mkdirSync(cacheFolder, { recursive: true });
  const compiler = await compilerName();
  const shapes = (await run(program, [], { quiet: true })).output.trim().split("\n");
  const budget = existsSync(budgetFile)
    ? JSON.parse(readFileSync(budgetFile, "utf8"))
    : { tolerance: 0.03, compilers: {} };
  const counted = [];
  for (let i = 0; i < shapes.length; i += 2) counted.push(...(await Promise.all(shapes.slice(i, i + 2).map(count))));
  if (top > 0) for (const each of counted) showTop(each, top);
  if (record) {
    budget.compilers[compiler] = Object.fromEntries(
      counted.map(({ shape, perPacket }) => [shape, Number(perPacket.toFixed(1))]),
    );
    writeFileSync(budgetFile, `${JSON.stringify(budget, undefined, 2)}\n`);
    console.log(`Recorded for ${compiler}: ${JSON.stringify(budget.compilers[compiler])}`);
  }
  const verdicts = counted.map((each) => verdict(each, budget, compiler));
  for (const { ok, line } of verdicts) console.log(`${ok ? "ok    " : "FAILED"} ${line}`);
  const failed = verdicts.filter(({ ok }) => !ok).length;
  if (failed > 0) {
    console.log(
      "The hot loop became dearer. `npm run budget -- --top 20` shows where the instructions are (compare with a run before the\n" +
        "change). If they are worth it: `npm run budget -- --record`, commit native/bench/instruction-budget.json, and say why.",
    );
  }
  return { passed: verdicts.length - failed, failed };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  try {
    const argv = process.argv.slice(2);
    const topAt = argv.indexOf("--top");
    await ensureBuildPackages();
    await ensureTestPackages();
    const { failed } = await instructionBudget({
      record: argv.includes("--record"),
      top: topAt < 0 ? 0 : Number(argv[topAt + 1] ?? 15),
    });
    process.exitCode = failed === 0 ? 0 : 1;
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
