import assert from "node:assert/strict";
import { mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DemoPage } from "./demo-stage.ts";

export const desktop = { width: 1440, height: 900 };
export const phone = { width: 390, height: 844 };
/** A desktop at 400 %, where everything must still be there (WCAG 1.4.10). */
const enlarged = { width: 320, height: 640 };

/** The four looks of the demo. */
const looks = [
  { name: "desktop-light", size: desktop, colorScheme: "light" },
  { name: "phone-dark", size: phone, colorScheme: "dark" },
  { name: "desktop-dark", size: desktop, colorScheme: "dark" },
  { name: "phone-light", size: phone, colorScheme: "light" },
] as const;

/** Pictures of the demo to look at, in a folder whose name is printed. Each is read on the way: names, roles, contrast, what is cut off. */
export class Shots {
  readonly folder: string;
  readonly #problems: string[] = [];

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async open(): Promise<Shots> {
    const wanted = process.env["SCREENSHOTS_FOLDER"];
    if (wanted !== undefined) await mkdir(wanted, { recursive: true });
    const folder = wanted ?? (await mkdtemp(join(tmpdir(), "parley-demo-screenshots-")));
    console.log(`screenshots: ${folder}`);
    return new Shots(folder);
  }

  /** All four looks, those of a phone, or two that differ in both. */
  async take(demo: DemoPage, name: string, which: "all" | "phone" | "two" = "two"): Promise<void> {
    const { page } = demo;
    await page.bringToFront();
    const wanted = {
      all: looks,
      phone: looks.filter(({ size }) => size === phone),
      two: looks.slice(0, 2),
    }[which];
    for (const { name: look, size, colorScheme } of wanted) {
      await page.setViewportSize(size);
      // Without motion everything is where it belongs as soon as it is drawn.
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await demo.drawn();
      await page.screenshot({ path: join(this.folder, `${name}-${look}.png`) });
      for (const problem of await demo.audit()) this.#problems.push(`${name}-${look}: ${problem}`);
    }
    if (which !== "phone") await page.setViewportSize(desktop);
    await page.emulateMedia({ colorScheme: "light", reducedMotion: "no-preference" });
  }

  /** Reads the page without a picture, at the size that an enlarged page has. */
  async readEnlarged(demo: DemoPage, name: string): Promise<void> {
    await demo.page.setViewportSize(enlarged);
    await demo.page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
    await demo.drawn();
    for (const problem of await demo.audit()) this.#problems.push(`${name}, enlarged: ${problem}`);
    await demo.page.setViewportSize(desktop);
    await demo.page.emulateMedia({ colorScheme: "light", reducedMotion: "no-preference" });
  }

  /** At the end, so that one run shows all that is wrong. */
  check(): void {
    assert.deepEqual(this.#problems.splice(0), []);
  }
}
