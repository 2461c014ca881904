import {
  type BrowserClient,
  type Chromium,
  type ChromiumOptions,
  type OfferOptions,
  PEOPLE,
  type ParleyProcess,
  type Person,
  Phases,
  startChromium,
  startParley,
  untilPictureOf,
  untilToneOf,
} from "@parley/testing";

/** A real server and a real browser with two pages: one that publishes, one that watches. */
export interface Scene {
  readonly server: ParleyProcess;
  readonly chromium: Chromium;
  readonly publishers: BrowserClient;
  readonly viewers: BrowserClient;
  readonly publish: (person: Person, stream: string, options?: SceneOffer) => Promise<Published>;
  readonly watch: (stream: string, options?: SceneOffer) => Promise<number>;
  /** Waits until a viewer sees and hears a person; resolves with the milliseconds from its offer to its first frame. */
  readonly expectPerson: (
    viewer: number,
    person: Person,
    options?: { readonly deadlineMs?: number; readonly phases?: Phases },
  ) => Promise<number>;
  readonly close: () => Promise<void>;
}

export type SceneOffer = Omit<OfferOptions, "endpoint" | "token">;

export interface Published {
  readonly id: number;
  readonly media: number;
}

/** Every scene has its own server, so the name of the room says nothing. */
export const ROOM = "studio";

/** From an offer to a moving picture, on a machine that is busy with three other streams. */
const PICTURE_DEADLINE_MS = 8000;
const TONE_DEADLINE_MS = 4000;

export async function openScene(
  options: { readonly chromium?: ChromiumOptions; readonly serverArgs?: readonly string[] } = {},
): Promise<Scene> {
  const server = await startParley(options.serverArgs === undefined ? {} : { args: options.serverArgs });
  let chromium: Chromium;
  try {
    chromium = await startChromium(options.chromium);
  } catch (error) {
    await server.stop();
    throw error;
  }
  const publishers = await chromium.openClient();
  const viewers = await chromium.openClient();
  const scene: Scene = {
    server,
    chromium,
    publishers,
    viewers,
    publish: async (person, stream, offer = {}) => {
      const media = await publishers.makeMedia(PEOPLE[person]);
      const token = await server.token({ room: ROOM, publish: true });
      return {
        media,
        id: await publishers.publish({ endpoint: server.whipUrl(ROOM, stream), token, media, ...offer }),
      };
    },
    watch: async (stream, offer = {}) => {
      const token = await server.token({ room: ROOM, subscribe: true });
      return viewers.watch({ endpoint: server.whepUrl(ROOM, stream), token, ...offer });
    },
    expectPerson: async (viewer, person, { deadlineMs = PICTURE_DEADLINE_MS, phases = new Phases() } = {}) => {
      await untilPictureOf(person, () => viewers.picture(viewer), { deadlineMs, phases });
      phases.mark(`picture of ${person}`);
      await untilToneOf(person, () => viewers.tone(viewer), { deadlineMs: TONE_DEADLINE_MS, phases });
      return (await viewers.state(viewer)).firstFrameMs ?? Number.NaN;
    },
    close: async () => {
      await chromium.close();
      const code = await server.stop();
      if (code !== 0) throw new Error(`the server ended with ${code}:\n${server.lines().slice(-30).join("\n")}`);
    },
  };
  return scene;
}
