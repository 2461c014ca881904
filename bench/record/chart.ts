import type { Run } from "./runs.ts";
import { worst, type RawLine } from "./verdict.ts";

const rowHeight = 22;
const labelWidth = 330;
const barWidth = 420;
const figureWidth = 330;
/** The right end of the scale, as a multiple of the bar. */
const furthest = 1.4;
const ink = "#24292f";
const good = "#2f8f5b";
const bad = "#c0392b";

/** A picture of every figure against its bar: SVG, one row each; the vertical line is the bar. Figures whose bar is zero are left out. */
export function chart(recorded: readonly { readonly run: Run; readonly lines: readonly RawLine[] }[]): string {
  const rows = recorded.flatMap(({ run, lines }) =>
    run.bars.flatMap((bar) => {
      const { value, most, met } = worst(bar, lines);
      if (value === undefined || most === undefined || most === 0 || met === undefined) return [];
      return [{ label: run.name, share: value / most, text: `${value} of ${most} ${bar.unit}`, met }];
    }),
  );
  const height = (rows.length + 1) * rowHeight + 8;
  const width = labelWidth + barWidth + figureWidth;
  const barX = labelWidth + barWidth / furthest;
  const drawn = rows.map(({ label, share, text, met }, index) => {
    const y = (index + 1) * rowHeight;
    const length = Math.round((Math.min(share, furthest) * barWidth) / furthest);
    return [
      `<text x="${labelWidth - 8}" y="${y + 15}" text-anchor="end">${escaped(label)}</text>`,
      `<rect x="${labelWidth}" y="${y + 4}" width="${length}" height="${rowHeight - 8}" fill="${met ? good : bad}"/>`,
      `<text x="${labelWidth + barWidth + 8}" y="${y + 15}">${escaped(text)}</text>`,
    ].join("");
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="13" fill="${ink}" role="img">`,
    "<title>Figures against their bars</title>",
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...drawn,
    `<line x1="${barX}" x2="${barX}" y1="${rowHeight - 2}" y2="${height - 4}" stroke="${ink}" stroke-dasharray="4 3"/>`,
    `<text x="${barX}" y="15" text-anchor="middle">most allowed</text>`,
    "</svg>",
    "",
  ].join("\n");
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
