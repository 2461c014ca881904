import type { ConnectionQuality } from "@parley/sdk";
import { type ReactElement, useEffect, useRef } from "react";
import type { Rect } from "../layout/tile-layout.ts";
import type { TileView } from "../meeting/view.ts";
import { Avatar, colourOf } from "./basics.tsx";
import { HandIcon, MicrophoneOffIcon, PinIcon, ScreenIcon } from "./icons.tsx";
import { MirrorVideo } from "./preview.tsx";

/** Somebody's picture, or a screen. A tile that is not on the page is not rendered, so its picture is not received. */
export function Tile(props: {
  readonly tile: TileView;
  readonly rect: Rect;
  readonly isPinned: boolean;
  readonly onPin: () => void;
}): ReactElement {
  const { tile, rect, isPinned, onPin } = props;
  const { person, kind } = tile;
  const isScreen = kind === "screen";
  const name = person.isLocal ? `${person.name} (you)` : person.name;
  const label = isScreen ? (person.isLocal ? "Your screen" : `${person.name}'s screen`) : name;
  const classes = ["tile", `tile-${kind}`, colourOf(person.name)];
  if (person.isSpeaking && !isScreen) classes.push("is-speaking");
  const isSmall = rect.width < 220;
  if (isSmall) classes.push("tile-small");
  return (
    <li
      className={classes.join(" ")}
      data-tile={`${kind} ${person.name}`}
      style={{ transform: `translate(${rect.x}px, ${rect.y}px)`, width: rect.width, height: rect.height }}
      aria-label={describeTile(tile, label)}
    >
      <div className="tile-behind">
        <Avatar name={person.name} />
        {tile.problem === undefined ? null : <p>{pictureProblem(tile.problem)}</p>}
      </div>
      <Picture tile={tile} label={isScreen ? label : `Camera of ${name}`} />
      {person.handRaised && !isScreen ? (
        <span className="tile-hand" title="Hand raised">
          <HandIcon />
        </span>
      ) : null}
      <div className="tile-foot">
        <span className="tile-name">
          {isScreen ? <ScreenIcon /> : person.microphone ? null : <MicrophoneOffIcon />}
          <span>{isSmall && person.isLocal && !isScreen ? "You" : label}</span>
        </span>
        {isScreen ? null : <QualityMark quality={person.quality} />}
      </div>
      <button
        type="button"
        className="tile-pin"
        aria-label={`${isPinned ? "Unpin" : "Pin"} ${label}`}
        aria-pressed={isPinned}
        title={isPinned ? "Unpin" : "Pin"}
        onClick={onPin}
      >
        <PinIcon />
      </button>
    </li>
  );
}

function describeTile({ person, kind }: TileView, label: string): string {
  if (kind === "screen") return label;
  const facts = [
    person.microphone ? (person.isSpeaking ? "speaking" : "") : "muted",
    person.camera ? "" : "camera off",
    person.handRaised ? "hand raised" : "",
    person.quality === "poor" || person.quality === "lost" ? `connection ${person.quality}` : "",
  ];
  return [label, ...facts.filter((fact) => fact !== "")].join(", ");
}

function pictureProblem(code: string): string {
  return code === "codec-not-accepted"
    ? "Waiting for a picture this browser can show"
    : "The picture does not get through";
}

function Picture(props: { readonly tile: TileView; readonly label: string }): ReactElement | null {
  const { tile, label } = props;
  const { remote, local, kind } = tile;
  const element = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    const video = element.current;
    if (remote === undefined || video === null) return;
    return remote.attach(video);
  }, [remote]);
  if (local !== undefined) {
    if (kind === "person") return <MirrorVideo track={local} label={label} />;
    return <LocalScreen track={local} label={label} />;
  }
  // The key: an element never goes from one publication to another.
  return remote === undefined ? null : (
    <video key={remote.id} ref={element} muted playsInline autoPlay aria-label={label} />
  );
}

function LocalScreen(props: { readonly track: MediaStreamTrack; readonly label: string }): ReactElement {
  const element = useRef<HTMLVideoElement>(null);
  const { track, label } = props;
  useEffect(() => {
    if (element.current !== null) element.current.srcObject = new MediaStream([track]);
  }, [track]);
  return <video ref={element} muted playsInline autoPlay aria-label={label} />;
}

const qualityWords: Readonly<Record<ConnectionQuality, string>> = {
  unknown: "",
  good: "Connection is good",
  fair: "Connection is fair",
  poor: "Connection is poor",
  lost: "Connection is lost",
};

/** Three bars, as on telephones. */
export function QualityMark(props: { readonly quality: ConnectionQuality }): ReactElement | null {
  const { quality } = props;
  if (quality === "unknown") return null;
  return (
    <span
      className={`quality quality-${quality}`}
      role="img"
      aria-label={qualityWords[quality]}
      title={qualityWords[quality]}
    >
      <span />
      <span />
      <span />
    </span>
  );
}
