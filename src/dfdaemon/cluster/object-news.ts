/**
 * Tells the nodes that remember an object of a store when that object changes. The news goes through the schedulers, which know
 * which node relies on which object.
 */
import { toDragonflyError } from '../../core/errors.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { SchedulerRing } from '../../rpc/scheduler-ring.ts';
import { ObjectNote } from '../../../gen/scheduler/v2/scheduler.ts';
import { daemonLimits } from '../limits.ts';

/** Digests, which are equal at all nodes that have the same key to the store. */
export interface ObjectKeys {
  readonly object: string;
  readonly bucket: string;
}

export interface ObjectNewsListener {
  /**
   * Called when another node has changed the object with this key, or many objects of the bucket with this key. When it returns,
   * nothing relies on the old state any more.
   */
  readonly changed: (key: string) => void;
  /** Called when no scheduler reports changes any more. */
  readonly lost: () => void;
}

export interface ObjectNewsOptions {
  readonly ring: Pick<SchedulerRing, 'call' | 'noteAll'>;
  readonly hostId: string;
  /** The schedulers of this implementation that hold this host now. */
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

  /** True when at least one scheduler could report changes. */
  get isThere(): boolean {
    return this.#options.holders().length > 0;
  }

  /**
   * From now on this node is told of changes. Rejects when no scheduler does that. Resolves with the length of the parts that the
   * object was written in, or 0 when it is unknown.
   */
  async watch({ object, bucket }: ObjectKeys): Promise<number> {
    const { ring, hostId } = this.#options;
    const request = { hostId, note: ObjectNote.WATCHED, key: object, bucket, partLength: 0 };
    const signal = this.#within(daemonLimits.objectNewsMs);
    const { partLength } = await ring.call(object, (client) => client.noteObject(request, { signal }), signal);
    return partLength;
  }

  /** Called when everything remembered of the object is gone. Never throws. */
  letGo(key: string): void {
    void this.#tellAll({ note: ObjectNote.LET_GO, key, bucket: key, partLength: 0 }, daemonLimits.objectNewsMs);
  }

  /** Resolves when no other node relies on the old state any more, or when the others cannot be reached in time. Never throws. */
  async changed({ object, bucket }: ObjectKeys, partLength: number): Promise<void> {
    await this.#tellAll({ note: ObjectNote.CHANGED, key: object, bucket, partLength }, daemonLimits.objectChangeMs);
  }

  /** The same for what this node has changed by another way than the doors that rely on it. Never throws. */
  async changedHere(keys: ObjectKeys): Promise<void> {
    for (const { changed } of this.#listeners) changed(keys.object);
    await this.changed(keys, 0);
    for (const { changed } of this.#listeners) changed(keys.object); // who has asked meanwhile may have heard of the one before
  }

  /** A scheduler's word. */
  heard(keys: readonly string[]): void {
    for (const key of keys) {
      for (const { changed } of this.#listeners) changed(key);
      this.letGo(key);
    }
  }

  /** A scheduler that held this host is gone, and so is what it knew. */
  lost(): void {
    for (const { lost } of this.#listeners) lost();
  }

  /** Nodes may briefly disagree on which scheduler is responsible for a key, so all schedulers are told. */
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
