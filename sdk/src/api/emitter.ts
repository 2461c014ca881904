type Listener<Args extends readonly unknown[]> = (...args: Args) => void;

/**
 * Typed events. Listeners are called in the order they were added; one that throws does not disturb the others: its error is
 * reported as an unhandled one, as in an `EventTarget`.
 */
export interface Emitter<Events extends { readonly [Name in keyof Events]: readonly unknown[] }> {
  on<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): this;
  once<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): this;
  off<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): this;
}

export class TypedEmitter<
  Events extends { readonly [Name in keyof Events]: readonly unknown[] },
> implements Emitter<Events> {
  readonly #listeners: { [Name in keyof Events]?: Set<Listener<Events[Name]>> } = {};

  on<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): this {
    const listeners = (this.#listeners[name] ??= new Set());
    listeners.add(listener);
    return this;
  }

  once<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): this {
    const wrapped: Listener<Events[Name]> = (...args) => {
      this.off(name, wrapped);
      listener(...args);
    };
    return this.on(name, wrapped);
  }

  off<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): this {
    this.#listeners[name]?.delete(listener);
    return this;
  }

  /** For the owner of the emitter. */
  protected emit<Name extends keyof Events>(name: Name, ...args: Events[Name]): void {
    for (const listener of [...(this.#listeners[name] ?? [])]) {
      try {
        listener(...args);
      } catch (error) {
        void Promise.reject(error);
      }
    }
  }
}
