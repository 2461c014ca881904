import { type ReactElement, type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import { type Area, gridCapacity, gridLayout, pageOf, speakerLayout } from "../layout/tile-layout.ts";
import { TileOrder } from "../meeting/tile-order.ts";
import type { MeetingView, TileView } from "../meeting/view.ts";
import { NextIcon, PreviousIcon } from "./icons.tsx";
import { useRoving } from "./roving.ts";
import { Tile } from "./tile.tsx";

/** `auto`: a shared screen is shown large, else all alike. */
export type LayoutChoice = "auto" | "grid" | "speaker";

/** As in the style sheet. */
const pagerHeightPx = 46;

/** The size of an element, now and after every change. */
function useArea(): [React.RefObject<HTMLDivElement | null>, Area] {
  const element = useRef<HTMLDivElement>(null);
  const [area, setArea] = useState<Area>({ width: 0, height: 0 });
  useEffect(() => {
    if (element.current === null) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry === undefined) return;
      const { width, height } = entry.contentRect;
      setArea({ width, height });
    });
    observer.observe(element.current);
    return () => observer.disconnect();
  }, []);
  return [element, area];
}

/** Who stands large: what is pinned, a screen, who speaks, or spoke last. */
function useLargeTile(view: MeetingView, pinned: string | undefined): string | undefined {
  const lastSpeaker = useRef<string | undefined>(undefined);
  const has = (key: string | undefined): key is string => view.tiles.some((tile) => tile.key === key);
  if (has(view.speaking[0])) [lastSpeaker.current] = view.speaking;
  if (has(pinned)) return pinned;
  const screen = view.tiles.find(({ kind }) => kind === "screen");
  if (screen !== undefined) return screen.key;
  if (has(lastSpeaker.current)) return lastSpeaker.current;
  return (view.tiles.find(({ person }) => !person.isLocal) ?? view.tiles[0])?.key;
}

/** All tiles of a page, each at its place. */
export function Stage(props: {
  readonly view: MeetingView;
  readonly layout: LayoutChoice;
  readonly page: number;
  readonly pinned: string | undefined;
  readonly onPage: (page: number) => void;
  readonly onPin: (key: string | undefined) => void;
  /** Lies over the pictures. */
  readonly children: ReactNode;
}): ReactElement {
  const { view, layout, page, pinned, onPage, onPin, children } = props;
  const [element, area] = useArea();
  const [order] = useState(() => new TileOrder());
  const roving = useRoving<HTMLUListElement>();
  const large = useLargeTile(view, pinned);
  const hasScreen = view.tiles.some(({ kind }) => kind === "screen");
  const isPinned = view.tiles.some(({ key }) => key === pinned);
  const isLargeView = isPinned || layout === "speaker" || (layout === "auto" && hasScreen);

  // The pager takes its place in the same step that makes it necessary, so that nothing jumps.
  const paged = { width: area.width, height: Math.max(0, area.height - pagerHeightPx) };
  const capacityIn = (space: Area): number =>
    isLargeView ? speakerLayout(space, view.tiles.length).capacity : gridCapacity(space);
  const isPaged = view.tiles.length - (isLargeView ? 1 : 0) > capacityIn(area);
  const space = isPaged ? paged : area;
  const capacity = capacityIn(space);
  const arranged = useMemo(() => {
    const tiles = new Map(view.tiles.map((tile) => [tile.key, tile]));
    const fixed = new Set(
      view.tiles.filter(({ kind, person }) => kind === "screen" || person.isLocal).map(({ key }) => key),
    );
    const keys = order.arrange([...tiles.keys()], fixed, view.speaking, capacity);
    return keys.map((key) => tiles.get(key)).filter((tile) => tile !== undefined);
  }, [view.tiles, view.speaking, capacity, order]);

  const main = isLargeView ? arranged.find(({ key }) => key === large) : undefined;
  const rest = main === undefined ? arranged : arranged.filter((tile) => tile !== main);
  const shown = pageOf(rest, page, capacity);
  const tiles: readonly TileView[] = main === undefined ? shown.items : [main, ...shown.items];
  const { rects } = main === undefined ? gridLayout(space, tiles.length) : speakerLayout(space, tiles.length);
  const isMeasured = area.width > 0 && area.height > 0;

  return (
    <div className="stage">
      <div ref={element} className="stage-area">
        {isMeasured ? (
          <ul className="tiles" aria-label="Participants' pictures" {...roving}>
            {tiles.map((tile, index) => {
              const rect = rects[index];
              return rect === undefined ? null : (
                <Tile
                  key={tile.key}
                  tile={tile}
                  rect={rect}
                  isPinned={tile.key === pinned}
                  onPin={() => onPin(tile.key === pinned ? undefined : tile.key)}
                />
              );
            })}
          </ul>
        ) : null}
        {children}
      </div>
      {shown.pages > 1 ? (
        <nav className="pager" aria-label="Pages of participants">
          <button
            type="button"
            className="plain-button"
            aria-label="Previous page"
            disabled={shown.page === 0}
            onClick={() => onPage(shown.page - 1)}
          >
            <PreviousIcon />
          </button>
          <span aria-live="polite">
            Page {shown.page + 1} of {shown.pages}
          </span>
          <button
            type="button"
            className="plain-button"
            aria-label="Next page"
            disabled={shown.page === shown.pages - 1}
            onClick={() => onPage(shown.page + 1)}
          >
            <NextIcon />
          </button>
        </nav>
      ) : null}
    </div>
  );
}
