/** What a browser remembers of its user. */
export interface Settings {
  readonly name: string;
  readonly theme: "system" | "light" | "dark";
  readonly quality: "low" | "standard" | "high";
  /** Sound as it is, for music: no echo cancellation, no noise suppression. */
  readonly originalSound: boolean;
  /** Keys without Ctrl can get in the way of voice input and screen readers. */
  readonly shortcuts: boolean;
  readonly camera: string;
  readonly microphone: string;
  readonly speaker: string;
}

export const defaultSettings: Settings = {
  name: "",
  theme: "system",
  quality: "standard",
  originalSound: false,
  shortcuts: true,
  camera: "",
  microphone: "",
  speaker: "",
};

/** Width, height, frames per second, and what is sent at most. */
export const qualities = {
  low: { width: 320, height: 180, frameRate: 15, maxBitrateBps: 250_000 },
  standard: { width: 640, height: 360, frameRate: 24, maxBitrateBps: 800_000 },
  high: { width: 1280, height: 720, frameRate: 30, maxBitrateBps: 2_000_000 },
} as const satisfies Record<Settings["quality"], object>;

const key = "parley.demo.settings";
const choices = { theme: ["system", "light", "dark"], quality: ["low", "standard", "high"] } as const;

/** What of a stored text is still valid; everything else is as if never set. */
export function parseSettings(text: string | null): Settings {
  let stored: unknown;
  try {
    stored = JSON.parse(text ?? "{}");
  } catch {
    return defaultSettings;
  }
  if (typeof stored !== "object" || stored === null) return defaultSettings;
  const valid: Record<string, unknown> = { ...defaultSettings };
  for (const [name, value] of Object.entries(stored)) {
    if (!Object.hasOwn(defaultSettings, name)) continue;
    if (typeof value !== typeof valid[name]) continue;
    if (Object.hasOwn(choices, name)) {
      const allowed: readonly unknown[] = choices[name as keyof typeof choices];
      if (!allowed.includes(value)) continue;
    }
    valid[name] = value;
  }
  return valid as unknown as Settings;
}

export function loadSettings(storage: Storage): Settings {
  return parseSettings(storage.getItem(key));
}

export function saveSettings(storage: Storage, settings: Settings): void {
  try {
    storage.setItem(key, JSON.stringify(settings));
  } catch {
    // Private windows may refuse; the settings then last as long as the page.
  }
}
