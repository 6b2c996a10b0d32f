/** The calls that publishing and subscribing make to their node's dfdaemon. */
import { rm } from 'node:fs/promises';
import { gunzip, gzip } from 'node:zlib';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { createClient, type RpcClient } from '../../rpc/client.ts';
import type { PersistentCacheTask } from '../../../gen/common/v2/common.ts';
import { DfdaemonDownloadDefinition, UploadPersistentCacheTaskRequest } from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import { DfdaemonLocalDefinition } from '../../../gen/dfdaemon/v2/local.ts';
import { ManagerReleasesDefinition, type Release } from '../../../gen/manager/v2/release.ts';
import { releaseLimits } from '../../swarm/releases/limits.ts';
import { manifestText, parseManifest, type Manifest } from '../../swarm/releases/manifest.ts';
import type { DaemonConnection } from '../daemon-connection.ts';
import { fetchKept, loadKept } from '../dfcache/export.ts';

/** The application under which statistics and block lists know the content of versions. */
export const releaseApplication = 'dragonfly-release';

/** Deadline for storing one pack with all its replicas. */
const importTimeoutMs = 2 * 3_600_000;
const removeTimeoutMs = 60_000;

export interface PutOptions {
  readonly tag: string;
  readonly replicas: number;
  readonly ttlMs: number;
  /** Called when other nodes can get the content from this one. */
  readonly onHeld?: ((taskId: string) => void) | undefined;
  readonly signal: AbortSignal;
}

export class ReleaseDaemon {
  readonly releases: RpcClient<typeof ManagerReleasesDefinition>;
  readonly #connection: DaemonConnection;
  readonly #downloads: RpcClient<typeof DfdaemonDownloadDefinition>;
  readonly #local: RpcClient<typeof DfdaemonLocalDefinition>;

  constructor(connection: DaemonConnection) {
    const { channels, endpoint } = connection;
    this.#connection = connection;
    this.releases = createClient(ManagerReleasesDefinition, channels, endpoint.address);
    this.#downloads = createClient(DfdaemonDownloadDefinition, channels, endpoint.address);
    this.#local = createClient(DfdaemonLocalDefinition, channels, endpoint.address);
  }

  /** Undefined when there is no such version. */
  async release(name: string, version: string | undefined, signal: AbortSignal): Promise<Release | undefined> {
    try {
      return await this.releases.getRelease({ name, version: version ?? '' }, { signal });
    } catch (error) {
      if (toDragonflyError(error).code === 'NOT_FOUND') return undefined;
      throw error;
    }
  }

  /** Resolves when the file has its replicas. */
  async put(path: string, { tag, replicas, ttlMs, onHeld, signal }: PutOptions): Promise<PersistentCacheTask> {
    const request = UploadPersistentCacheTaskRequest.fromPartial({
      path,
      tag,
      application: releaseApplication,
      persistentReplicaCount: replicas,
      ttl: { seconds: Math.ceil(ttlMs / 1000), nanos: 0 },
      timeout: { seconds: importTimeoutMs / 1000, nanos: 0 },
    });
    for await (const { taskId, task } of this.#local.importPersistentCacheTask(request, { signal })) {
      if (task) return task;
      onHeld?.(taskId);
    }
    throw new DragonflyError('PROTOCOL', 'the dfdaemon did not say what became of the import');
  }

  /** Undefined when the cluster does not have it. */
  async stat(taskId: string, signal: AbortSignal): Promise<PersistentCacheTask | undefined> {
    try {
      return await this.#downloads.statPersistentCacheTask({ taskId }, { signal });
    } catch (error) {
      if (toDragonflyError(error).code === 'NOT_FOUND') return undefined;
      throw error;
    }
  }

  /** Deletes what this user has stored. */
  async remove(taskId: string): Promise<void> {
    await this.#local.removeKeptTask({ taskId }, { timeoutMs: removeTimeoutMs });
  }

  /** Brings a task's content to this node, for later. */
  async load(taskId: string, signal: AbortSignal): Promise<void> {
    await loadKept(this.#connection, { taskId, application: releaseApplication, signal });
  }

  /** Writes a task's verified content to a file that is only read. */
  async fetch(taskId: string, path: string, signal: AbortSignal): Promise<void> {
    await fetchKept(this.#connection, { taskId, path, application: releaseApplication, signal });
  }

  /** Throws DIGEST_MISMATCH, PROTOCOL. @param scratch path at which a file may be created. */
  async manifest(release: Release, scratch: string, signal: AbortSignal): Promise<Manifest> {
    const { name, version, manifestDigest } = release;
    try {
      await this.fetch(release.manifestTaskId, scratch, signal);
      const bytes = await readFile(scratch);
      if (digestOf(bytes) !== manifestDigest)
        throw new DragonflyError('DIGEST_MISMATCH', `the manifest of ${name}@${version} is not the published one`);
      const manifest = parseManifest(await unpacked(bytes));
      if (manifest.name === name && manifest.version === version) return manifest;
      throw new DragonflyError(
        'DIGEST_MISMATCH',
        `the manifest of ${name}@${version} is that of ${manifest.name}@${manifest.version}`,
      );
    } finally {
      await rm(scratch, { force: true });
    }
  }
}

/** The manifest as it is transferred: compressed, because it is mostly digests in hex, of which half is redundant. */
export async function packedManifest(manifest: Manifest): Promise<{ readonly bytes: Buffer; readonly digest: string }> {
  const bytes = await promisify(gzip)(manifestText(manifest));
  if (bytes.length > releaseLimits.manifestBytes)
    throw new DragonflyError('INVALID_ARGUMENT', 'the directory has too many files and chunks for one version', {
      hint: 'Publish parts of it under their own names.',
    });
  return { bytes, digest: digestOf(bytes) };
}

async function unpacked(bytes: Buffer): Promise<string> {
  try {
    const text = await promisify(gunzip)(bytes, { maxOutputLength: releaseLimits.manifestTextBytes });
    return text.toString('utf8');
  } catch (error) {
    throw new DragonflyError('PROTOCOL', `the manifest cannot be unpacked: ${(error as Error).message}`);
  }
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
