// Finds what a source file imports and which globals it uses, without a full parser: comments, strings, templates
// and regular expressions are masked first, so that text in them does not count.

/** A `/` after one of these begins a regular expression, after anything else it divides. */
const beforeExpression =
  /(?:^|[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|do|else|void|delete|throw|new|await|yield))$/;

/**
 * `source` with the contents of comments, string literals, template texts and regular expressions blanked out.
 * Length and line breaks stay, quotes stay, code inside `${}` stays.
 */
export function maskSource(source) {
  const out = source.split("");
  /** Brace depths at which a template's `${` was opened. */
  const templates = [];
  let depth = 0;
  let index = 0;
  const blank = (from, to) => {
    for (let at = from; at < to; at += 1) if (out[at] !== "\n") out[at] = " ";
  };
  const skipTemplateText = () => {
    const from = index;
    while (index < source.length) {
      if (source[index] === "\\") index += 2;
      else if (source[index] === "`") {
        blank(from, index);
        index += 1;
        return;
      } else if (source.startsWith("${", index)) {
        blank(from, index);
        index += 2;
        templates.push(depth);
        depth += 1;
        return;
      } else index += 1;
    }
    blank(from, index);
  };
  let before = "";
  while (index < source.length) {
    const character = source[index];
    const next = source[index + 1];
    if (character === "/" && next === "/") {
      const end = source.indexOf("\n", index);
      const to = end < 0 ? source.length : end;
      blank(index, to);
      index = to;
    } else if (character === "/" && next === "*") {
      const end = source.indexOf("*/", index + 2);
      const to = end < 0 ? source.length : end + 2;
      blank(index, to);
      index = to;
    } else if (character === '"' || character === "'") {
      const from = (index += 1);
      while (index < source.length && source[index] !== character && source[index] !== "\n") {
        index += source[index] === "\\" ? 2 : 1;
      }
      blank(from, index);
      index += 1;
      before = character;
    } else if (character === "`") {
      index += 1;
      skipTemplateText();
      before = "`";
    } else if (character === "/" && beforeExpression.test(before)) {
      const from = (index += 1);
      let inClass = false;
      while (index < source.length && source[index] !== "\n" && (inClass || source[index] !== "/")) {
        if (source[index] === "[") inClass = true;
        if (source[index] === "]") inClass = false;
        index += source[index] === "\\" ? 2 : 1;
      }
      blank(from, index);
      index += 1;
      before = "/x";
    } else {
      if (character === "{") depth += 1;
      if (character === "}") {
        depth -= 1;
        if (templates.at(-1) === depth) {
          templates.pop();
          index += 1;
          skipTemplateText();
          before = "`";
          continue;
        }
      }
      if (/\S/.test(character)) {
        const gap = index > 0 && /\s/.test(source[index - 1]) ? " " : "";
        before = `${before}${gap}${character}`.slice(-12);
      }
      index += 1;
    }
  }
  return out.join("");
}

const importForms = [
  // import x from "y"; import type { x } from "y"; export * from "y"
  /\b(?:import|export)\b[\w\s{},*$]*?\bfrom\s*(["'])/g,
  // import "y"
  /\bimport\s*(["'])/g,
  // import("y"), in expressions and in types
  /\bimport\s*\(\s*(["'])/g,
];

const lineOf = (source, index) => source.slice(0, index).split("\n").length;

/** All specifiers with their lines: `{ specifier, line }`, in order. */
export function importsOf(source, masked = maskSource(source)) {
  const found = new Map();
  for (const form of importForms) {
    for (const match of masked.matchAll(form)) {
      const from = match.index + match[0].length;
      const end = source.indexOf(match[1], from);
      found.set(from, { specifier: source.slice(from, end), line: lineOf(source, match.index) });
    }
  }
  return [...found.entries()].sort(([a], [b]) => a - b).map(([, value]) => value);
}

const bannedForms = [
  ["Date.now", /(?<![.\w$])Date\s*\.\s*now\b/g],
  ["new Date()", /\bnew\s+Date\s*\(\s*\)/g],
  ["performance.now", /(?<![.\w$])performance\s*\.\s*now\b/g],
  ["Math.random", /(?<![.\w$])Math\s*\.\s*random\b/g],
  ["process.env", /(?<![.\w$])process\s*\.\s*env\b/g],
  ["process.exit", /(?<![.\w$])process\s*\.\s*exit\b/g],
  ["console", /(?<![.\w$])console\s*\./g],
  [
    "a timer",
    /(?<![.\w$#])(?<!function )(?:(?:globalThis|window|self)\s*\.\s*)?(?:setTimeout|setInterval|setImmediate)\s*\(/g,
  ],
  ["crypto.getRandomValues", /\bcrypto\s*\.\s*(?:getRandomValues|randomUUID)\b/g],
];

/** Uses of globals that only adapters, apps and tests may touch: `{ name, line }`. */
export function bannedGlobalsOf(source, masked = maskSource(source)) {
  const found = [];
  for (const [name, form] of bannedForms) {
    for (const match of masked.matchAll(form)) found.push({ name, line: lineOf(source, match.index) });
  }
  return found.sort((a, b) => a.line - b.line);
}
