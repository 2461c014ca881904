import { chart } from "./chart.ts";
import type { Bar, Run } from "./runs.ts";
import { worst, type RawLine } from "./verdict.ts";

interface Machine {
  readonly at: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly system: string;
  readonly node: string;
  readonly commit: string;
  readonly load: readonly number[];
}

export interface Page {
  readonly markdown: string;
  readonly svg: string;
}

/** What a file of raw lines says, for people: each run with its bars, and who measured where. Of a run recorded several times all are shown and the worst counts. */
export function page(lines: readonly RawLine[], runs: readonly Run[], names: { raw: string; svg: string }): Page {
  const machines = lines.flatMap((line) => (line["machine"] === undefined ? [] : [line["machine"] as Machine]));
  const recorded = runs.flatMap((run) => {
    const own = lines.filter((line) => line["run"] === run.name);
    return own.length === 0 ? [] : [{ run, lines: own }];
  });
  return { markdown: markdown(machines, recorded, names), svg: chart(recorded) };
}

function markdown(
  machines: readonly Machine[],
  recorded: readonly { readonly run: Run; readonly lines: readonly RawLine[] }[],
  { raw, svg }: { raw: string; svg: string },
): string {
  return [
    `# Figures of ${machines[0]?.at.slice(0, 10) ?? "an unknown day"}`,
    "",
    `Made by \`npm run bench:record\` from [${raw}](${raw}), where each run stands whole with its command. What the figures mean: [bench/README.md](../README.md).`,
    "Bars are most allowed; where a run was recorded several times all figures are shown and the worst counts; ratios are to the floor of the same run, on the same machine.",
    "",
    ...machines.map(
      (m) =>
        `- ${m.at.slice(0, 16).replace("T", " ")} UTC, commit ${m.commit}: ${m.cpu}, ${m.cores} cores, ${m.memoryGiB} GiB, Linux ${m.kernel}, ${m.system}, Node ${m.node}, load before ${m.load.join(", ")}`,
    ),
    "",
    `![Figures against their bars](${svg})`,
    "",
    "| run | figure | bar | met |",
    "| --- | --- | --- | --- |",
    ...recorded.flatMap(({ run, lines }) => run.bars.map((bar) => `| ${run.name} | ${barRow(bar, lines)} |`)),
    "",
    "## What else was seen",
    "",
    ...recorded.flatMap(({ run, lines }) => lines.flatMap((line) => details(run, line))),
    "",
  ].join("\n");
}

function barRow(bar: Bar, lines: readonly RawLine[]): string {
  const { most, met, problem } = worst(bar, lines);
  const verdict = met === undefined ? `void: ${problem ?? ""}` : met ? "yes" : "**no**";
  return `${lines.map((line) => text(line[bar.figure])).join(", ")} ${bar.unit} | ${text(most)} | ${verdict}`;
}

function details(run: Run, line: RawLine): readonly string[] {
  const steps = line["steps"];
  const shown = run.shown
    .filter((figure) => line[figure] !== undefined)
    .map((figure) => `${figure} ${text(line[figure])}`)
    .join(", ");
  const table = Array.isArray(steps) ? stepTable(steps as readonly RawLine[]) : [];
  if (shown === "" && table.length === 0) return [];
  return [`- **${run.name}** (\`${text(line["command"])}\`)${shown === "" ? "" : `: ${shown}`}`, ...table];
}

function stepTable(steps: readonly RawLine[]): readonly string[] {
  const columns = Object.keys(steps[0] ?? {});
  const row = (cells: readonly unknown[]): string => `  | ${cells.map(text).join(" | ")} |`;
  return [
    "",
    row(columns),
    row(columns.map(() => "---")),
    ...steps.map((step) => row(columns.map((name) => step[name]))),
    "",
  ];
}

function text(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "-");
}
