import type { Clock } from "@parley/foundation";

/** Browsers that do not tell of pictures get this pause between the packets' word and the showing: one decode. */
const blindPauseMs = 120;

/**
 * One element that shows a video. It gets a slot's track early, so that decoding starts, and stays hidden until the packets say that
 * the right person comes out, and a picture of theirs has been drawn.
 */
export class VideoTile {
  readonly element: HTMLMediaElement;
  readonly #clock: Clock;
  /** Looks at the packets again. */
  readonly #look: () => void;
  #track: MediaStreamTrack | undefined;
  #isVerified = false;
  /** Grows with every change; a callback of before is void. */
  #turn = 0;

  constructor(element: HTMLMediaElement, clock: Clock, look: () => void) {
    this.element = element;
    this.#clock = clock;
    this.#look = look;
    this.#hide();
  }

  /** What is (perhaps) coming; undefined: nothing. */
  setTrack(track: MediaStreamTrack | undefined): void {
    if (this.#track === track) return;
    this.#track = track;
    this.#turn += 1;
    this.#isVerified = false;
    this.#hide();
    this.element.srcObject = track === undefined ? null : new MediaStream([track]);
    if (track === undefined) return;
    void this.element.play().catch(() => undefined);
    this.#watchFirstPicture(this.#turn);
  }

  /** The same picture out of another track, which shows it already: the last one stays until the next is drawn. */
  takeOver(track: MediaStreamTrack): void {
    const stream = this.element.srcObject;
    const before = this.#track;
    if (before === undefined || !(stream instanceof MediaStream)) {
      this.setTrack(track);
      return;
    }
    this.#track = track;
    stream.addTrack(track);
    stream.removeTrack(before);
  }

  setVerified(verified: boolean): void {
    if (this.#isVerified === verified) return;
    this.#isVerified = verified;
    this.#turn += 1;
    if (!verified) {
      this.#hide();
      return;
    }
    const turn = this.#turn;
    this.#nextPicture(() => {
      if (turn === this.#turn && this.#isVerified) this.element.style.visibility = "";
    });
  }

  close(): void {
    this.setTrack(undefined);
    this.#turn += 1;
    this.element.style.visibility = "";
  }

  #hide(): void {
    this.element.style.visibility = "hidden";
  }

  /** The sooner the packets are looked at, the sooner the picture is shown. */
  #watchFirstPicture(turn: number): void {
    this.#nextPicture(() => {
      if (turn !== this.#turn || this.#isVerified) return;
      this.#look();
      if (!this.#isVerified) this.#watchFirstPicture(turn);
    });
  }

  #nextPicture(callback: () => void): void {
    const video = this.element as Partial<HTMLVideoElement>;
    if (typeof video.requestVideoFrameCallback === "function") video.requestVideoFrameCallback(callback);
    else this.#clock.after(blindPauseMs, callback);
  }
}
