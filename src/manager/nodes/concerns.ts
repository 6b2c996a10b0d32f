/** What needs somebody's attention, derived from current facts. No I/O: equal facts yield equal concerns. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { fullShare, roomyShare, unrenewedShare } from '../limits.ts';
import { nodeKey, type Node } from './node.ts';

export const concernKinds = [
  'node-lost',
  'node-silent',
  'node-struck-off',
  'node-unreachable',
  'node-old',
  'disk-full',
  'memory-full',
  'certificate-ending',
  'no-scheduler',
  'scheduler-inactive',
] as const;
export type ConcernKind = (typeof concernKinds)[number];

export const concernSchema = z
  .object({
    id: z.string().describe('the same as long as it is the same concern'),
    kind: z.enum(concernKinds),
    severity: z.enum(['error', 'warning']),
    scheduler_cluster_id: z.int().describe('0 when it is not of one cluster'),
    node_id: z.string().describe('empty when it is not about a node'),
    name: z.string().describe('of what it is about'),
    detail: z.string(),
    advice: z.string().describe('what to do'),
    since_ms: z.int().min(0),
    acknowledged_by: z.string().describe('who takes care of it; empty for nobody'),
    acknowledged_at_ms: z.int().min(0),
  })
  .meta({ id: 'Concern' });

export type Concern = z.output<typeof concernSchema>;

export interface Facts {
  readonly nodes: readonly Node[];
  readonly schedulers: readonly {
    readonly clusterId: number;
    readonly name: string;
    readonly active: boolean;
    readonly sinceMs: number;
  }[];
  /** The newest certificate of each holder. */
  readonly certificates: readonly {
    readonly subject: string;
    readonly createdAtMs: number;
    readonly expiresAtMs: number;
  }[];
}

type Finding = Omit<Concern, 'id' | 'acknowledged_by' | 'acknowledged_at_ms'>;

export class ConcernFinder {
  /** When concerns without a start time of their own were found; their presence means that they exist. */
  readonly #foundAtMs = new Map<string, number>();

