/**
 * Follows workloads, nodes and daemons, and has the manager preheat what the workloads will need. Everything is looked
 * at together whenever a part of it has changed. What nodes hold is stored in the status of the resources, so that this
 * program can end and start at any moment.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { toDragonflyError } from '../../core/errors.ts';
import type { Logger } from '../../core/process/logger.ts';
import { backOffMs } from '../../rpc/back-off.ts';
import { applyObject, deleteObject, type KubernetesApi } from '../kubernetes/client.ts';
import { Collection } from '../kubernetes/collection.ts';
import { isReady, podSchema } from '../kubernetes/pods.ts';
import {
  localModelCachesPath,
  localModelNodeGroupsPath,
  parseLocalModelCache,
  parseLocalModelNodeGroup,
} from './local-models.ts';
import { preheat, type ManagerAccess, type PreheatJob } from './manager-jobs.ts';
import { clusterNodeSchema } from './placement.ts';
import { contentKey, plan, proofOf, type Daemon, type Plan, type Progress, type Wanted } from './plan.ts';
import { apiVersion, fieldOwner, kind, parsePreheat, preheatsPath, type Preheat } from './spec.ts';
import { parseWorkload, workloadPaths, type WorkloadKind } from './workloads.ts';

export interface PreheaterOptions {
  readonly api: KubernetesApi;
  readonly manager: ManagerAccess;
  /** Of the daemons' pods. */
  readonly daemons: { readonly namespace: string; readonly selector: string };
  readonly maxNodes: number;
  /** KServe's local model caches count, too. Where it is not installed there are none to list. */
  readonly kserve?: boolean;
  readonly logger: Logger;
}

type Known = Progress & { readonly failures?: number; readonly againAtMs?: number };

/** Changes come in crowds. */
const settleMs = 500;
const resyncMs = 30_000;
/** Preheats that run at once; few, because registries and networks have other work. */
const maxJobs = 2;
/** The most addresses the manager accepts in one request. */
const maxAddresses = 100;
const shortestRetryMs = 15_000;

const namespaceSchema = z.object({
  metadata: z.object({ name: z.string(), labels: z.record(z.string(), z.string()).default({}) }),
});

export class Preheater {
  readonly #options: PreheaterOptions;
  readonly #workloads;
  readonly #namespaces;
  readonly #nodes;
  readonly #pods;
  readonly #preheats;
  readonly #models;
  readonly #nodeGroups;
  /** By daemon and content. */
  readonly #progress = new Map<string, Known>();
  readonly #queue: Wanted[][] = [];
  readonly #jobs = new Set<Promise<void>>();
  #wake = Promise.withResolvers<void>();

