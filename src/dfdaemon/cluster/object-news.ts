/** Changes of objects at stores, between the nodes that remember what such a store said: through the schedulers, which know who relies on what. */
import { toDragonflyError } from '../../core/errors.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { SchedulerRing } from '../../rpc/scheduler-ring.ts';
import { ObjectNote } from '../../../gen/scheduler/v2/scheduler.ts';
import { daemonLimits } from '../limits.ts';

/** Digests: equal at nodes that have the same key to the store. */
export interface ObjectKeys {
  readonly object: string;
  readonly bucket: string;
}

export interface ObjectNewsListener {
  /** Another node has changed it, or many of the bucket that has this key. Nothing relies on it when this returns. */
  readonly changed: (key: string) => void;
  /** Nobody tells of changes any more. */
  readonly lost: () => void;
}

export interface ObjectNewsOptions {
  readonly ring: Pick<SchedulerRing, 'call' | 'noteAll'>;
  readonly hostId: string;
  /** Of this implementation, and this host is held there now. */
  readonly holders: () => readonly string[];
  readonly logger: Logger;
  /** Aborts when the daemon ends. */
  readonly signal: AbortSignal;
}

export class ObjectNews {
  readonly #options: ObjectNewsOptions;
  readonly #listeners: ObjectNewsListener[] = [];

  constructor(options: ObjectNewsOptions) {
    this.#options = options;
  }

  listen(listener: ObjectNewsListener): void {
    this.#listeners.push(listener);
  }

  /** There is somebody who could tell. */
  get isThere(): boolean {
    return this.#options.holders().length > 0;
  }

  /** From here on this node is told of changes. Rejects when nobody will. Resolves with the length of the parts it was written in, 0 where that is not known. */
  async watch({ object, bucket }: ObjectKeys): Promise<number> {
    const { ring, hostId } = this.#options;
    const request = { hostId, note: ObjectNote.WATCHED, key: object, bucket, partLength: 0 };
    const signal = this.#within(daemonLimits.objectNewsMs);
    const { partLength } = await ring.call(object, (client) => client.noteObject(request, { signal }), signal);
    return partLength;
  }

  /** What was remembered of it is gone. Never throws. */
  letGo(key: string): void {
    void this.#tellAll({ note: ObjectNote.LET_GO, key, bucket: key, partLength: 0 }, daemonLimits.objectNewsMs);
  }

  /** Resolves when no other node relies on what it was, or those are not reached in time. Never throws. */
  async changed({ object, bucket }: ObjectKeys, partLength: number): Promise<void> {
    await this.#tellAll({ note: ObjectNote.CHANGED, key: object, bucket, partLength }, daemonLimits.objectChangeMs);
  }

  /** A scheduler's word. */
  heard(keys: readonly string[]): void {
    for (const key of keys) {
      for (const { changed } of this.#listeners) changed(key);
      this.letGo(key);
    }
  }

  /** A scheduler that held this host is gone, and with it what it knew. */
  lost(): void {
    for (const { lost } of this.#listeners) lost();
  }

  /** Nodes may for a moment not agree which scheduler has a key: all of them are told. */
  async #tellAll(
    note: { readonly note: ObjectNote; readonly key: string; readonly bucket: string; readonly partLength: number },
    timeoutMs: number,
  ): Promise<void> {
    const { ring, hostId, holders, logger } = this.#options;
    const signal = this.#within(timeoutMs);
    for (const error of await ring.noteAll(holders(), { hostId, ...note }, signal))
      logger.debug({ error: toDragonflyError(error).message }, 'could not tell a scheduler of an object');
  }

  #within(timeoutMs: number): AbortSignal {
    return AbortSignal.any([this.#options.signal, AbortSignal.timeout(timeoutMs)]);
  }
}
