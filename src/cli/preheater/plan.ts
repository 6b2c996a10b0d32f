/** Decides what to do next from the state of the cluster and the results of preheats so far. No I/O. */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { parseHubUrl } from '../../rpc/registry/model-hub.ts';
import {
  localModelPreheatName,
  preheatForModel,
  type LocalModelCache,
  type LocalModelNodeGroup,
} from './local-models.ts';
import { mayLandOn, type ClusterNode } from './placement.ts';
import { managedBy, type NodeStatus, type Preheat, type PreheatCondition, type PreheatSpec } from './spec.ts';
import { preheatFor, preheatName, type Workload } from './workloads.ts';

export interface Daemon {
  /** The uid of its pod; a new pod starts without content. */
  readonly uid: string;
  readonly node: string;
  readonly ip: string;
}

/** The progress of one content at one daemon. */
export type Progress =
  { readonly state: 'holding' | 'waiting' } | { readonly state: 'failed'; readonly message: string };

export interface Known {
  readonly workloads: Iterable<Workload>;
  /** Labels of namespaces. */
  readonly namespaces: ReadonlyMap<string, Readonly<Record<string, string>>>;
  /** By namespace and name. */
  readonly preheats: ReadonlyMap<string, Preheat>;
  readonly models: readonly LocalModelCache[];
  readonly nodeGroups: readonly LocalModelNodeGroup[];
  /** Of the daemons. */
  readonly ownNamespace: string;
  readonly nodes: readonly ClusterNode[];
  readonly daemons: readonly Daemon[];
  readonly progress: (daemon: Daemon, content: string) => Progress | undefined;
  readonly maxNodes: number;
  readonly now: Date;
}

export interface Wanted {
  readonly kind: 'image' | 'file' | 'model';
  readonly content: string;
  readonly platform: string | undefined;
  readonly daemon: Daemon;
}

export interface PreheatStatus {
  readonly observedGeneration: number;
  readonly ready: string;
  readonly nodes: readonly NodeStatus[];
  readonly conditions: readonly PreheatCondition[];
}

export interface Plan {
  /** Resources of workloads to create or update. */
  readonly apply: readonly object[];
  /** Resources whose workload no longer requests anything. */
  readonly remove: readonly Preheat[];
  /** Content that nobody is bringing yet. */
  readonly wanted: readonly Wanted[];
  readonly statuses: readonly { readonly preheat: Preheat; readonly status: PreheatStatus }[];
}

export function plan(known: Known): Plan {
  const { workloads, namespaces, preheats } = known;
  const desired = new Map<string, object>();
  for (const workload of workloads) {
    const { namespace } = workload.metadata;
    const object = preheatFor(workload, namespaces.get(namespace) ?? {});
    if (object) desired.set(`${namespace}/${preheatName(workload)}`, object);
  }
  for (const model of known.models) {
    const object = preheatForModel(model, known.nodeGroups, known.ownNamespace);
    if (object) desired.set(`${known.ownNamespace}/${localModelPreheatName(model)}`, object);
  }
  const apply = [...desired].flatMap(([key, object]) => {
    const there = preheats.get(key);
    return there && isDeepStrictEqual(there.spec, (object as { spec: PreheatSpec }).spec) ? [] : [object];
  });
  const alive = [...preheats].filter(([, { metadata }]) => metadata.deletionTimestamp === undefined);
  const [[label, owner] = ['', '']] = Object.entries(managedBy);
  const remove = alive.flatMap(([key, preheat]) =>
    preheat.metadata.labels[label] === owner && !desired.has(key) ? [preheat] : [],
  );
  const wanted = new Map<string, Wanted>();
  const statuses = alive.map(([, preheat]) => ({ preheat, status: look(preheat, known, wanted) }));
  return {
    apply,
    remove,
    wanted: [...wanted.values()],
    statuses: statuses.filter(({ preheat, status }) => !isDeepStrictEqual(status, preheat.status)),
  };
}

