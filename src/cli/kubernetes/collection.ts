/** The current objects of one kind at an API server. */
import { z } from 'zod';
import type { Logger } from '../../core/process/logger.ts';
import type { KubernetesApi } from './client.ts';
import { follow } from './follow.ts';

export interface CollectionOptions<T> {
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** An object for which this throws is left out, because anyone may have written it. */
  readonly parse: (object: unknown) => T;
  readonly onChange: () => void;
  readonly logger: Logger;
}

const identified = z.object({ metadata: z.object({ uid: z.string(), name: z.string() }) });

export class Collection<T> {
  readonly #options: CollectionOptions<T>;
  readonly #known = new Map<string, T>();
  #isListed = false;

  constructor(options: CollectionOptions<T>) {
    this.#options = options;
  }

  /** Until it is true, missing objects may simply not have been listed yet. */
  get isListed(): boolean {
    return this.#isListed;
  }

  values(): readonly T[] {
    return [...this.#known.values()];
  }

  /** Until the signal aborts. */
  follow(api: KubernetesApi, signal: AbortSignal): Promise<void> {
    const { path, query = {}, onChange, logger } = this.#options;
    const followed = {
      path,
      query,
      reset: (items: readonly unknown[]) => {
        this.#known.clear();
        for (const item of items) this.#set(item);
        this.#isListed = true;
        onChange();
      },
      change: ({ type, object }: { type: string; object: unknown }) => {
        if (type === 'DELETED') this.#known.delete(identified.parse(object).metadata.uid);
        else this.#set(object);
        onChange();
      },
      logger,
    };
    return follow(api, followed, signal);
  }

  #set(object: unknown): void {
    const { uid, name } = identified.parse(object).metadata;
    try {
      this.#known.set(uid, this.#options.parse(object));
    } catch {
      this.#known.delete(uid);
      this.#options.logger.warn({ path: this.#options.path, name }, 'an object is not understood');
    }
  }
}
