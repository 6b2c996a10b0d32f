/**
 * One version of a directory, from its files to the record at the manager. The bytes that no earlier version has go into packs, packs and manifest into
 * the cluster as content that stays, each acknowledged when its replicas are there; then, and not before, the manager is told. Whatever goes wrong
 * on the way, what this run has put in is taken back.
 */
import { createHash, type KeyObject } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { signPack, signRelease } from '../../core/credentials/release-signature.ts';
import { DragonflyError } from '../../core/errors.ts';
import { outputError } from '../../core/files/output-file.ts';
import type { Release } from '../../../gen/manager/v2/release.ts';
import { assemble, type CutEntry } from '../../swarm/releases/assemble.ts';
import { chunkSizesFor } from '../../swarm/releases/chunker.ts';
import { contentText, type Chunk, type Manifest, type Pack } from '../../swarm/releases/manifest.ts';
import type { ReleaseReference } from '../../swarm/releases/names.ts';
import { packsToRepack, packTargetBytes, reusableChunks } from '../../swarm/releases/pack-plan.ts';
import { packedManifest, type ReleaseDaemon } from '../releases/release-daemon.ts';
import { Cutter } from './cutter.ts';
import { PackWriter } from './pack-writer.ts';
import { requireUnchanged, walk, type WalkedDirectory } from './walk.ts';

/** Packs of the previous version that are looked up at once. */
const statsAtOnce = 8;

/** Packs are stored for twice the lifetime of a version, so that later versions can use them, too. */
const packTtlFactor = 2;

export interface PublicationOptions {
  readonly daemon: ReleaseDaemon;
  readonly root: string;
  readonly reference: ReleaseReference;
  readonly replicas: number;
  readonly ttlMs: number;
  readonly signingKey: KeyObject | undefined;
  /** The directory for temporary files. */
  readonly scratch: string;
  readonly onExpect: (bytes: number) => void;
  readonly onRead: (bytes: number) => void;
  readonly signal: AbortSignal;
}

export async function publishDirectory(options: PublicationOptions): Promise<Release> {
  const { daemon, root, reference, replicas, scratch, signal } = options;
  const { name, version } = reference;
  const startedMs = Date.now();
  const directory = await walk(root);
  options.onExpect(directory.contentLengthBytes);
  const known = await daemon.release(name, version, signal);
  const previous = await previousManifest(known, options);
  const untilMs = startedMs + options.ttlMs;
  const reusable = await reusableOf(previous, { daemon, replicas, untilMs, signal });
  const sizes = previous?.sizes ?? chunkSizesFor(directory.contentLengthBytes);
  const targetBytes = packTargetBytes(directory.contentLengthBytes);
  await using packs = new PackWriter({
    daemon,
    scratch,
    targetBytes,
    tag: `${name}@${version}`,
    replicas,
    ttlMs: options.ttlMs * packTtlFactor,
    firstIndex: previous?.packs.length ?? 0,
    announce: (taskId, ended) => announce(taskId, options, ended),
    startedMs,
    signal,
  });
  const cutter = new Cutter({ root, sizes, known: reusable, packs, onRead: options.onRead, signal });
  try {
    const entries = await cutter.cut(directory);
    const contentDigest = contentDigestOf(directory, entries);
    if (known) return await sameOr(known, contentDigest, packs);
    const old = previous?.packs ?? [];
    const reused = cutter.chunks.filter(({ pack }) => pack < old.length);
    await cutter.repack(packsToRepack(old, reused, targetBytes));
    const made = await packs.finish();
    requireUnchanged(directory, await walk(root));
    const manifest = assemble({
      name,
      version,
      sizes,
      mode: directory.mode,
      packs: [...old, ...made],
      chunks: cutter.chunks,
      entries,
    });
    return await record(manifest, { ...options, packs, contentDigest });
  } catch (error) {
    await packs.takeBack();
    throw signal.aborted ? (signal.reason as Error) : error;
  }
}

/** Subscribers may fetch a pack while its replicas are being made. Never rejects: without it they fetch it later. */
async function announce(
  taskId: string,
  { daemon, reference: { name, version }, signingKey }: PublicationOptions,
  signal: AbortSignal,
): Promise<void> {
  const signature = signingKey ? signPack({ name, version, taskId }, signingKey) : { publicKey: '', signature: '' };
  const pack = { name, version, taskId, ...signature };
  const call = { signal, timeoutMs: announceTimeoutMs };
  await daemon.releases.announcePack({ pack, hostId: '' }, call).catch(() => undefined);
}

