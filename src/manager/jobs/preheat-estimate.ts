/** The cost of a preheat before it is started: which nodes, how much each gets, and how much of that the origins send. */
import { concurrentEstimates } from '../limits.ts';
import type { LiveTask } from '../live/live-task.ts';
import type { Node } from '../nodes/node.ts';
import type { PreheatArgs } from './job-types.ts';
import type { NewTask } from './job-tasks.ts';
import { runAll } from './pool.ts';
import { findItems, identify, plan, withBlobNames, type Item, type PreheatParts } from './preheat.ts';

export interface EstimateParts {
  readonly preheat: PreheatParts;
  /** Tasks that schedulers currently know. */
  readonly liveTasks: () => Promise<readonly LiveTask[]>;
  readonly nodes: () => readonly Node[];
}

/** Bytes. */
export interface PreheatEstimate {
  readonly nodes: number;
  readonly clusters: readonly { readonly id: number; readonly nodes: number }[];
  /** Files, or manifests and blobs. */
  readonly items: number;
  /** Total size of items with a known length. */
  readonly contentBytes: number;
  readonly unknownItems: number;
  /** The whole content, once for each cluster in which nobody holds it. */
  readonly originBytes: number;
  /** The maximum that all nodes get together: what a node already holds is not sent again. */
  readonly nodeBytes: number;
  /** Names of nodes with too little free disk space. */
  readonly tooFull: readonly string[];
}

/** Throws whatever the preheat itself would throw before its first download. */
export async function estimatePreheat(
  { preheat, liveTasks, nodes }: EstimateParts,
  given: PreheatArgs,
  target: { readonly clusterIds: readonly number[]; readonly signal: AbortSignal },
): Promise<PreheatEstimate> {
  const args = await withBlobNames(preheat.hosts, given, target);
  const items = await findItems(preheat, args, target.signal);
  const [tasks, live] = await Promise.all([plan(preheat.hosts, args, items, target), liveTasks()]);
  const lengths = await lengthsOf(preheat, args, items, { live, signal: target.signal });
  const byHost = Map.groupBy(tasks, ({ host }) => `${host.clusterId} ${host.id}`);
  const hosts = [...byHost.values()].map((ofHost) => ({ host: ofHost[0]?.host, bytes: sum(ofHost, lengths) }));
  const clusterIds = [...new Set(tasks.map(({ host }) => host.clusterId))];
  const free = new Map(nodes().map((node) => [`${node.scheduler_cluster_id} ${node.id}`, node]));
  return {
    nodes: hosts.length,
    clusters: clusterIds.map((id) => ({ id, nodes: hosts.filter(({ host }) => host?.clusterId === id).length })),
    items: items.length,
    contentBytes: lengths.reduce<number>((total, length) => total + (length ?? 0), 0),
    unknownItems: lengths.filter((length) => length === undefined).length,
    originBytes: clusterIds.reduce((total, id) => total + missingBytes(id, { args, items, lengths, live }), 0),
    nodeBytes: hosts.reduce((total, { bytes }) => total + bytes, 0),
    tooFull: hosts.flatMap(({ host, bytes }) => {
      const node = free.get(`${host?.clusterId} ${host?.id}`);
      return node && node.disk_total > 0 && node.disk_free < bytes ? [node.host_name] : [];
    }),
  };
}

function sum(tasks: readonly NewTask[], lengths: readonly (number | undefined)[]): number {
  return tasks.reduce((total, { item }) => total + (lengths[item] ?? 0), 0);
}

/** From the manifest, from what schedulers know of the task, or by asking the origin. */
async function lengthsOf(
  { registry }: PreheatParts,
  args: PreheatArgs,
  items: readonly Item[],
  { live, signal }: { readonly live: readonly LiveTask[]; readonly signal: AbortSignal },
): Promise<(number | undefined)[]> {
  const known = new Map(live.filter((task) => task.content_length > 0).map((task) => [task.id, task.content_length]));
  const lengths = items.map((item) => item.sizeBytes ?? known.get(identify(args, item)));
  await runAll(
    [...items.keys()],
    concurrentEstimates,
    async (index) => {
      const { url = '' } = items[index] ?? {};
      if (lengths[index] !== undefined || args.type !== 'file' || !/^https?:/i.test(url)) return;
      // An origin that does not answer now may do so for the nodes.
      lengths[index] = await registry.contentLength(url, args.headers, signal).catch(() => undefined);
    },
    signal,
  );
  return lengths;
}

interface Wanted {
  readonly args: PreheatArgs;
  readonly items: readonly Item[];
  readonly lengths: readonly (number | undefined)[];
  readonly live: readonly LiveTask[];
}

/** Bytes that no node of the cluster holds. */
function missingBytes(clusterId: number, { args, items, lengths, live }: Wanted): number {
  const held = new Set(
    live.filter((task) => task.scheduler_cluster_id === clusterId && task.peers_finished > 0).map(({ id }) => id),
  );
  return items.reduce((total, item, index) => total + (held.has(identify(args, item)) ? 0 : (lengths[index] ?? 0)), 0);
}
