import { readFileSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { constants } from "node:os";
import { createPromMetrics } from "@parley/adapter-metrics-prom";
import { createLogger, CryptoRandom, systemClock } from "@parley/adapter-system";
import { err, type Metrics, type Result } from "@parley/foundation";
import type { Program } from "./composition-root.ts";
import { loadConfig } from "./config/load-config.ts";
import type { Config } from "./config/schema.ts";
import { portProblem } from "./port-problem.ts";
import type { ProgramDeps } from "./program-deps.ts";
import { Shutdown } from "./shutdown.ts";
import { readVersion } from "./version.ts";

/** Node writes its compile cache when the process ends, and a server that is killed would never have one. 80 ms once per version of the program. */
const keepCompiledAfterMs = 5_000;

export type Flags = readonly (readonly [name: string, text: string])[];

/** Reads the configuration that the flags of a command name. */
export function configOf(flags: Flags): Result<Config, string> {
  const fileName = flags.findLast(([name]) => name === "config")?.[1] ?? process.env["PARLEY_CONFIG"];
  let text: string | undefined;
  try {
    text = fileName === undefined ? undefined : readFileSync(fileName, "utf8");
  } catch (error) {
    return err(`cannot read ${fileName}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const config = loadConfig({
    ...(fileName !== undefined && text !== undefined ? { file: { name: fileName, text } } : {}),
    environment: process.env,
    flags: flags.filter(([name]) => name !== "config" && name !== "dev"),
    dev: flags.some(([name]) => name === "dev"),
  });
  if (config.ok) return config;
  return err(
    `the configuration is not valid\n${config.error.map(({ where, text: what }) => `  ${where}: ${what}`).join("\n")}`,
  );
}

/**
 * Runs the server in this process until a signal ends it. Returns an exit code when it cannot start, undefined when it runs. `more`: what a
 * benchmark adds to the product.
 */
export async function serve(
  config: Config,
  dev: boolean,
  more: (metrics: Metrics) => Pick<ProgramDeps, "followFeedback"> = () => ({}),
): Promise<number | undefined> {
  const logger = createLogger(config.log);
  const metrics = createPromMetrics({ processMetrics: systemClock });
  // The system clock's timers do not keep the process alive, and at the start and the end nothing else does.
  const alive = setInterval(() => undefined, 2 ** 30);
  let program: Program;
  try {
    // Loaded only here, so that the other commands answer at once.
    const { startProgram } = await import("./composition-root.ts");
    program = await startProgram(config, {
      clock: systemClock,
      random: new CryptoRandom(),
      logger,
      metrics,
      version: readVersion(),
      dev,
      ...more(metrics),
    });
  } catch (error) {
    clearInterval(alive);
    const problem = portProblem(error);
    if (problem !== undefined) logger.error(problem);
    else logger.error("cannot start", { error: error instanceof Error ? error : new Error(String(error)) });
    return 1;
  }
  const shutdown = new Shutdown(program, {
    clock: systemClock,
    logger,
    deadlineMs: config.shutdown.deadlineMs,
    exit: (code) => process.exit(code),
  });
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => shutdown.onSignal(signal, 128 + constants.signals[signal]));
  }
  // For people and for scripts that wait: the address is whole and alone at the end of its line.
  process.stdout.write(
    `\nParley ${readVersion()} is ready: ${program.pageUrl === "" ? "(no page)" : program.pageUrl}\n\n`,
  );
  systemClock.after(keepCompiledAfterMs, () => flushCompileCache());
  return undefined;
}