/** The manifest of the last published version. If it cannot be fetched any more, publishing goes on and stores its chunks again. */
async function previousManifest(
  known: Release | undefined,
  options: PublicationOptions,
): Promise<Manifest | undefined> {
  const { daemon, reference, scratch, signal } = options;
  const latest = known ?? (await daemon.release(reference.name, undefined, signal));
  if (!latest) return undefined;
  try {
    return await daemon.manifest(latest, join(scratch, 'previous'), signal);
  } catch (error) {
    if (signal.aborted) throw error;
    return undefined;
  }
}

async function reusableOf(
  previous: Manifest | undefined,
  order: {
    readonly daemon: ReleaseDaemon;
    readonly replicas: number;
    readonly untilMs: number;
    readonly signal: AbortSignal;
  },
): Promise<ReadonlyMap<string, Chunk>> {
  if (!previous) return new Map();
  const { daemon, replicas, untilMs, signal } = order;
  const whole = new Set<Pack>();
  const left = [...previous.packs];
  const ask = async (): Promise<void> => {
    for (let pack = left.pop(); pack; pack = left.pop()) {
      const task = await daemon.stat(pack.taskId, signal);
      if (task?.state === 'Succeeded' && task.currentPersistentReplicaCount >= replicas) whole.add(pack);
    }
  };
  await Promise.all(Array.from({ length: statsAtOnce }, ask));
  return reusableChunks(previous, { untilMs, isWhole: (pack) => whole.has(pack) });
}

/** The version exists already: returns it when it has the content of this directory. */
async function sameOr(known: Release, contentDigest: string, packs: PackWriter): Promise<Release> {
  await packs.takeBack();
  if (known.contentDigest === contentDigest) return known;
  throw new DragonflyError('ALREADY_EXISTS', `${known.name}@${known.version} is published with other content`, {
    hint: 'A version never changes: publish the directory under a new one.',
  });
}

async function record(
  manifest: Manifest,
  options: PublicationOptions & { readonly packs: PackWriter; readonly contentDigest: string },
): Promise<Release> {
  const { daemon, scratch, packs, contentDigest, ttlMs, replicas, signingKey, signal } = options;
  const { name, version } = manifest;
  const { bytes, digest } = await packedManifest(manifest);
  const path = join(scratch, 'manifest');
  await writeFile(path, bytes, { flag: 'wx', mode: 0o600 }).catch((error: unknown) => {
    throw outputError(path, error);
  });
  const { taskId, expiresMs } = await packs.put(path, ttlMs, bytes.length);
  const signed = { publicKey: '', signature: '' };
  if (signingKey) Object.assign(signed, signRelease({ name, version, manifestDigest: digest }, signingKey));
  const files = manifest.entries.filter(({ kind }) => kind === 'file');
  const release: Release = {
    id: 0,
    name,
    version,
    contentDigest,
    manifestTaskId: taskId,
    manifestDigest: digest,
    contentLength: files.reduce((sum, entry) => sum + (entry.kind === 'file' ? entry.lengthBytes : 0), 0),
    newLength: packs.newBytes,
    fileCount: files.length,
    replicas,
    taskIds: [taskId, ...manifest.packs.map((pack) => pack.taskId)],
    publisher: '',
    ...signed,
    createdAt: undefined,
    expiresAt: new Date(Math.min(expiresMs, ...manifest.packs.map((pack) => pack.expiresMs))),
  };
  return daemon.releases.publishRelease({ release, hostId: '' }, { signal, timeoutMs: publishTimeoutMs });
}

const announceTimeoutMs = 5_000;

/** Long, because the manager asks the schedulers about every pack. */
const publishTimeoutMs = 90_000;

function contentDigestOf({ mode }: WalkedDirectory, entries: readonly CutEntry[]): string {
  const plain = entries.map((entry) => {
    if (entry.kind !== 'file') return entry;
    const { chunks: _, ...file } = entry;
    return { ...file, runs: [] };
  });
  return `sha256:${createHash('sha256')
    .update(contentText({ mode, entries: plain }))
    .digest('hex')}`;
}
