/**
 * Preheating: finds the blobs, selects hosts, creates one unit for each pair, and runs each unit until the host itself
 * confirms that it has the whole blob. Units that succeeded stay so when another replica takes over the job.
 */
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { taskId } from '../../core/ids.ts';
import { redact } from '../../core/redact.ts';
import type { Download } from '../../../gen/common/v2/common.ts';
import {
  concurrentPeers,
  concurrentTasks,
  jobTimeoutMs,
  maxJobTasks,
  maxNamedByGit,
  maxTaskAttempts,
} from '../limits.ts';
import type { ClusterHosts } from './cluster-hosts.ts';
import type { DaemonClient } from './daemon-client.ts';
import type { JobContext, JobExecutor, JobOutcome } from './executor.ts';
import { seedsFor, selectHosts, type ClusterHost } from './host-selection.ts';
import { hostColumns, hostOf, TaskProgressWriter, type JobTask, type NewTask } from './job-tasks.ts';
import { defaultPlatform, identityOf, preheatArgs, type PreheatArgs } from './job-types.ts';
import { runAll } from './pool.ts';
import { acceptManifests, findImage, type ImagePart } from '../../rpc/registry/image.ts';
import { ModelHub, parseHubUrl } from '../../rpc/registry/model-hub.ts';
import type { RegistryClient } from '../../rpc/registry/registry-client.ts';
import { preheatResult } from './results.ts';

export interface PreheatParts {
  readonly hosts: ClusterHosts;
  readonly daemons: DaemonClient;
  readonly registry: RegistryClient;
  /** What `hf://` stands for. */
  readonly hubEndpoint: string;
}

export interface Item extends ImagePart {
  readonly manifest?: boolean;
  /** By which nodes know it, whatever its URL: as the door for clients of a hub names its files. */
  readonly contentName?: string | undefined;
}

/** The items to fetch, and a function that returns fresh headers for them. */
interface Content {
  readonly items: readonly Item[];
  readonly header: (signal: AbortSignal) => Promise<Record<string, string>>;
}

export function preheat(parts: PreheatParts): JobExecutor {
  return async (context) => {
    const { job, signal } = context;
    const target = { clusterIds: job.schedulerClusterIds, signal };
    const given = preheatArgs.parse(context.args);
    const args = await withBlobNames(parts.hosts, given, target);
    if (args !== given) await context.amend({ blobs_by_url: args.blobs_by_url });
    const content = await contentOf(parts, args, context);
    let tasks = await context.tasks.list(context.job.id);
    if (tasks.length === 0) {
      await context.tasks.create(job.id, await plan(parts.hosts, args, content.items, target));
      tasks = await context.tasks.list(context.job.id);
    }
    await run(parts, args, content, tasks, context);
    return outcome(await context.tasks.list(context.job.id));
  };
}

interface Target {
  readonly clusterIds: readonly number[];
  readonly signal: AbortSignal;
}

/** An image is preheated for the proxies that pull it, with their names for its blobs unless the job says otherwise. */
export async function withBlobNames(hosts: ClusterHosts, args: PreheatArgs, target: Target): Promise<PreheatArgs> {
  if (args.type !== 'image' || typeof args.blobs_by_url === 'boolean') return args;
  return { ...args, blobs_by_url: await hosts.blobsByUrl(target.clusterIds, target.signal) };
}

/** What was looked up before stays the same, even if the tag or the branch has moved since. */
async function contentOf(parts: PreheatParts, args: PreheatArgs, context: JobContext): Promise<Content> {
  switch (args.type) {
    case 'image':
      return imageContent(parts.registry, args, context);
    case 'model': {
      const known = context.args['items'] as Item[] | undefined;
      if (known) return { items: known, header: () => Promise.resolve(hubOf(parts, args).header) };
      const { commit, ...content } = await modelContent(parts, args, context.signal);
      await context.amend({ items: content.items, commit });
      return content;
    }
    case 'file':
      return fileContent(args);
  }
}

