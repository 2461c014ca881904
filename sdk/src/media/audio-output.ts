import { TypedEmitter } from "../api/emitter.ts";

export interface AudioOutputEvents {
  /** Whether the browser plays sound, or wants a click first. */
  status: readonly [canPlay: boolean];
}

interface Player {
  readonly element: HTMLAudioElement;
  readonly track: MediaStreamTrack;
}

/**
 * Plays the audio slots: one element each, silent until it is known whose sound comes out. Without a document (Node) nothing is
 * played.
 */
export class AudioOutput extends TypedEmitter<AudioOutputEvents> {
  readonly #document: Document | undefined;
  readonly #players = new Map<string, Player>();
  #canPlay = true;
  #deviceId: string | undefined;

  constructor(document: Document | undefined) {
    super();
    this.#document = document;
  }

  get canPlay(): boolean {
    return this.#canPlay;
  }

  get deviceId(): string | undefined {
    return this.#deviceId;
  }

  add(mid: string, track: MediaStreamTrack): void {
    this.remove(mid);
    if (this.#document === undefined) return;
    const element = this.#document.createElement("audio");
    element.autoplay = true;
    element.muted = true;
    element.srcObject = new MediaStream([track]);
    const player = { element, track };
    this.#players.set(mid, player);
    if (this.#deviceId !== undefined) void setSink(element, this.#deviceId);
    void this.#play(player);
  }

  remove(mid: string): void {
    const player = this.#players.get(mid);
    if (player === undefined) return;
    this.#players.delete(mid);
    player.element.pause();
    player.element.srcObject = null;
  }

  /** 0 to 1; undefined: silent, because nobody knows whose sound it is, or nobody wants it. */
  setVolume(mid: string, volume: number | undefined): void {
    const element = this.#players.get(mid)?.element;
    if (element === undefined) return;
    element.muted = volume === undefined;
    if (volume !== undefined) element.volume = Math.min(1, Math.max(0, volume));
  }

  /** From a click. */
  async start(): Promise<void> {
    await Promise.all([...this.#players.values()].map((player) => this.#play(player)));
    this.#setCanPlay(true);
  }

  /** Rejects when the browser cannot choose, or does not know the device. */
  async setDevice(deviceId: string): Promise<void> {
    this.#deviceId = deviceId;
    await Promise.all([...this.#players.values()].map(({ element }) => setSink(element, deviceId)));
  }

  close(): void {
    for (const mid of [...this.#players.keys()]) this.remove(mid);
  }

  async #play({ element }: Player): Promise<void> {
    try {
      await element.play();
    } catch (error) {
      if (error instanceof Error && error.name === "NotAllowedError") this.#setCanPlay(false);
    }
  }

  #setCanPlay(canPlay: boolean): void {
    if (this.#canPlay === canPlay) return;
    this.#canPlay = canPlay;
    this.emit("status", canPlay);
  }
}

async function setSink(element: HTMLAudioElement, deviceId: string): Promise<void> {
  if (typeof (element as Partial<HTMLAudioElement>).setSinkId === "function") await element.setSinkId(deviceId);
}