  /** Errors first, then newest first. */
  find(facts: Facts, nowMs: number): Concern[] {
    const newest = newestVersion(facts.nodes);
    const findings = [
      ...facts.nodes.flatMap((node) => this.#ofNode(node, newest, nowMs)),
      ...ofSchedulers(facts),
      ...ofCertificates(facts, nowMs),
    ];
    const concerns = findings.map((finding): Concern => {
      const id = idOf(finding);
      const sinceMs = finding.since_ms || (this.#foundAtMs.get(id) ?? nowMs);
      return { ...finding, id, since_ms: sinceMs, acknowledged_by: '', acknowledged_at_ms: 0 };
    });
    this.#foundAtMs.clear();
    for (const { id, since_ms: sinceMs } of concerns) this.#foundAtMs.set(id, sinceMs);
    return concerns.sort(
      (one, other) =>
        Number(other.severity === 'error') - Number(one.severity === 'error') ||
        other.since_ms - one.since_ms ||
        (one.id < other.id ? -1 : 1),
    );
  }

  #ofNode(node: Node, newest: Version | undefined, nowMs: number): Finding[] {
    const about = (kind: ConcernKind, told: Pick<Finding, 'severity' | 'detail' | 'advice' | 'since_ms'>): Finding => ({
      kind,
      scheduler_cluster_id: node.scheduler_cluster_id,
      node_id: node.id,
      name: node.host_name || node.ip,
      ...told,
    });
    const weight = node.type === 'seed' ? 'error' : 'warning';
    if (node.state === 'left') return [];
    if (node.state === 'lost') {
      const told = { severity: weight, detail: lossOf(node.reason), since_ms: node.since_ms } as const;
      return [
        about('node-lost', {
          ...told,
          advice: `See whether the machine runs, then dfdaemon on it: systemctl status dfdaemon`,
        }),
      ];
    }
    const found: Finding[] = [];
    if (node.state === 'silent')
      found.push(
        about('node-silent', {
          severity: 'error',
          detail: 'its connections stand, but it says nothing',
          advice:
            'Its processes stand still, or its disk does: look at the load and at dmesg, then restart dfdaemon there.',
          since_ms: node.since_ms,
        }),
      );
    if (node.struck_off_until_ms > nowMs)
      found.push(
        about('node-struck-off', {
          severity: 'error',
          detail: `found to give or tell what is not so, by ${node.accusers.join(', ') || 'the scheduler'}`,
          advice:
            'Take the machine out until its disk, its memory and who was on it are looked at; nobody gets it as a parent meanwhile.',
          since_ms: 0,
        }),
      );
    if (node.unreachable)
      found.push(
        about('node-unreachable', {
          severity: 'warning',
          detail: `other nodes cannot connect to ${node.ip}:${node.port}: it takes and gives nothing`,
          advice: 'Set host.advertiseIP and advertisePort to what others reach it by, or open the port.',
          since_ms: 0,
        }),
      );
    const { disk_total: disk, disk_free: diskFree, memory_total: memory, memory_available: available } = node;
    if (this.#isFull('disk-full', node, disk, diskFree))
      found.push(
        about('disk-full', {
          severity: 'warning',
          detail: `${percent(disk - diskFree, disk)} of its disk is used`,
          advice:
            'Free space there, or lower storage.diskGCThresholdPercent so that dfdaemon gives back its own sooner.',
          since_ms: 0,
        }),
      );
    if (this.#isFull('memory-full', node, memory, available))
      found.push(
        about('memory-full', {
          severity: 'warning',
          detail: `${percent(memory - available, memory)} of its memory is used`,
          advice: 'See what uses it; bufferMemory bounds what dfdaemon takes.',
          since_ms: 0,
        }),
      );
    const version = versionOf(node.version);
    if (version && newest && isOlder(version, newest))
      found.push(
        about('node-old', {
          severity: 'warning',
          detail: `runs ${node.version}, others ${newest.join('.')}`,
          advice: 'Update dfdaemon there.',
          since_ms: 0,
        }),
      );
    return found;
  }

  /** With a single threshold, concerns near it would come and go all the time. */
  #isFull(kind: ConcernKind, node: Node, total: number, free: number): boolean {
    if (total === 0) return false;
    const known = this.#foundAtMs.has(
      idOf({
        kind,
        scheduler_cluster_id: node.scheduler_cluster_id,
        node_id: node.id,
        name: node.host_name || node.ip,
      }),
    );
    return 1 - free / total >= (known ? roomyShare : fullShare);
  }
}

function ofSchedulers({ schedulers, nodes }: Facts): Finding[] {
  const inactive = schedulers.filter(({ active }) => !active);
  const without = [...new Set(nodes.map(({ scheduler_cluster_id: id }) => id))].filter(
    (clusterId) => !schedulers.some((scheduler) => scheduler.clusterId === clusterId && scheduler.active),
  );
  return [
    ...without.map((clusterId): Finding => ({
      kind: 'no-scheduler',
      severity: 'error',
      scheduler_cluster_id: clusterId,
      node_id: '',
      name: `cluster ${clusterId}`,
      detail: 'no scheduler is active: its nodes can only download from the origin',
      advice: 'Start a scheduler, or see why the ones there are do not reach this manager.',
      since_ms: 0,
    })),
    ...inactive.map((scheduler): Finding => ({
      kind: 'scheduler-inactive',
      severity: 'warning',
      scheduler_cluster_id: scheduler.clusterId,
      node_id: '',
      name: scheduler.name,
      detail: 'this manager hears nothing of it',
      advice: 'Start it again; one that was taken away for good is removed under Schedulers.',
      since_ms: scheduler.sinceMs,
    })),
  ];
}

function ofCertificates({ certificates, nodes }: Facts, nowMs: number): Finding[] {
  const there = new Set(nodes.filter(({ state }) => state === 'online').map(({ host_name: name }) => name));
  return certificates
    .filter(({ subject, createdAtMs, expiresAtMs }) => {
      const isOld = nowMs - createdAtMs > unrenewedShare * (expiresAtMs - createdAtMs);
      return isOld && there.has(subject) && expiresAtMs > nowMs;
    })
    .map(({ subject, expiresAtMs }) => ({
      kind: 'certificate-ending',
      severity: 'error',
      scheduler_cluster_id: 0,
      node_id: '',
      name: subject,
      detail: `its certificate ends at ${new Date(expiresAtMs).toISOString()} and was not renewed`,
      advice: 'See in its log why: the manager does not answer it, or its join token is no more.',
      since_ms: 0,
    }));
}

function idOf({
  kind,
  scheduler_cluster_id: cluster,
  node_id: node,
  name,
}: Pick<Finding, 'kind' | 'scheduler_cluster_id' | 'node_id' | 'name'>): string {
  const subject = node === '' ? name : nodeKey({ id: node, scheduler_cluster_id: cluster });
  return createHash('sha256').update(`${kind} ${cluster} ${subject}`).digest('hex');
}

const losses: Readonly<Record<string, string>> = {
  stream: 'its connection broke: the process or the machine has ended',
  unanswered: 'nobody gets an answer from it',
  expired: 'it has announced itself no more',
  vanished: 'it did not come back when its scheduler started anew',
};

function lossOf(reason: string): string {
  return losses[reason] ?? 'it is gone';
}

function percent(part: number, whole: number): string {
  return `${Math.round((100 * part) / whole)} %`;
}

type Version = readonly [number, number, number];

/** A version of this implementation; the original's begin with a v and are not comparable. */
function versionOf(text: string): Version | undefined {
  const [, major, minor, patch] = /^(\d+)\.(\d+)\.(\d+)/.exec(text) ?? [];
  return major === undefined ? undefined : [Number(major), Number(minor), Number(patch)];
}

function newestVersion(nodes: readonly Node[]): Version | undefined {
  let newest: Version | undefined;
  for (const { version: text, state } of nodes) {
    const version = state === 'online' ? versionOf(text) : undefined;
    if (version && (!newest || isOlder(newest, version))) newest = version;
  }
  return newest;
}

function isOlder(one: Version, other: Version): boolean {
  const index = one.findIndex((part, at) => part !== other[at]);
  return index >= 0 && (one[index] ?? 0) < (other[index] ?? 0);
}