/** What it consists of now, whichever kind it is. Throws as the registry or the hub answers. */
export async function findItems(parts: PreheatParts, args: PreheatArgs, signal: AbortSignal): Promise<readonly Item[]> {
  if (args.type === 'image') return (await imageItems(parts.registry, args, signal)).items;
  return (args.type === 'model' ? await modelContent(parts, args, signal) : fileContent(args)).items;
}

/** Its files, by the names under which clients of the hub get them from nodes. Throws NOT_FOUND when there is no such revision. */
async function modelContent(
  parts: PreheatParts,
  args: PreheatArgs,
  signal: AbortSignal,
): Promise<Content & { readonly commit: string }> {
  const { repository, revision = 'main' } = parseHubUrl(args.url ?? '') ?? {};
  const hub = hubOf(parts, args);
  const commit = repository && (await hub.commit(repository, revision, signal));
  if (!repository || commit === undefined) throw new DragonflyError('NOT_FOUND', `the hub has no ${args.url ?? ''}`);
  const files = await hub.files(repository, commit, signal);
  const items = files.flatMap(({ path, sizeBytes, sha256, blobId }): Item[] => {
    if (sizeBytes === 0) return []; // there is nothing to fetch
    const url = hub.fileUrl(repository, commit, path);
    if (sha256 !== undefined)
      return [{ url, sizeBytes, digest: `sha256:${sha256}`, contentName: `dragonfly:sha256:${sha256}` }];
    return [{ url, sizeBytes, contentName: sizeBytes > maxNamedByGit ? undefined : `dragonfly:git-blob:${blobId}` }];
  });
  if (items.length === 0) throw new DragonflyError('NOT_FOUND', `${args.url ?? ''} holds no files`);
  return { items, commit, header: () => Promise.resolve(hub.header) };
}

function hubOf({ registry, hubEndpoint }: PreheatParts, { password }: PreheatArgs): ModelHub {
  return new ModelHub(registry, { endpoint: hubEndpoint, token: password });
}

/**
 * Manifests and blobs of the image: with its manifests, nodes can pull it while the registry is unreachable. An image
 * that was resolved before stays the same even if its tag has moved since.
 */
async function imageContent(registry: RegistryClient, args: PreheatArgs, context: JobContext): Promise<Content> {
  const found = await imageItems(registry, args, context.signal);
  const known = context.args['items'] as Item[] | undefined;
  if (!known) await context.amend({ items: found.items });
  return { ...found, items: known ?? found.items };
}

/** What the image is made of now. */
async function imageItems(registry: RegistryClient, args: PreheatArgs, signal: AbortSignal): Promise<Content> {
  const request = { ...args, url: args.url ?? '', platform: args.platform ?? defaultPlatform };
  const { manifests, blobs, freshHeader } = await findImage(registry, request, signal);
  return { items: [...manifests.map((manifest) => ({ ...manifest, manifest: true })), ...blobs], header: freshHeader };
}

function fileContent({ url, urls, headers }: PreheatArgs): Content {
  const all = new Set([...urls, ...(url === undefined ? [] : [url])]);
  return { items: [...all].map((item) => ({ url: item })), header: () => Promise.resolve(headers) };
}

/**
 * Assigns items to nodes; in all clusters with a scheduler when none is named. Throws NOT_FOUND (cluster), UNAVAILABLE
 * (no host fits), RESOURCE_EXHAUSTED (too many nodes × items).
 */
