/** A tile that is just outside is asked for already, so that scrolling shows pictures and not holes. */
const rootMargin = "80px";

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
    { rootMargin },
  );
  const shared = observer;
  listeners.set(element, listener);
  shared.observe(element);
  return () => {
    listeners.delete(element);
    shared.unobserve(element);
  };
}
