import type { Field, ListOfSections, Member, Section } from "./fields.ts";
import { nearestName } from "./nearest-name.ts";

/** Something wrong in the configuration, with where it is, as people can act on. */
export interface ConfigProblem {
  /** `parley.yaml:12:3`, `PARLEY_HTTP_PORT` or `--http.port`. */
  readonly where: string;
  readonly text: string;
}

/** What one source (file, environment, flags) sets: a tree of plain values with the place of each. */
export type RawNode =
  | { readonly type: "value"; readonly value: unknown; readonly where: string }
  | { readonly type: "mapping"; readonly entries: readonly RawEntry[]; readonly where: string }
  | { readonly type: "list"; readonly items: readonly RawNode[]; readonly where: string };

export interface RawEntry {
  readonly key: string;
  readonly where: string;
  readonly node: RawNode;
}

type Settings = Record<string, unknown>;

/** The defaults of a section. */
export function defaultsOf(section: Section): Settings {
  const settings: Settings = {};
  for (const [key, member] of Object.entries(section.members)) {
    settings[key] = member.kind === "section" ? defaultsOf(member) : member.default;
  }
  return settings;
}

/** `base` with what `raw` sets; what is wrong is left as it was and told in `problems`. */
export function applySection(
  section: Section,
  base: Settings,
  raw: RawNode,
  path: string,
  problems: ConfigProblem[],
): Settings {
  // An empty section (`tls:` with everything commented out) sets nothing.
  if (raw.type === "value" && raw.value === null) return base;
  if (raw.type !== "mapping") {
    problems.push({ where: raw.where, text: `${path === "" ? "the file" : path} must be a mapping` });
    return base;
  }
  const result: Settings = { ...base };
  for (const { key, where, node } of raw.entries) {
    const member = Object.hasOwn(section.members, key) ? section.members[key] : undefined;
    const name = path === "" ? key : `${path}.${key}`;
    if (member === undefined) problems.push({ where, text: unknownKey(name, key, section) });
    else result[key] = applyMember(member, result[key], node, name, problems);
  }
  return result;
}

function applyMember(member: Member, base: unknown, raw: RawNode, path: string, problems: ConfigProblem[]): unknown {
  switch (member.kind) {
    case "section":
      return applySection(member, base as Settings, raw, path, problems);
    case "sections":
      return readSections(member, base, raw, path, problems);
    case "field":
      return readField(member, base, raw, path, problems);
  }
}

function readField(
  field: Field<unknown>,
  base: unknown,
  raw: RawNode,
  path: string,
  problems: ConfigProblem[],
): unknown {
  const value = field.read(plainValue(raw));
  if (value.ok) return value.value;
  problems.push({ where: raw.where, text: `${path} must be ${value.error}` });
  return base;
}

function readSections(
  member: ListOfSections<Section>,
  base: unknown,
  raw: RawNode,
  path: string,
  problems: ConfigProblem[],
): unknown {
  if (raw.type === "value" && raw.value === null) return base;
  if (raw.type !== "list") {
    problems.push({ where: raw.where, text: `${path} must be a list` });
    return base;
  }
  const defaults = defaultsOf(member.item);
  return raw.items.map((item, index) => applySection(member.item, defaults, item, `${path}[${index}]`, problems));
}

function plainValue(raw: RawNode): unknown {
  switch (raw.type) {
    case "value":
      return raw.value;
    case "list":
      return raw.items.map(plainValue);
    case "mapping":
      return Object.fromEntries(raw.entries.map(({ key, node }) => [key, plainValue(node)]));
  }
}

function unknownKey(name: string, key: string, section: Section): string {
  const keys = Object.keys(section.members);
  const nearest = nearestName(key, keys);
  return nearest === undefined
    ? `unknown key ${name}; there are: ${keys.join(", ")}`
    : `unknown key ${name}; did you mean ${nearest}?`;
}

/** All single settings with their paths, such as `http.tls.certFile`. */
export function* settingsOf(
  section: Section,
  path: readonly string[] = [],
): Generator<{ readonly path: readonly string[]; readonly member: Field<unknown> | ListOfSections<Section> }> {
  for (const [key, member] of Object.entries(section.members)) {
    if (member.kind === "section") yield* settingsOf(member, [...path, key]);
    else yield { path: [...path, key], member };
  }
}

/** A value from the environment or a flag, as the tree that sets it. */
export function rawOf(path: readonly string[], value: unknown, where: string): RawNode {
  const [first, ...rest] = path;
  if (first === undefined) return rawValue(value, where);
  return { type: "mapping", where, entries: [{ key: first, where, node: rawOf(rest, value, where) }] };
}

function rawValue(value: unknown, where: string): RawNode {
  if (Array.isArray(value)) return { type: "list", where, items: value.map((item) => rawValue(item, where)) };
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).map(([key, item]) => ({ key, where, node: rawValue(item, where) }));
    return { type: "mapping", where, entries };
  }
  return { type: "value", value, where };
}
