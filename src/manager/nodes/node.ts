/** Nodes in the form of the API. */
import { z } from 'zod';
import type { HostState } from '../../../gen/scheduler/v2/live.ts';

const count = z.int().min(0);

export const nodeStates = ['online', 'silent', 'lost', 'left'] as const;
export type NodeState = (typeof nodeStates)[number];

export const nodeSchema = z
  .object({
    id: z.string().describe('of the host'),
    scheduler_cluster_id: z.int(),
    host_name: z.string(),
    ip: z.string(),
    port: count,
    proxy_port: count,
    type: z.enum(['seed', 'normal']),
    idc: z.string(),
    location: z.string(),
    version: z.string(),
    platform: z.string(),
    state: z.enum(nodeStates).describe('silent: its connections stand, but it says nothing; left: it said goodbye'),
    reason: z
      .string()
      .describe(
        'why it is lost: stream (its connection broke), unanswered (nobody gets an answer), expired (it announced itself no more), vanished (it did not come back to a scheduler that started anew)',
      ),
    since_ms: count.describe('of the state'),
    joined_at_ms: count,
    last_word_ms: count,
    unreachable: z.boolean().describe('other nodes cannot connect to it'),
    disk_total: count.describe('bytes, 0 while unknown, as the three after it'),
    disk_free: count,
    memory_total: count,
    memory_available: count,
    uploads_running: count,
    uploads: count.describe('pieces it gave'),
    uploads_failed: count,
    tasks: count,
    struck_off_until_ms: count.describe('nobody gets it as a parent until then; 0 otherwise'),
    accusers: z.array(z.string()).describe('hosts that found it to give or tell what is not so'),
  })
  .meta({ id: 'Node' });

export type Node = z.output<typeof nodeSchema>;

const logEntry = z.object({ state: z.enum(nodeStates), reason: z.string(), at_ms: count });
export type NodeLogEntry = z.output<typeof logEntry>;

export const nodeWithLogSchema = nodeSchema
  .extend({ log: z.array(logEntry).describe('its last states, newest first') })
  .meta({ id: 'NodeWithLog' });

export const nodesEventSchema = z
  .object({
    changed: z.array(nodeSchema),
    removed: z.array(z.object({ id: z.string(), scheduler_cluster_id: z.int() })),
  })
  .meta({ id: 'NodesEvent' });
export type NodesEvent = z.output<typeof nodesEventSchema>;

/** The same host may be known in several clusters, as a separate node in each. */
export function nodeKey({ id, scheduler_cluster_id: cluster }: Pick<Node, 'id' | 'scheduler_cluster_id'>): string {
  return `${cluster} ${id}`;
}

export function isGone({ state }: Pick<Node, 'state'>): boolean {
  return state === 'lost' || state === 'left';
}

const ranks: Readonly<Record<NodeState, number>> = { online: 2, silent: 1, lost: 0, left: 0 };

/** Merges several schedulers' views of one host by taking the best of each, since no scheduler sees more of a host than there is. */
export function seenAs(clusterId: number, sightings: readonly HostState[]): Node | undefined {
  const [best] = sightings.toSorted((one, other) => rankOf(other) - rankOf(one) || other.sinceMs - one.sinceMs);
  if (!best) return undefined;
  const sum = (of: (host: HostState) => number): number => sightings.reduce((total, host) => total + of(host), 0);
  const struckOffBy = sightings.filter(({ struckOffUntilMs }) => struckOffUntilMs > 0);
  // The scheduler that found it names the accusers; the others were only told.
  const struckOff = struckOffBy.find(({ accusers }) => accusers.length > 0) ?? struckOffBy[0];
  return {
    id: best.id,
    scheduler_cluster_id: clusterId,
    host_name: best.name,
    ip: best.ip,
    port: Math.max(0, best.port),
    proxy_port: Math.max(0, best.proxyPort),
    type: best.type === 'seed' ? 'seed' : 'normal',
    idc: best.idc,
    location: best.location,
    version: best.version,
    platform: best.platform,
    state: stateOf(best),
    reason: best.reason,
    since_ms: best.sinceMs,
    joined_at_ms: Math.min(...sightings.map(({ joinedAtMs }) => joinedAtMs)),
    last_word_ms: Math.max(...sightings.map(({ lastWordMs }) => lastWordMs)),
    unreachable: best.unreachable,
    disk_total: best.diskTotal,
    disk_free: best.diskFree,
    memory_total: best.memoryTotal,
    memory_available: best.memoryAvailable,
    uploads_running: best.uploadsRunning,
    uploads: sum(({ uploads }) => uploads),
    uploads_failed: sum(({ uploadsFailed }) => uploadsFailed),
    tasks: sum(({ tasks }) => tasks),
    struck_off_until_ms: struckOff?.struckOffUntilMs ?? 0,
    accusers: struckOff?.accusers ?? [],
  };
}

function rankOf(host: HostState): number {
  return ranks[stateOf(host)];
}

function stateOf({ state }: HostState): NodeState {
  return nodeStates.find((known) => known === state) ?? 'online';
}
