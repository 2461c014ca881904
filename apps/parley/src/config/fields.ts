import { err, ok, type Result } from "@parley/foundation";

/** One setting: how to read it from YAML and from text, and what it is when nobody says. */
export interface Field<T> {
  readonly kind: "field";
  readonly default: T;
  /** A value as YAML gives it. The error completes "must be ...". */
  read(input: unknown): Result<T, string>;
  /** From the environment or a flag: what YAML would have given. */
  fromText(text: string): unknown;
}

/** A list of mappings, such as `apps`. */
export interface ListOfSections<S extends Section> {
  readonly kind: "sections";
  readonly item: S;
  readonly default: readonly SectionValue<S>[];
  fromText(text: string): unknown;
}

export interface Section {
  readonly kind: "section";
  readonly members: Readonly<Record<string, Member>>;
}

export type Member = Field<unknown> | Section | ListOfSections<Section>;

export type SectionValue<S extends Section> = {
  readonly [Key in keyof S["members"]]: MemberValue<S["members"][Key]>;
};

export type MemberValue<M> =
  M extends Field<infer T>
    ? T
    : M extends ListOfSections<infer S>
      ? readonly SectionValue<S>[]
      : M extends Section
        ? SectionValue<M>
        : never;

export function section<const M extends Readonly<Record<string, Member>>>(
  members: M,
): { readonly kind: "section"; readonly members: M } {
  return { kind: "section", members };
}

export function sections<S extends Section>(item: S, fromText: (text: string) => unknown): ListOfSections<S> {
  return { kind: "sections", item, default: [], fromText };
}

export function text(
  defaultValue = "",
  pattern?: { readonly form: RegExp; readonly description: string },
): Field<string> {
  return {
    kind: "field",
    default: defaultValue,
    read(input) {
      // A number where text is meant (a key of digits only) would have lost leading zeros: it must be quoted.
      if (typeof input !== "string") return err("text (put it in quotes)");
      if (pattern !== undefined && input !== "" && !pattern.form.test(input)) return err(pattern.description);
      return ok(input);
    },
    fromText: (given) => given,
  };
}

export function integer(defaultValue: number, min: number, max: number): Field<number> {
  return {
    kind: "field",
    default: defaultValue,
    read(input) {
      const fits = typeof input === "number" && Number.isInteger(input) && input >= min && input <= max;
      return fits ? ok(input) : err(`a whole number from ${min} to ${max}`);
    },
    fromText: (given) => (/^-?\d+$/.test(given.trim()) ? Number(given) : given),
  };
}

export function flag(defaultValue: boolean): Field<boolean> {
  return {
    kind: "field",
    default: defaultValue,
    read: (input) => (typeof input === "boolean" ? ok(input) : err("true or false")),
    fromText: (given) => (given === "true" ? true : given === "false" ? false : given),
  };
}

export function oneOf<const T extends string>(names: readonly T[], defaultValue: NoInfer<T>): Field<T> {
  return {
    kind: "field",
    default: defaultValue,
    read: (input) =>
      (names as readonly unknown[]).includes(input) ? ok(input as T) : err(`one of ${names.join(", ")}`),
    fromText: (given) => given,
  };
}

export function listOf<T>(item: Field<T>, defaultValue: readonly T[]): Field<readonly T[]> {
  return {
    kind: "field",
    default: defaultValue,
    read(input) {
      if (!Array.isArray(input)) return err("a list");
      const values: T[] = [];
      for (const element of input as readonly unknown[]) {
        const value = item.read(element);
        if (!value.ok) return err(`a list, each item ${value.error}`);
        values.push(value.value);
      }
      return ok(values);
    },
    fromText: (given) =>
      given
        .split(",")
        .map((part) => part.trim())
        .filter((part) => part !== "")
        .map((part) => item.fromText(part)),
  };
}
