import { err, ok, type Result } from "@parley/foundation";
import { schema, type Config } from "./schema.ts";
import { applySection, defaultsOf, rawOf, settingsOf, type ConfigProblem } from "./settings.ts";
import { nearestName } from "./nearest-name.ts";
import { checkConfig } from "./check-config.ts";
import { readYaml } from "./yaml-source.ts";

export interface ConfigSources {
  readonly file?: { readonly name: string; readonly text: string };
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Path of the setting (`http.port`) and its text, in order. */
  readonly flags: readonly (readonly [path: string, text: string])[];
  /** A development app, and a log for people, where nothing else is said. */
  readonly dev: boolean;
}

/** The development app of `--dev`: known to everybody, so only for machines that nobody else reaches. */
export const devApp = { id: "dev", key: "dev", secret: "development-secret-not-for-production" };

/** Who develops does not want to wait for viewers to leave. */
const devDeadlineMs = 1_000;

/** The configuration: defaults, then the file, then the environment, then flags. */
export function loadConfig(sources: ConfigSources): Result<Config, readonly ConfigProblem[]> {
  const problems: ConfigProblem[] = [];
  let settings = defaultsOf(schema);
  if (sources.dev)
    settings = {
      ...settings,
      apps: [devApp],
      log: { level: "info", format: "text" },
      shutdown: { deadlineMs: devDeadlineMs },
    };
  if (sources.file !== undefined) {
    const raw = readYaml(sources.file.text, sources.file.name, problems);
    settings = applySection(schema, settings, raw, "", problems);
  }
  for (const { path, member } of settingsOf(schema)) {
    const name = environmentName(path);
    const given = sources.environment[name];
    if (given === undefined) continue;
    settings = applySection(schema, settings, rawOf(path, member.fromText(given), name), "", problems);
  }
  problems.push(...unknownVariables(sources.environment));
  for (const [path, given] of sources.flags) {
    const setting = [...settingsOf(schema)].find((candidate) => candidate.path.join(".") === path);
    if (setting === undefined) problems.push({ where: `--${path}`, text: unknownFlag(path) });
    else {
      const raw = rawOf(setting.path, setting.member.fromText(given), `--${path}`);
      settings = applySection(schema, settings, raw, "", problems);
    }
  }
  // Every member went through its field, so the tree has the schema's shape.
  const config = settings as unknown as Config;
  if (problems.length === 0) problems.push(...checkConfig(config));
  return problems.length === 0 ? ok(withAppIds(config)) : err(problems);
}

/** `http.tls.certFile` is set by PARLEY_HTTP_TLS_CERT_FILE. */
export function environmentName(path: readonly string[]): string {
  const words = path.map((part) => part.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase());
  return `PARLEY_${words.join("_")}`;
}

/** What Kubernetes sets by itself for a service that is called parley. */
const ofKubernetes = /^PARLEY_(?:SERVICE_|PORT$|PORT_\d)/;

function unknownVariables(environment: ConfigSources["environment"]): ConfigProblem[] {
  const known = new Set([...settingsOf(schema)].map(({ path }) => environmentName(path)));
  known.add("PARLEY_CONFIG");
  const problems: ConfigProblem[] = [];
  for (const name of Object.keys(environment)) {
    if (!name.startsWith("PARLEY_") || known.has(name) || ofKubernetes.test(name)) continue;
    const nearest = nearestName(name, known);
    problems.push({
      where: name,
      text: `unknown variable${nearest === undefined ? "" : `; did you mean ${nearest}?`}`,
    });
  }
  return problems;
}

function unknownFlag(path: string): string {
  const nearest = nearestName(
    path,
    [...settingsOf(schema)].map((setting) => setting.path.join(".")),
  );
  return nearest === undefined ? "unknown flag" : `unknown flag; did you mean --${nearest}?`;
}

/** An app without an id is called by its key. */
function withAppIds(config: Config): Config {
  return { ...config, apps: config.apps.map((app) => ({ ...app, id: app.id === "" ? app.key : app.id })) };
}
