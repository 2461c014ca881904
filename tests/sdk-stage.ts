import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { PEOPLE, type BrowserClient, type Chromium, type Person, type Picture, type Tone } from "@parley/testing";
import { rolldown } from "rolldown";

export interface Tile {
  /** The name under it. */
  readonly name: string;
  readonly source: string;
  readonly selector: string;
  readonly isShown: boolean;
  readonly isSubscribed: boolean;
  readonly picture: Picture | null;
}

export interface RoomState {
  readonly state: string;
  readonly id: string;
  readonly participantId: string;
  readonly names: readonly string[];
  readonly publications: readonly {
    readonly name: string;
    readonly source: string;
    readonly muted: boolean;
    readonly live: boolean;
    readonly codec: string;
    readonly isSubscribed: boolean;
    readonly error: string | null;
  }[];
  readonly local: readonly { readonly id: string; readonly source: string; readonly muted: boolean }[];
  readonly speakers: readonly string[];
  readonly events: readonly string[];
}

export interface JoinRequest {
  /** Of the participant, and of the room object in the page. */
  readonly name: string;
  readonly url: string;
  readonly token: string;
  readonly room: string;
  readonly options?: object;
  readonly show?: boolean;
  /** From `makeMedia`: published with the join. */
  readonly media?: number;
}

/** Every frame that was drawn under a name while the tile was to be seen. */
export interface FacesSeen {
  readonly seen: Readonly<Record<string, { readonly frames: number; readonly longestGapMs: number }>>;
  /** "ben as anna". */
  readonly wrong: readonly string[];
  /** Names of tiles that were hidden, each time. */
  readonly hidden: readonly string[];
}

export interface VoicesHeard {
  /** In how many looks, 20 a second. */
  readonly heard: Readonly<Record<string, number>>;
  readonly wrong: readonly string[];
  /** Whose voice comes out now. */
  readonly now: readonly string[];
  /** Whom the room calls speaking now, loudest first. */
  readonly speakers: readonly string[];
}

let bundled: Promise<string> | undefined;

/** The SDK as a script with one global, `ParleySdk`. */
export function sdkScript(): Promise<string> {
  bundled ??= (async () => {
    const input = fileURLToPath(new URL("../sdk/src/index.ts", import.meta.url));
    const build = await rolldown({ input, platform: "browser" });
    const { output } = await build.generate({ format: "iife", name: "ParleySdk" });
    await build.close();
    return output[0].code;
  })();
  return bundled;
}

const inPage = readFileSync(new URL("./sdk-in-page.js", import.meta.url), "utf8");
const watchInPage = readFileSync(new URL("./sdk-watch-in-page.js", import.meta.url), "utf8");

/** A page with the SDK in it. */
export class SdkPage {
  readonly client: BrowserClient;

  private constructor(client: BrowserClient) {
    this.client = client;
  }

  static async open(chromium: Chromium, url?: string): Promise<SdkPage> {
    const client = await chromium.openClient(url);
    // The completion value of a script is not for us.
    await client.page.evaluate(`(() => { ${await sdkScript()}\nglobalThis.ParleySdk = ParleySdk; })()`);
    await client.page.evaluate(`(() => { ${inPage} })()`);
    await client.page.evaluate(`(() => { ${watchInPage} })()`);
    return new SdkPage(client);
  }

  makeMedia(person: Person): Promise<number> {
    return this.client.makeMedia(PEOPLE[person]);
  }

  join(request: JoinRequest): Promise<{ readonly id: string; readonly ms: number }> {
    return this.#call("join", request);
  }

  publish(name: string, media: number): Promise<void> {
    return this.#call("publish", { name, media });
  }

  tiles(name: string): Promise<readonly Tile[]> {
    return this.#call("tiles", name);
  }

  /** Puts only these participants' tiles on the page. */
  show(name: string, names: readonly string[]): Promise<void> {
    return this.#call("page", { name, names });
  }

  toneOf(name: string, participant: string): Promise<Tone> {
    return this.#call("toneOf", { name, participant });
  }

  state(name: string): Promise<RoomState> {
    return this.#call("state", name);
  }

  /** From now on every frame of every tile is looked at; `colours` by the name under it. */
  watchFaces(name: string, colours: Readonly<Record<string, readonly number[]>>): Promise<void> {
    return this.#watch("faces", { name, colours });
  }

  faces(name: string): Promise<FacesSeen> {
    return this.#watch("seenFaces", name);
  }

  /** From now on every voice is listened to; `tones` in Hz, by participant. */
  watchVoices(name: string, tones: Readonly<Record<string, number>>): Promise<void> {
    return this.#watch("voices", { name, tones });
  }

  voices(name: string): Promise<VoicesHeard> {
    return this.#watch("heardVoices", name);
  }

  /** Of what `makeMedia` made; 0.25 when it is made. */
  setLoudness(media: number, gain: number): Promise<void> {
    return this.#watch("setLoudness", { media, gain });
  }

  leave(name: string): Promise<void> {
    return this.#call("leave", name);
  }

  /** Any expression over `room`. */
  room<T>(name: string, expression: string): Promise<T> {
    return this.client.page.evaluate(
      `(async (room) => (${expression}))(sdkTest.rooms.get(${JSON.stringify(name)}).room)`,
    ) as Promise<T>;
  }

  async #watch<T>(method: string, argument: unknown): Promise<T> {
    return (await this.client.page.evaluate(`sdkWatch.${method}(${JSON.stringify(argument)})`)) as T;
  }

  async #call<T>(method: string, argument: unknown): Promise<T> {
    return (await this.client.page.evaluate(`sdkTest.${method}(${JSON.stringify(argument)})`)) as T;
  }
}