export async function plan(
  hosts: ClusterHosts,
  args: PreheatArgs,
  items: readonly Item[],
  { clusterIds, signal }: Target,
): Promise<NewTask[]> {
  const tasks: NewTask[] = [];
  for (const cluster of await hosts.clusters(clusterIds)) {
    if (clusterIds.length === 0 && cluster.schedulers.length === 0) continue;
    const reachable = await hosts.listReachable(cluster, signal);
    const single = args.scope === 'single_seed_peer' && args.ips.length === 0;
    const selected = single ? [] : selectHosts(reachable, args.ips.length > 0 ? { ...args, scope: 'all_peers' } : args);
    for (const [index, item] of items.entries()) {
      const chosen = single ? seedsFor(reachable, identify(args, item)).slice(0, 1) : selected;
      if (chosen.length === 0) throw noHosts(cluster.name, args);
      for (const host of chosen) tasks.push({ host, url: redact(item.url), item: index });
    }
    if (tasks.length > maxJobTasks) {
      throw new DragonflyError('RESOURCE_EXHAUSTED', `the job has more than ${maxJobTasks} nodes × blobs`, {
        hint: 'Preheat fewer nodes, or seeds alone.',
      });
    }
  }
  if (tasks.length === 0) throw new DragonflyError('UNAVAILABLE', 'no cluster has an active scheduler');
  return tasks;
}

function noHosts(cluster: string, { scope, ips }: PreheatArgs): DragonflyError {
  const wanted =
    ips.length > 0 ? `host with one of the addresses ${ips.join(', ')}` : scope === 'all_peers' ? 'peer' : 'seed peer';
  return new DragonflyError('UNAVAILABLE', `cluster ${cluster} has no ${wanted}`, {
    hint: 'Check that the daemons have announced themselves to the scheduler.',
  });
}

async function run(
  parts: PreheatParts,
  args: PreheatArgs,
  content: Content,
  tasks: readonly JobTask[],
  context: JobContext,
): Promise<void> {
  await using progress = new TaskProgressWriter(context.tasks, context.logger, context.announce);
  const open = tasks.filter((task) => task.state !== 'SUCCESS');
  const byHost = [...Map.groupBy(open, (task) => task.host_id).values()];
  const unit = (task: JobTask): Promise<void> =>
    runTask(parts, { args, content, task, progress, signal: context.signal });
  await runAll(
    byHost,
    args.concurrent_peer_count ?? concurrentPeers,
    (ofHost) => runAll(ofHost, args.concurrent_task_count ?? concurrentTasks, unit, context.signal),
    context.signal,
  );
}

interface Unit {
  readonly args: PreheatArgs;
  readonly content: Content;
  readonly task: JobTask;
  readonly progress: TaskProgressWriter;
  readonly signal: AbortSignal;
}

/** Throws only when the whole job has to stop; a failure of the unit is recorded in it. */
async function runTask(parts: PreheatParts, unit: Unit): Promise<void> {
  const { task, progress, signal, content, args } = unit;
  const item = content.items[task.item];
  if (!item) return;
  let host = hostOf(task);
  for (let attempt = task.attempt + 1; ; attempt += 1) {
    progress.set(task.id, { state: 'RUNNING', attempt, ...hostColumns(host) });
    try {
      await fetchOnce(parts, unit, host, item);
      return;
    } catch (error) {
      signal.throwIfAborted();
      const { message } = toDragonflyError(error);
      if (attempt >= maxTaskAttempts) {
        progress.set(task.id, { state: 'FAILURE', error: message });
        return;
      }
      progress.set(task.id, { error: message });
      host = (await standIn(parts.hosts, args, host, item, signal)) ?? host;
    }
  }
}

async function fetchOnce(
  { daemons }: PreheatParts,
  { args, content, task, progress, signal }: Unit,
  host: ClusterHost,
  item: Item,
): Promise<void> {
  const download = toDownload(args, item, await content.header(signal));
  if (isByTag(item)) await daemons.delete(host, identify(args, item), signal);
  const fetched = await daemons.download(host, download, {
    signal,
    onProgress: ({ taskId: id, contentLengthBytes, completedBytes }) =>
      progress.set(task.id, { task_id: id, content_length: contentLengthBytes, completed_length: completedBytes }),
  });
  const verified = await isComplete(daemons, host, fetched.taskId, signal);
  progress.set(task.id, {
    state: 'SUCCESS',
    error: '',
    task_id: fetched.taskId,
    content_length: fetched.contentLengthBytes,
    completed_length: fetched.contentLengthBytes,
    verified: verified ? 1 : 0,
  });
}

