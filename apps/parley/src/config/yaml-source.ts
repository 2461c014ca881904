import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node } from "yaml";
import type { ConfigProblem, RawEntry, RawNode } from "./settings.ts";

/** Deeper than any setting; a cycle of aliases ends here. */
const maxDepth = 10;

/** Reads a YAML 1.2 file into a tree with places. Never throws. */
export function readYaml(source: string, fileName: string, problems: ConfigProblem[]): RawNode {
  const lines = new LineCounter();
  const at = (offset: number | undefined): string => {
    const { line, col } = lines.linePos(offset ?? 0);
    return `${fileName}:${line}:${col}`;
  };
  const document = parseDocument(source, { lineCounter: lines, strict: true, uniqueKeys: true, prettyErrors: false });
  for (const error of document.errors) problems.push({ where: at(error.pos[0]), text: error.message });
  const empty: RawNode = { type: "mapping", entries: [], where: at(0) };
  if (document.errors.length > 0 || document.contents === null) return empty;
  return convert(document.contents, document, at, problems, 0);
}

function convert(
  node: Node | null | undefined,
  document: Document,
  at: (offset: number | undefined) => string,
  problems: ConfigProblem[],
  depth: number,
): RawNode {
  const where = at(node?.range?.[0]);
  const resolved = isAlias(node) ? node.resolve(document) : node;
  if (depth > maxDepth) {
    problems.push({ where, text: "this is nested too deeply" });
    return { type: "value", value: null, where };
  }
  const next = (child: unknown): RawNode => convert(child as Node | null, document, at, problems, depth + 1);
  if (isMap(resolved)) {
    const entries: RawEntry[] = [];
    for (const { key, value } of resolved.items) {
      const keyWhere = at((key as Node | null)?.range?.[0]);
      if (isScalar(key)) entries.push({ key: String(key.value), where: keyWhere, node: next(value) });
      else problems.push({ where: keyWhere, text: "keys must be plain names" });
    }
    return { type: "mapping", entries, where };
  }
  if (isSeq(resolved)) return { type: "list", items: resolved.items.map(next), where };
  return { type: "value", value: isScalar(resolved) ? resolved.value : null, where };
}