/** Equal bytes have the same key, however they are named. */
export function contentKey(content: string): string {
  return /@([a-z0-9]+:[0-9a-f]{32,128})$/.exec(content)?.[1] ?? content;
}

/** All files of a repository of a model hub. */
function isModel(content: string): boolean {
  return parseHubUrl(content) !== undefined;
}

export function proofOf(daemon: Daemon, spec: PreheatSpec): string {
  const contents = [...spec.images, ...spec.urls].map(contentKey).sort();
  return createHash('sha256')
    .update(JSON.stringify([daemon.uid, contents]))
    .digest('hex')
    .slice(0, 16);
}

function look(preheat: Preheat, known: Known, wanted: Map<string, Wanted>): PreheatStatus {
  const { spec, fault } = preheat;
  if (!spec) return told(preheat, known.now, [], { reason: 'InvalidSpec', message: fault ?? '' });
  const daemonOf = new Map(known.daemons.map((daemon) => [daemon.node, daemon]));
  const fitting = known.nodes
    .filter((node) => mayLandOn(spec.placement, node))
    .toSorted((one, other) => (one.metadata.name < other.metadata.name ? -1 : 1));
  const chosen = fitting.slice(0, known.maxNodes);
  const nodes = chosen.map(({ metadata: { name, labels } }): NodeStatus => {
    const daemon = daemonOf.get(name);
    if (!daemon) return { name, state: 'NoDaemon' };
    const arch = labels['kubernetes.io/arch'];
    const platform = arch === undefined ? undefined : `linux/${arch}`;
    const all = [
      ...spec.images.map((content) => ({ kind: 'image', content, platform, daemon }) as const),
      ...spec.urls.map(
        (content) => ({ kind: isModel(content) ? 'model' : 'file', content, platform: undefined, daemon }) as const,
      ),
    ];
    const states = all.map((one) => {
      const progress = known.progress(daemon, contentKey(one.content));
      if (!progress) wanted.set(`${daemon.uid} ${contentKey(one.content)}`, one);
      return progress;
    });
    const failed = states.find((state) => state?.state === 'failed');
    if (failed?.state === 'failed') return { name, state: 'Failed', message: failed.message };
    const isHeld = states.every((state) => state?.state === 'holding');
    return isHeld ? { name, state: 'Holding', proof: proofOf(daemon, spec) } : { name, state: 'Waiting' };
  });
  const message = fitting.length > chosen.length ? `the first ${chosen.length} of ${fitting.length} nodes` : '';
  return told(preheat, known.now, nodes, { reason: '', message });
}

function told(
  { metadata, status }: Preheat,
  now: Date,
  nodes: readonly NodeStatus[],
  { reason: given, message: more }: { reason: string; message: string },
): PreheatStatus {
  const able = nodes.filter(({ state }) => state !== 'NoDaemon');
  const holding = able.filter(({ state }) => state === 'Holding');
  const failed = able.find(({ state }) => state === 'Failed');
  const isReady = able.length > 0 && holding.length === able.length;
  const reason = given || (isReady ? 'Holding' : failed ? 'Failed' : able.length === 0 ? 'NoNodes' : 'Waiting');
  const without = nodes.length - able.length;
  const parts = [
    `${holding.length} of ${able.length} nodes hold it`,
    failed && `${failed.name}: ${failed.message ?? ''}`,
    without > 0 ? `${without} have no daemon` : '',
    more,
  ];
  const before = status?.conditions.find(({ type }) => type === 'Ready');
  const is = isReady ? 'True' : 'False';
  return {
    observedGeneration: metadata.generation,
    ready: `${holding.length}/${able.length}`,
    nodes,
    conditions: [
      {
        type: 'Ready',
        status: is,
        reason,
        message: parts.filter(Boolean).join('; ').slice(0, 1_024),
        observedGeneration: metadata.generation,
        lastTransitionTime:
          before?.status === is ? before.lastTransitionTime : now.toISOString().replace(/\.\d+Z$/, 'Z'),
      },
    ],
  };
}
