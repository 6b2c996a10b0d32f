/** manager.v2.ManagerWatch: notifies members of changes that concern them. */
import type { CallContext } from '../../rpc/call-context.ts';
import { SourceType } from '../../../gen/manager/v2/manager.ts';
import type { Change, ManagerWatchDefinition, WatchChangesRequest } from '../../../gen/manager/v2/watch.ts';
import type { Handlers } from '../../rpc/server/server.ts';
import type { ChangeFeed, ChangeTopic } from '../db/change-feed.ts';
import { maxWatchStreams, watchGatherMs } from '../limits.ts';
import type { Node } from '../nodes/node.ts';
import type { Nodes } from '../nodes/nodes.ts';
import { DragonflyError } from '../../core/errors.ts';
import { onAbort } from '../../core/process/lifecycle.ts';

export interface WatchRpcParts {
  readonly changes: ChangeFeed;
  readonly nodes: Pick<Nodes, 'list' | 'subscribe'>;
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

export function watchRpc({ changes, nodes, revokedSerials }: WatchRpcParts): Handlers<typeof ManagerWatchDefinition> {
  let streams = 0;
  return {
    listRevokedCertificates: async () => ({ serials: await revokedSerials() }),
    watchChanges: async function* (request, context) {
      if (streams >= maxWatchStreams)
        throw new DragonflyError('RESOURCE_EXHAUSTED', 'too many members watch this manager');
      streams += 1;
      try {
        yield* watch({ changes, nodes }, request, context);
      } finally {
        streams -= 1;
      }
    },
  };
}

/**
 * Begins with one message per topic, since changes may have been missed. While the subscriber is behind, changes of the
 * same thing are combined, which bounds the queue. Ends when the server drains.
 */
async function* watch(
  { changes, nodes }: Pick<WatchRpcParts, 'changes' | 'nodes'>,
  { sourceType, schedulerClusterId }: WatchChangesRequest,
  { signal, draining }: CallContext,
): AsyncGenerator<Change, void, undefined> {
  const gathered = new Map<string, Change>();
  let wake = (): void => undefined;
  const add = (topic: ChangeTopic, id: number): void => {
    const name = topicOnWire[topic];
    if (name === undefined) return;
    gathered.set(`${name} ${id}`, { topic: name, id, revision: changes.revision, struckOff: undefined });
    wake();
  };
  const addLiar = ({ id: hostId, struck_off_until_ms: untilMs, accusers }: Node): void => {
    const change = { topic: 'struck_off', id: 0, revision: changes.revision };
    gathered.set(`struck_off ${hostId}`, { ...change, struckOff: { hostId, untilMs, accusers } });
    wake();
  };
  using stops = new DisposableStack();
  stops.defer(changes.subscribe(({ topic, entityId }) => add(topic, entityId)));
  if (sourceType === SourceType.SCHEDULER_SOURCE) {
    const isLiar = (node: Node): boolean =>
      node.scheduler_cluster_id === schedulerClusterId && node.accusers.length > 0;
    stops.defer(nodes.subscribe((_clusterId, _hostId, node) => void (node && isLiar(node) && addLiar(node))));
    for (const node of nodes.list()) if (isLiar(node) && node.struck_off_until_ms > Date.now()) addLiar(node);
  }
  const ended = AbortSignal.any([signal, draining]);
  using _listening = onAbort(ended, () => wake());
  for (const topic of Object.keys(topicOnWire) as ChangeTopic[]) add(topic, 0);
  while (!ended.aborted) {
    const batch = [...gathered.values()];
    gathered.clear();
    yield* batch;
    if (gathered.size === 0 && !ended.aborted) await new Promise<void>((resolve) => (wake = resolve));
    if (!ended.aborted) await gatherMore(ended);
  }
}

/** Changes come in bursts: a short wait combines many of them into one message. */
async function gatherMore(ended: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, watchGatherMs);
  using _listening = onAbort(ended, resolve);
  await promise;
  clearTimeout(timer);
}
