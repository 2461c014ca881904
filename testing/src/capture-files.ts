import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PEOPLE, type Person, cardAsY4m, toneAsWav } from "./test-card.ts";

/** A person for Chromium's fake camera and microphone, so that a page's own getUserMedia is what is tested. */
export interface CaptureFiles {
  readonly cameraFile: string;
  readonly microphoneFile: string;
  readonly remove: () => Promise<void>;
}

/** 80 frames move the bar once across: a loop has no seam. */
const FRAMES = 80;

export async function writeCaptureFiles(person: Person): Promise<CaptureFiles> {
  const folder = await mkdtemp(join(tmpdir(), "parley-capture-"));
  const [cameraFile, microphoneFile] = [join(folder, "camera.y4m"), join(folder, "microphone.wav")];
  const { colour, toneHz } = PEOPLE[person];
  await writeFile(cameraFile, cardAsY4m(colour, FRAMES, 15));
  await writeFile(microphoneFile, toneAsWav(toneHz, 2));
  return { cameraFile, microphoneFile, remove: async () => rm(folder, { recursive: true, force: true }) };
}
