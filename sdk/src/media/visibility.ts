/** A tile that is just outside is asked for already, so that scrolling shows pictures and not holes. */
const marginPx = 80;

let observer: IntersectionObserver | undefined;
const listeners = new WeakMap<Element, (visible: boolean) => void>();

/**
 * Tells whether somebody can see `element`, at once and whenever it changes; where the browser cannot tell, it counts as seen. Returns the
 * function that ends it.
 */
export function watchVisibility(element: Element, listener: (visible: boolean) => void): () => void {
  if (typeof globalThis.IntersectionObserver !== "function") {
    listener(true);
    return () => undefined;
  }
  observer ??= new IntersectionObserver(
    (entries) => {
      for (const entry of entries) listeners.get(entry.target)?.(entry.isIntersecting);
    },
    { rootMargin: `${marginPx}px` },
  );
  const shared = observer;
  listeners.set(element, listener);
  shared.observe(element);
  // The observer's first word comes with the next frame, which in a busy page may be long; what is plain to see needs no waiting.
  if (isInView(element)) listener(true);
  return () => {
    listeners.delete(element);
    shared.unobserve(element);
  };
}

function isInView(element: Element): boolean {
  if (!element.isConnected) return false;
  const { left, right, top, bottom, width, height } = element.getBoundingClientRect();
  const { innerWidth, innerHeight } = globalThis;
  if (width === 0 || height === 0) return false;
  return bottom > -marginPx && top < innerHeight + marginPx && right > -marginPx && left < innerWidth + marginPx;
}