/** Asks the host. Throws when it answers that it does not have all of it. False when it cannot answer. */
async function isComplete(daemons: DaemonClient, host: ClusterHost, id: string, signal: AbortSignal): Promise<boolean> {
  try {
    const local = await daemons.stat(host, id, signal);
    if (local?.finishedAt !== undefined) return true;
  } catch (error) {
    if (error instanceof DragonflyError && error.code === 'UNSUPPORTED') return false;
    throw error;
  }
  throw new DragonflyError(
    'PIECE_UNAVAILABLE',
    `${host.hostname} reported the download as done but does not hold all of it`,
  );
}

/** For a single seed peer: the next seed on the ring, so that an unavailable one does not fail the job. */
async function standIn(
  hosts: ClusterHosts,
  args: PreheatArgs,
  failed: ClusterHost,
  item: Item,
  signal: AbortSignal,
): Promise<ClusterHost | undefined> {
  if (args.scope !== 'single_seed_peer' || args.ips.length > 0) return undefined;
  try {
    const [cluster] = await hosts.clusters([failed.clusterId]);
    const seeds = cluster ? seedsFor(await hosts.listReachable(cluster, signal), identify(args, item)) : [];
    return seeds[(seeds.findIndex((seed) => seed.id === failed.id) + 1) % seeds.length];
  } catch {
    signal.throwIfAborted();
    return undefined; // the schedulers are momentarily unavailable: try the same seed again
  }
}

/** The task id by which nodes know the item. */
export function identify(args: PreheatArgs, item: Item): string {
  const { url, contentName: contentForCalculatingTaskId } = item;
  return taskId({ url, ...itemIdentity(args, item), blobDigestAsId: namesByDigest(args), contentForCalculatingTaskId });
}

function namesByDigest({ type, blobs_by_url: byUrl }: PreheatArgs): boolean {
  return type === 'image' && byUrl !== true;
}

/** A proxy that looks for a manifest does not know the piece length that a job requested. */
function itemIdentity(args: PreheatArgs, { manifest = false }: Item): ReturnType<typeof identityOf> {
  const identity = identityOf(args);
  return manifest ? { ...identity, pieceLengthBytes: undefined } : identity;
}

function toDownload(args: PreheatArgs, item: Item, header: Record<string, string>): Partial<Download> {
  const { tag, application, pieceLengthBytes, filteredQueryParams } = itemIdentity(args, item);
  const { url, digest, contentName } = item;
  const seconds = Math.ceil((args.timeout ?? jobTimeoutMs * 1e6) / 1e9);
  return {
    url,
    ...(digest === undefined ? {} : { digest }),
    ...(contentName !== undefined && { contentForCalculatingTaskId: contentName }),
    ...(tag === undefined ? {} : { tag }),
    ...(application === undefined ? {} : { application }),
    ...(pieceLengthBytes === undefined ? {} : { pieceLength: pieceLengthBytes }),
    filteredQueryParams: [...filteredQueryParams],
    requestHeader: item.manifest === true ? { ...header, accept: acceptManifests } : header,
    // What peers hold of a tag may be outdated.
    needBackToSource: isByTag(item),
    timeout: { seconds, nanos: 0 },
    enableTaskIdBasedBlobDigest: namesByDigest(args),
    ...(args.object_storage ? { objectStorage: camelCased(args.object_storage) } : {}),
    ...(args.hdfs ? { hdfs: camelCased(args.hdfs) } : {}),
  };
}

function isByTag({ manifest = false, digest }: Item): boolean {
  return manifest && digest === undefined;
}

function camelCased(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name.replaceAll(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase()),
      value,
    ]),
  );
}

/** One failed unit fails the job. */
function outcome(tasks: readonly JobTask[]): JobOutcome {
  const failed = tasks.some((task) => task.state !== 'SUCCESS');
  return { state: failed ? 'FAILURE' : 'SUCCESS', result: preheatResult(tasks) };
}