  constructor(options: PreheaterOptions) {
    this.#options = options;
    const { daemons, logger } = options;
    const common = { onChange: () => this.#wake.resolve(), logger };
    this.#workloads = Object.entries(workloadPaths).map(
      ([name, path]) => new Collection({ ...common, path, parse: (item) => parseWorkload(name as WorkloadKind, item) }),
    );
    this.#namespaces = new Collection({
      ...common,
      path: '/api/v1/namespaces',
      parse: (item) => namespaceSchema.parse(item).metadata,
    });
    this.#nodes = new Collection({ ...common, path: '/api/v1/nodes', parse: (item) => clusterNodeSchema.parse(item) });
    this.#pods = new Collection({
      ...common,
      path: `/api/v1/namespaces/${encodeURIComponent(daemons.namespace)}/pods`,
      query: { labelSelector: daemons.selector },
      parse: (item) => podSchema.parse(item),
    });
    this.#preheats = new Collection({ ...common, path: preheatsPath, parse: parsePreheat });
    this.#models = new Collection({ ...common, path: localModelCachesPath, parse: parseLocalModelCache });
    this.#nodeGroups = new Collection({ ...common, path: localModelNodeGroupsPath, parse: parseLocalModelNodeGroup });
  }

  /** Until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const models = this.#options.kserve === true ? [this.#models, this.#nodeGroups] : [];
    const all = [...this.#workloads, this.#namespaces, this.#nodes, this.#pods, this.#preheats, ...models];
    const following = all.map((collection) => collection.follow(this.#options.api, signal));
    while (!signal.aborted) {
      await this.#change(signal);
      if (!signal.aborted && all.every(({ isListed }) => isListed)) await this.#look(signal);
    }
    await Promise.all([...following, ...this.#jobs]);
  }

  async #change(signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const time = delay(resyncMs, undefined, { signal: AbortSignal.any([signal, over.signal]) });
    await Promise.race([this.#wake.promise, time.catch(() => undefined)]);
    over.abort();
    await delay(settleMs, undefined, { signal }).catch(() => undefined);
    this.#wake = Promise.withResolvers();
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { logger, maxNodes } = this.#options;
    const daemons = this.#daemons();
    const preheats = this.#preheats.values();
    this.#remember(daemons, preheats);
    const planned = plan({
      workloads: this.#workloads.flatMap((collection) => [...collection.values()]),
      namespaces: new Map(this.#namespaces.values().map(({ name, labels }) => [name, labels])),
      preheats: new Map(preheats.map((one) => [`${one.metadata.namespace}/${one.metadata.name}`, one])),
      models: this.#models.values(),
      nodeGroups: this.#nodeGroups.values(),
      ownNamespace: this.#options.daemons.namespace,
      nodes: this.#nodes.values(),
      daemons,
      progress: (daemon, content) => this.#progressOf(daemon, content),
      maxNodes,
      now: new Date(),
    });
    this.#enqueue(planned.wanted, signal);
    try {
      await this.#write(planned, signal);
    } catch (error) {
      if (!signal.aborted) logger.warn({ error: toDragonflyError(error).message }, 'the resources are not as they are');
    }
  }

  #daemons(): Daemon[] {
    return this.#pods
      .values()
      .filter(isReady)
      .map(({ metadata, spec, status }) => ({ uid: metadata.uid, node: spec.nodeName, ip: status.podIP }));
  }

  /** Restores progress from before this program started, and forgets the progress of daemons that are gone. */
  #remember(daemons: readonly Daemon[], preheats: readonly Preheat[]): void {
    const byNode = new Map(daemons.map((daemon) => [daemon.node, daemon]));
    for (const { spec, status } of preheats)
      for (const { name, proof } of status?.nodes ?? []) {
        const daemon = byNode.get(name);
        if (!spec || !daemon || proof !== proofOf(daemon, spec)) continue;
        for (const content of [...spec.images, ...spec.urls])
          this.#progress.set(keyOf(daemon, contentKey(content)), { state: 'holding' });
      }
    const alive = new Set(this.#pods.values().map(({ metadata }) => metadata.uid));
    for (const key of this.#progress.keys()) if (!alive.has(key.slice(0, key.indexOf(' ')))) this.#progress.delete(key);
  }

  #progressOf(daemon: Daemon, content: string): Progress | undefined {
    const known = this.#progress.get(keyOf(daemon, content));
    const isOver = known?.againAtMs !== undefined && performance.now() >= known.againAtMs;
    return isOver ? undefined : known;
  }

  async #write({ apply, remove, statuses }: Plan, signal: AbortSignal): Promise<void> {
    const { api } = this.#options;
    for (const { metadata } of remove) await deleteObject(api, { path: pathOf(metadata), uid: metadata.uid }, signal);
    for (const object of apply) {
      const { metadata } = object as Preheat;
      await applyObject(api, { path: pathOf(metadata), object, owner: fieldOwner }, signal);
    }
    for (const { preheat, status } of statuses) {
      const { name, namespace, uid } = preheat.metadata;
      const object = { apiVersion, kind, metadata: { name, namespace, uid }, status };
      await applyObject(api, { path: `${pathOf(preheat.metadata)}/status`, object, owner: fieldOwner }, signal);
    }
  }

  /** Queues each content once, for all nodes that want it. */
  #enqueue(wanted: readonly Wanted[], signal: AbortSignal): void {
    for (const one of wanted) this.#set(one, { state: 'waiting' });
    const groups = Map.groupBy(wanted, ({ kind: of, content, platform }) =>
      JSON.stringify([of, contentKey(content), platform]),
    );
    for (const group of groups.values())
      for (let start = 0; start < group.length; start += maxAddresses)
        this.#queue.push(group.slice(start, start + maxAddresses));
    while (this.#jobs.size < maxJobs && this.#queue.length > 0) this.#begin(signal);
  }

  #begin(signal: AbortSignal): void {
    const group = this.#queue.shift();
    if (!group || signal.aborted) return;
    const job = this.#bring(group, signal).finally(() => {
      this.#jobs.delete(job);
      this.#wake.resolve();
      this.#begin(signal);
    });
    this.#jobs.add(job);
  }

  /** Never throws. */
  async #bring(group: readonly Wanted[], signal: AbortSignal): Promise<void> {
    const [first] = group;
    if (!first) return;
    const { manager, logger } = this.#options;
    const job: PreheatJob = { ...first, ips: [...new Set(group.map(({ daemon }) => daemon.ip))] };
    let whyNot: (ip: string) => string | undefined;
    try {
      const failures = await preheat(manager, job, signal);
      whyNot = (ip) => failures.get(ip);
    } catch (error) {
      const { message } = toDragonflyError(error);
      whyNot = () => message;
    }
    if (signal.aborted) return;
    for (const one of group) {
      const message = whyNot(one.daemon.ip);
      if (message === undefined) this.#set(one, { state: 'holding' });
      else this.#fail(one, message);
    }
    const failed = group.filter(({ daemon }) => whyNot(daemon.ip) !== undefined);
    logger.info({ content: first.content, nodes: group.length, failed: failed.length }, 'content has been brought');
  }

  #fail(one: Wanted, message: string): void {
    const before = this.#progress.get(keyOf(one.daemon, contentKey(one.content)));
    const failures = (before?.failures ?? 0) + 1;
    const againAtMs = performance.now() + shortestRetryMs + backOffMs(failures) * failures;
    this.#set(one, { state: 'failed', message, failures, againAtMs });
  }

  #set({ daemon, content }: Wanted, known: Known): void {
    const key = keyOf(daemon, contentKey(content));
    const { failures } = this.#progress.get(key) ?? {};
    this.#progress.set(key, { ...(known.state === 'waiting' && failures !== undefined && { failures }), ...known });
  }
}

function keyOf({ uid }: Daemon, content: string): string {
  return `${uid} ${content}`;
}

function pathOf({ namespace, name }: Preheat['metadata']): string {
  return `/apis/${apiVersion}/namespaces/${namespace}/preheats/${name}`;
}
