import { CryptoRandom, systemClock } from "@parley/adapter-system";
import { err, ok, randomId, type Result } from "@parley/foundation";
import { benchHelp, benchSwitches, readBenchFlags, runBench } from "./bench/bench-command.ts";
import { parseCommandLine, unknownFlag } from "./command-line.ts";
import { devApp } from "./config/load-config.ts";
import { configOf, serve, type Flags } from "./serve.ts";
import { makeToken, tokenHelp, tokenSwitches, type TokenSigner } from "./token-command.ts";
import { readVersion } from "./version.ts";

/** Wrong usage or configuration: nothing was started. */
const usageExitCode = 2;

const help = `parley serve [--dev] [--config FILE] [--SETTING VALUE ...]     runs the server
  --dev                 a development app, and a log for people
  --config FILE         YAML (or PARLEY_CONFIG); config.sample.yaml documents every setting
  --http.port 8080      any setting by its path; PARLEY_HTTP_PORT does the same
${tokenHelp}
${benchHelp}
parley config check [FILE]     says whether a configuration is valid
parley version                 prints the version
parley --help                  prints this; token and bench have their own`;

/** Of a command that has much to say, only its own. */
const ownHelp: Readonly<Record<string, string>> = { token: tokenHelp, bench: benchHelp };
const globalSwitches = ["help", "version"];

async function main(): Promise<number | undefined> {
  const line = parseCommandLine(
    process.argv.slice(2),
    new Set([...tokenSwitches, ...benchSwitches, ...globalSwitches]),
  );
  if (!line.ok) return fail(line.error);
  const { words, flags } = line.value;
  const has = (wanted: string): boolean => flags.some(([name]) => name === wanted);
  const [command, ...rest] = words;
  if (has("help") || words.includes("-h")) return say(ownHelp[command ?? ""] ?? help);
  if (has("version")) return say(readVersion());
  switch (command) {
    case "serve":
      return rest.length === 0 ? run(flags) : fail(`unexpected: ${rest.join(" ")}`);
    case "token":
      return rest.length === 0 ? printToken(flags) : fail(`unexpected: ${rest.join(" ")}`);
    case "bench":
      return rest.join(" ") === "media" ? bench(flags) : fail(`usage: ${benchHelp}`);
    case "config":
      return rest[0] === "check" ? checkConfiguration(rest.slice(1), flags) : fail("usage: parley config check [FILE]");
    case "version":
      return say(readVersion());
    case "help":
    case undefined:
      return say(help);
    default:
      return fail(`unknown command ${command}\n${help}`);
  }
}

function say(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

function fail(text: string): number {
  process.stderr.write(`parley: ${text}\n`);
  return usageExitCode;
}

async function run(flags: Flags): Promise<number | undefined> {
  const config = configOf(flags);
  if (!config.ok) return fail(config.error);
  return await serve(
    config.value,
    flags.some(([name]) => name === "dev"),
  );
}

async function bench(flags: Flags): Promise<number> {
  const request = readBenchFlags(flags);
  if (!request.ok) return fail(request.error);
  try {
    return await runBench(request.value, say);
  } catch (error) {
    process.stderr.write(
      `parley: this machine cannot be sized: ${error instanceof Error ? error.message : String(error)}\n`,
    );
    return 1;
  }
}

function printToken(flags: Flags): number {
  const signer = signerOf(flags);
  if (!signer.ok) return fail(signer.error);
  const options = { nowUnixMs: systemClock.unixMs(), freshId: randomId(new CryptoRandom()) };
  const token = makeToken(flags, signer.value, options);
  return token.ok ? say(token.value) : fail(token.error);
}

/** Which app signs: `--dev`, `--key` and `--secret`, or an app of the configuration. */
function signerOf(flags: Flags): Result<TokenSigner, string> {
  const value = (wanted: string): string | undefined => flags.findLast(([name]) => name === wanted)?.[1];
  const [key, secret] = [value("key"), value("secret")];
  if (key !== undefined && secret !== undefined) return ok({ key, secret });
  if (key !== undefined || secret !== undefined) return err("--key and --secret are needed together");
  if (value("dev") !== undefined) return ok(devApp);
  const file = value("config");
  const config = configOf(file === undefined ? [] : [["config", file]]);
  if (!config.ok) return config;
  const wanted = value("app");
  const app = config.value.apps.find((candidate) => wanted === undefined || candidate.key === wanted);
  return app === undefined ? err(`no app has the key ${wanted}`) : ok(app);
}

function checkConfiguration(words: readonly string[], flags: Flags): number {
  const unknown = flags.find(([name]) => name !== "config" && name !== "dev" && !name.includes("."));
  if (unknown !== undefined) return fail(unknownFlag(unknown[0], ["config", "dev"]));
  const [file] = words;
  const config = configOf(file === undefined ? flags : [...flags, ["config", file]]);
  return config.ok ? say("The configuration is valid.") : fail(config.error);
}

const exitCode = await main();
// Undefined: the server runs on until a signal.
if (exitCode !== undefined) process.exitCode = exitCode;
