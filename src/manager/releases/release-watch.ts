/** Notifies subscribers of a published version, through whichever replica it was published. */
import { onAbort } from '../../core/process/lifecycle.ts';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { ChangeFeed } from '../db/change-feed.ts';
import { maxReleaseStreams } from '../limits.ts';
import type { ReleaseRow, ReleaseStore } from './release-store.ts';

type Listener = (release: ReleaseRow) => void;

export class ReleaseWatch {
  readonly #store: ReleaseStore;
  readonly #logger: Logger;
  readonly #byName = new Map<string, Set<Listener>>();
  #streams = 0;

  constructor(store: ReleaseStore, changes: ChangeFeed, logger: Logger) {
    this.#store = store;
    this.#logger = logger;
    changes.subscribe(({ topic, entityId }) => {
      if (topic === 'release' && this.#byName.size > 0) void this.#tell(entityId);
    });
  }

  /** The newest version after `afterId`, then every newer one; a slow subscriber only gets the last of several. */
  async *watch(name: string, afterId: number, ended: AbortSignal): AsyncGenerator<ReleaseRow, void, undefined> {
    if (this.#streams >= maxReleaseStreams)
      throw new DragonflyError('RESOURCE_EXHAUSTED', 'too many subscribers watch this manager');
    this.#streams += 1;
    let newest: ReleaseRow | undefined;
    let wake = (): void => undefined;
    const heard = (release: ReleaseRow): void => {
      if (release.id > (newest?.id ?? knownId)) newest = release;
      wake();
    };
    let knownId = afterId;
    const listeners = this.#byName.get(name) ?? new Set<Listener>();
    this.#byName.set(name, listeners);
    listeners.add(heard);
    try {
      using _listening = onAbort(ended, () => wake());
      const latest = await this.#store.find(name, undefined);
      if (latest) heard(latest);
      while (!ended.aborted) {
        const release = newest;
        newest = undefined;
        if (release) {
          knownId = release.id;
          yield release;
        } else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      this.#streams -= 1;
      listeners.delete(heard);
      if (listeners.size === 0 && this.#byName.get(name) === listeners) this.#byName.delete(name);
    }
  }

  async #tell(id: number): Promise<void> {
    try {
      const release = await this.#store.get(id);
      for (const listener of this.#byName.get(release.name) ?? []) listener(release);
    } catch (error) {
      const { code, message } = toDragonflyError(error);
      // it may have been deleted
      if (code !== 'NOT_FOUND') this.#logger.warn({ id, error: message }, 'subscribers could not be told of a version');
    }
  }
}
