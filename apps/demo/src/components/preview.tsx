import { type ReactElement, useEffect, useRef } from "react";
import { watchLevel } from "../devices/level.ts";

/** Our own picture, as in a mirror. */
export function MirrorVideo(props: { readonly track: MediaStreamTrack; readonly label: string }): ReactElement {
  const element = useRef<HTMLVideoElement>(null);
  const { track, label } = props;
  useEffect(() => {
    const video = element.current;
    if (video === null) return;
    video.srcObject = new MediaStream([track]);
    video.play().catch(() => undefined);
    return () => {
      video.srcObject = null;
    };
  }, [track]);
  const facesAway = track.getSettings().facingMode === "environment";
  return <video ref={element} className={facesAway ? "" : "mirrored"} muted playsInline autoPlay aria-label={label} />;
}

const bars = 12;

/** How loud the microphone is. It changes many times a second, so React draws it once and the bars are set by hand. */
export function LevelMeter(props: { readonly track: MediaStreamTrack | undefined }): ReactElement {
  const element = useRef<HTMLDivElement>(null);
  const { track } = props;
  useEffect(() => {
    const meter = element.current;
    if (meter === null || track === undefined) return;
    const stop = watchLevel(track, (level) => {
      meter.setAttribute("aria-valuenow", String(Math.round(level * 100)));
      for (const [index, bar] of [...meter.children].entries()) {
        bar.classList.toggle("is-lit", level * bars > index + 0.3);
      }
    });
    return () => {
      stop();
      for (const bar of meter.children) bar.classList.remove("is-lit");
      meter.setAttribute("aria-valuenow", "0");
    };
  }, [track]);
  return (
    <div
      ref={element}
      className="level-meter"
      role="meter"
      aria-label="Microphone level"
      aria-valuemin={0}
      aria-valuemax={100}
    >
      {Array.from({ length: bars }, (_, index) => (
        <span key={index} />
      ))}
    </div>
  );
}
