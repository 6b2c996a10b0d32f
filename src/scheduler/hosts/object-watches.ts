/**
 * Which hosts remember something of an object at a store, so that a host that changes the object can wait until nobody
 * relies on its old state. The keys are digests. A host is notified through the stream that holds it; when the stream
 * breaks the host stops relying on anything, and knows that it must.
 */
import { LRUCache } from 'lru-cache';
import { objectLimits as limits } from '../limits.ts';

/** Sends one host the keys that it must let go. */
type Tell = (keys: readonly string[]) => void;

/** A host's change, which waits until the other hosts have let go of the key. */
interface Change {
  readonly key: string;
  readonly waitsFor: Set<string>;
  readonly over: PromiseWithResolvers<void>;
}

export class ObjectWatches {
  readonly #tell = new Map<string, Set<Tell>>();
  /** Hosts by key, and keys by host. */
  readonly #watchers = new Map<string, Set<string>>();
  readonly #watched = new Map<string, Set<string>>();
  #count = 0;
  readonly #changes = new Set<Change>();
  readonly #partLengths = new LRUCache<string, number>({ max: limits.partLengths });

  /** The host can be notified of changes until the result is disposed of. */
  hold(hostId: string, tell: Tell): Disposable {
    const tells = this.#tell.get(hostId) ?? new Set();
    this.#tell.set(hostId, tells.add(tell));
    return {
      [Symbol.dispose]: () => {
        tells.delete(tell);
        if (tells.size > 0) return;
        this.#tell.delete(hostId);
        for (const key of this.#watched.get(hostId) ?? []) this.letGo(hostId, key);
      },
    };
  }

  /** False when the host could not be notified of a change, or when there is too much to remember. */
  watch(hostId: string, keys: readonly string[]): boolean {
    if (!this.#tell.has(hostId)) return false;
    const watched = this.#watched.get(hostId) ?? new Set();
    for (const key of keys) {
      if (watched.has(key)) continue;
      if (watched.size >= limits.watchedByOne || this.#count >= limits.watched) return false;
      this.#watched.set(hostId, watched.add(key));
      const watchers = this.#watchers.get(key) ?? new Set();
      this.#watchers.set(key, watchers.add(hostId));
      this.#count += 1;
    }
    return true;
  }

  letGo(hostId: string, key: string): void {
    const watchers = this.#watchers.get(key);
    if (watchers?.delete(hostId) === true) {
      this.#count -= 1;
      if (watchers.size === 0) this.#watchers.delete(key);
      const watched = this.#watched.get(hostId);
      watched?.delete(key);
      if (watched?.size === 0) this.#watched.delete(hostId);
    }
    for (const change of this.#changes) {
      if (change.key !== key || !change.waitsFor.delete(hostId)) continue;
      if (change.waitsFor.size === 0) change.over.resolve();
    }
  }

  /** Resolves when all others have let go of the key, or when a host takes too long to answer. */
  async changed(hostId: string, key: string, partLength: number): Promise<void> {
    if (partLength > 0) this.#partLengths.set(key, partLength);
    else this.#partLengths.delete(key);
    const waitsFor = new Set(this.#watchers.get(key));
    waitsFor.delete(hostId);
    if (waitsFor.size === 0) return;
    const change: Change = { key, waitsFor, over: Promise.withResolvers() };
    this.#changes.add(change);
    for (const watcher of waitsFor) for (const tell of this.#tell.get(watcher) ?? []) tell([key]);
    const timer = setTimeout(() => change.over.resolve(), limits.letGoMs);
    await change.over.promise;
    clearTimeout(timer);
    this.#changes.delete(change);
  }

  /** The length of the parts the object was written in, as reported by the last host that changed it; 0 when nobody has. */
  partLengthOf(key: string): number {
    return this.#partLengths.get(key) ?? 0;
  }
}
