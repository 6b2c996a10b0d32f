/** manager.v2.ManagerWatch: members hear of what concerns them when it changes. */
import type { CallContext } from '../../rpc/call-context.ts';
import type { Change, ManagerWatchDefinition } from '../../../gen/manager/v2/watch.ts';
import type { Handlers } from '../../rpc/server/server.ts';
import type { ChangeFeed, ChangeTopic } from '../db/change-feed.ts';
import { maxWatchStreams, watchGatherMs } from '../limits.ts';
import { DragonflyError } from '../../core/errors.ts';
import { onAbort } from '../../core/process/lifecycle.ts';

export interface WatchRpcParts {
  readonly changes: ChangeFeed;
  /** Serial numbers of certificates that must not be trusted. */
  readonly revokedSerials: () => Promise<string[]>;
}

const topicOnWire: Partial<Record<ChangeTopic, string>> = {
  cluster: 'scheduler_cluster',
  scheduler: 'scheduler',
  seed_peer: 'seed_peer',
  application: 'application',
  certificate: 'certificate',
};

export function watchRpc({ changes, revokedSerials }: WatchRpcParts): Handlers<typeof ManagerWatchDefinition> {
  let streams = 0;
  return {
    listRevokedCertificates: async () => ({ serials: await revokedSerials() }),
    watchChanges: async function* (_request, context) {
      if (streams >= maxWatchStreams)
        throw new DragonflyError('RESOURCE_EXHAUSTED', 'too many members watch this manager');
      streams += 1;
      try {
        yield* watch(changes, context);
      } finally {
        streams -= 1;
      }
    },
  };
}

/**
 * Begins with one message per topic, since changes may have been missed. Changes of the same thing that come while the
 * reader is behind are told once, so that what waits is bounded by what there is. Ends when the server drains.
 */
async function* watch(changes: ChangeFeed, { signal, draining }: CallContext): AsyncGenerator<Change, void, undefined> {
  const gathered = new Map<string, Change>();
  let wake = (): void => undefined;
  const add = (topic: ChangeTopic, id: number): void => {
    const name = topicOnWire[topic];
    if (name === undefined) return;
    gathered.set(`${name} ${id}`, { topic: name, id, revision: changes.revision });
    wake();
  };
  const unsubscribe = changes.subscribe(({ topic, entityId }) => add(topic, entityId));
  const ended = AbortSignal.any([signal, draining]);
  using _listening = onAbort(ended, () => wake());
  for (const topic of Object.keys(topicOnWire) as ChangeTopic[]) add(topic, 0);
  try {
    while (!ended.aborted) {
      const batch = [...gathered.values()];
      gathered.clear();
      yield* batch;
      if (gathered.size === 0 && !ended.aborted) await new Promise<void>((resolve) => (wake = resolve));
      if (!ended.aborted) await gatherMore(ended);
    }
  } finally {
    unsubscribe();
  }
}

/** Changes come in bursts: a moment's wait makes one message of many. */
async function gatherMore(ended: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, watchGatherMs);
  using _listening = onAbort(ended, resolve);
  await promise;
  clearTimeout(timer);
}
