import { readFileSync } from "node:fs";
import { type Person, personOfColour, personOfTone } from "./test-card.ts";
import { type Phases, until } from "./deadline.ts";

/** A page in any browser that runs scripts for a test. */
export interface ScriptPage {
  /** Runs an expression, awaits it when it is a promise, and gives its JSON value. Rejects with the script's error. */
  readonly evaluate: (expression: string) => Promise<unknown>;
  readonly close: () => Promise<void>;
}

/** The script that {@link BrowserClient} talks to; launchers inject it into every page. */
export const inPageScript: string = ["./in-page.js", "./in-page-lips.js"]
  .map((file) => readFileSync(new URL(file, import.meta.url), "utf8"))
  .join("\n");

export interface Picture {
  readonly atMs: number;
  readonly width: number;
  readonly height: number;
  readonly colour: readonly number[];
  readonly barX: number | null;
  readonly number: number | null;
  readonly playedMs: number;
}

export interface Tone {
  readonly peakHz: number;
  readonly peakDb: number;
}

export interface OfferOptions {
  readonly endpoint: string;
  readonly token?: string;
  /** `VP8`, `VP9`, `H264`, `AV1`: the only video codec offered (with its retransmissions). */
  readonly codec?: string;
  /** Drops the answer's candidates of the other transport. */
  readonly transport?: "udp" | "tcp";
}

export type Offered =
  | {
      readonly status: 201;
      readonly id: number;
      readonly resource: string;
      readonly etag?: string;
      readonly link?: string;
      readonly answer: string;
    }
  | { readonly status: number; readonly body: string; readonly id?: undefined };

/** Bare WHIP and WHEP clients inside one browser page. */
export class BrowserClient {
  readonly page: ScriptPage;

  constructor(page: ScriptPage) {
    this.page = page;
  }

  /** A generated picture and tone; `flashEveryMs` makes both come in flashes. */
  async makeMedia(options: {
    readonly colour: readonly number[];
    readonly toneHz: number;
    readonly fps?: number;
    readonly flashEveryMs?: number;
  }): Promise<number> {
    return (await this.call("makeMedia", options)) as number;
  }

  async closeMedia(media: number): Promise<void> {
    await this.call("closeMedia", media);
  }

  async tryPublish(options: OfferOptions & { readonly media: number }): Promise<Offered> {
    return (await this.call("publish", options)) as Offered;
  }

  /** @throws when the server refuses. */
  async publish(options: OfferOptions & { readonly media: number }): Promise<number> {
    return accepted(await this.tryPublish(options));
  }

  async tryWatch(options: OfferOptions): Promise<Offered> {
    return (await this.call("watch", options)) as Offered;
  }

  /** @throws when the server refuses. */
  async watch(options: OfferOptions): Promise<number> {
    return accepted(await this.tryWatch(options));
  }

  async picture(id: number): Promise<Picture | undefined> {
    return ((await this.call("picture", id)) as Picture | null) ?? undefined;
  }

  async pictureOf(selector: string): Promise<Picture | undefined> {
    return ((await this.call("pictureOf", selector)) as Picture | null) ?? undefined;
  }

  async tone(id: number): Promise<Tone> {
    return (await this.call("tone", id)) as Tone;
  }

  async toneOf(selector: string): Promise<Tone> {
    return (await this.call("toneOf", selector)) as Tone;
  }

  async state(
    id: number,
  ): Promise<{ readonly connection: string; readonly ice: string; readonly firstFrameMs: number | null }> {
    return (await this.call("state", id)) as { connection: string; ice: string; firstFrameMs: number | null };
  }

  async stats(id: number): Promise<readonly Readonly<Record<string, unknown>>[]> {
    return (await this.call("stats", id)) as readonly Readonly<Record<string, unknown>>[];
  }

  async restartIce(id: number): Promise<{ readonly status: number; readonly body: string; readonly etag?: string }> {
    return (await this.call("restartIce", id)) as { status: number; body: string; etag?: string };
  }

  async patch(
    id: number,
    fragment: string,
    ifMatch?: string,
  ): Promise<{ readonly status: number; readonly body: string }> {
    return (await this.call("patch", { id, fragment, ...(ifMatch === undefined ? {} : { ifMatch }) })) as {
      status: number;
      body: string;
    };
  }

  /** DELETEs and closes; resolves with the DELETE's status. */
  async stop(id: number): Promise<number> {
    return (await this.call("stop", { id })) as number;
  }

  /** Closes without a word to the server, as a browser that crashed. */
  async vanish(id: number): Promise<void> {
    await this.call("stop", { id, quietly: true });
  }

  async call(name: string, argument: unknown): Promise<unknown> {
    return this.page.evaluate(`parleyTest.${name}(${JSON.stringify(argument)})`);
  }
}

function accepted(offered: Offered): number {
  if (offered.id === undefined) throw new Error(`refused with ${offered.status}: ${offered.body}`);
  return offered.id;
}

export interface SeenOptions {
  readonly deadlineMs: number;
  readonly phases?: Phases;
}

/**
 * Waits until a picture is that of `person` and its bar moves: three sightings in different places, in order of time, all of the right
 * colour. Resolves with the last sighting.
 *
 * @throws {DeadlineError}
 */
export async function untilPictureOf(
  person: Person,
  look: () => Promise<Picture | undefined>,
  options: SeenOptions,
): Promise<Picture> {
  const places = new Set<number>();
  let last: Picture | undefined;
  return until(
    async () => {
      const seen = await look();
      last = seen ?? last;
      if (seen === undefined || seen.barX === null || personOfColour(seen.colour) !== person) {
        places.clear();
        return undefined;
      }
      places.add(Math.round(seen.barX));
      return places.size >= 3 ? seen : undefined;
    },
    { what: `a moving picture of ${person}`, intervalMs: 60, describe: () => last ?? "no picture at all", ...options },
  );
}

/**
 * Waits until the tone of `person` is the strongest three times in a row.
 *
 * @throws {DeadlineError}
 */
export async function untilToneOf(person: Person, listen: () => Promise<Tone>, options: SeenOptions): Promise<void> {
  let inARow = 0;
  let last: Tone | undefined;
  await until(
    async () => {
      last = await listen();
      inARow = personOfTone(last) === person ? inARow + 1 : 0;
      return inARow >= 3;
    },
    { what: `the tone of ${person}`, intervalMs: 60, describe: () => last, ...options },
  );
}
