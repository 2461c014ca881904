/** Where tiles stand. Pixels from the stage's upper left corner. */
export interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Area {
  readonly width: number;
  readonly height: number;
}

export interface LayoutPlan {
  /** As many as tiles were asked for and fit, in the tiles' order. */
  readonly rects: readonly Rect[];
  /** How many fit on one page. */
  readonly capacity: number;
}

/** Never more on one page: smaller faces say nothing, and each costs a decoder. */
export const maxTilesPerPage = 25;
const gapPx = 10;
/** A face in a tile of less than this cannot be read. */
const minTile = { width: 138, height: 96 };
/** Between upright (phones) or square (desks) and wide (cameras): pictures are cropped to fill, so that little space stays empty. */
const minAspectUpright = 0.82;
const minAspectWide = 1;
const maxAspect = 16 / 9;

interface Grid {
  readonly columns: number;
  readonly rows: number;
  readonly tile: Area;
}

/** The grid whose tiles are largest. */
function bestGrid(area: Area, count: number): Grid {
  const minAspect = area.width > area.height ? minAspectWide : minAspectUpright;
  let best: Grid = { columns: 1, rows: count, tile: { width: 0, height: 0 } };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const cell = {
      width: Math.max(0, (area.width - gapPx * (columns - 1)) / columns),
      height: Math.max(0, (area.height - gapPx * (rows - 1)) / rows),
    };
    const tile = {
      width: Math.min(cell.width, cell.height * maxAspect),
      height: Math.min(cell.height, cell.width / minAspect),
    };
    if (tile.width * tile.height > best.tile.width * best.tile.height) best = { columns, rows, tile };
  }
  return best;
}

/** How many tiles of a readable size fit; at least one. */
export function gridCapacity(area: Area): number {
  for (let count = maxTilesPerPage; count > 1; count -= 1) {
    const { tile } = bestGrid(area, count);
    if (tile.width >= minTile.width && tile.height >= minTile.height) return count;
  }
  return 1;
}

/** All tiles alike, the last row in the middle. */
export function gridLayout(area: Area, count: number): LayoutPlan {
  const capacity = gridCapacity(area);
  const shown = Math.min(count, capacity);
  if (shown === 0) return { rects: [], capacity };
  const { columns, rows, tile } = bestGrid(area, shown);
  const top = (area.height - rows * tile.height - (rows - 1) * gapPx) / 2;
  const rects = Array.from({ length: shown }, (_, index) => {
    const row = Math.floor(index / columns);
    const inRow = row === rows - 1 ? shown - row * columns : columns;
    const left = (area.width - inRow * tile.width - (inRow - 1) * gapPx) / 2;
    const x = left + (index % columns) * (tile.width + gapPx);
    return rounded({ x, y: top + row * (tile.height + gapPx), ...tile });
  });
  return { rects, capacity };
}

/** One large tile (the first), the others in a strip: beside it on wide stages, below it on upright ones. `capacity` counts the strip. */
export function speakerLayout(area: Area, count: number): LayoutPlan {
  const isWide = area.width > area.height;
  const strip = isWide ? sideStrip(area) : bottomStrip(area);
  const inStrip = Math.min(Math.max(0, count - 1), strip.capacity);
  if (count === 0) return { rects: [], capacity: strip.capacity };
  const main =
    count === 1
      ? { x: 0, y: 0, ...area }
      : isWide
        ? { x: 0, y: 0, width: area.width - strip.tile.width - gapPx, height: area.height }
        : { x: 0, y: 0, width: area.width, height: area.height - strip.tile.height - gapPx };
  const used = inStrip * ((isWide ? strip.tile.height : strip.tile.width) + gapPx) - gapPx;
  const start = ((isWide ? area.height : area.width) - used) / 2;
  const rects = Array.from({ length: inStrip }, (_, index) =>
    rounded(
      isWide
        ? { x: area.width - strip.tile.width, y: start + index * (strip.tile.height + gapPx), ...strip.tile }
        : { x: start + index * (strip.tile.width + gapPx), y: area.height - strip.tile.height, ...strip.tile },
    ),
  );
  return { rects: [rounded(main), ...rects], capacity: strip.capacity };
}

function sideStrip(area: Area): { readonly tile: Area; readonly capacity: number } {
  const width = Math.min(240, Math.max(140, area.width * 0.19));
  const tile = { width, height: (width * 9) / 16 };
  return { tile, capacity: Math.max(1, Math.floor((area.height + gapPx) / (tile.height + gapPx))) };
}

function bottomStrip(area: Area): { readonly tile: Area; readonly capacity: number } {
  const height = Math.min(120, Math.max(84, area.height * 0.17));
  const tile = { width: (height * 4) / 3, height };
  return { tile, capacity: Math.max(1, Math.floor((area.width + gapPx) / (tile.width + gapPx))) };
}

function rounded({ x, y, width, height }: Rect): Rect {
  return { x: Math.round(x), y: Math.round(y), width: Math.floor(width), height: Math.floor(height) };
}

/** One page of a list; a page that is not there (any more) becomes the last one. */
export function pageOf<T>(
  items: readonly T[],
  page: number,
  capacity: number,
): { readonly items: readonly T[]; readonly page: number; readonly pages: number } {
  const pages = Math.max(1, Math.ceil(items.length / capacity));
  const valid = Math.min(Math.max(0, page), pages - 1);
  return { items: items.slice(valid * capacity, (valid + 1) * capacity), page: valid, pages };
}
