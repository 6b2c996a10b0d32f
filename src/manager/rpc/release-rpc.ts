/** manager.v2.ManagerReleases: published versions, for programs on all nodes. */
import { isPackSignedBy, isSignedBy } from '../../core/credentials/release-signature.ts';
import { DragonflyError } from '../../core/errors.ts';
import { requireSpeaksFor } from '../../rpc/rights.ts';
import type { CallContext } from '../../rpc/call-context.ts';
import type { Handlers } from '../../rpc/server/server.ts';
import type { ComingPack, ManagerReleasesDefinition, Release } from '../../../gen/manager/v2/release.ts';
import { requireName, requireVersion } from '../../swarm/releases/names.ts';
import type { AuditLog } from '../access/audit.ts';
import { releaseChecksAtOnce } from '../limits.ts';
import type { KeptTasks } from '../live/kept-tasks.ts';
import type { ComingPacks } from '../releases/coming-packs.ts';
import { noRelease, tasksOf, type NewRelease, type ReleaseRow, type ReleaseStore } from '../releases/release-store.ts';
import type { ReleaseWatch } from '../releases/release-watch.ts';

/** The limit of the database column. */
const longestPublisher = 512;

export interface ReleaseRpcParts {
  readonly store: ReleaseStore;
  readonly watch: ReleaseWatch;
  readonly coming: ComingPacks;
  readonly keptTasks: Pick<KeptTasks, 'get'>;
  readonly audit: AuditLog;
  /** Every node has a certificate, so a caller without one is not a node. */
  readonly certified: boolean;
}

export function releaseRpc({
  store,
  watch,
  coming,
  keptTasks,
  audit,
  certified,
}: ReleaseRpcParts): Handlers<typeof ManagerReleasesDefinition> {
  return {
    publishRelease: async ({ release, hostId }, context) => {
      requireOwnHost(context, hostId, certified);
      const wanted = toRow(release as Release, hostId);
      const { name, version, publisher } = wanted;
      const record = (statusCode: number): Promise<void> =>
        audit.record({
          actorType: 'UNKNOWN',
          actorName: publisher,
          operation: 'PUBLISH',
          path: `/releases/${name}/${version}`,
          statusCode,
          address: context.peerHost,
        });
      try {
        requireSigned(wanted);
        await requireReplicas(wanted, { keptTasks, clusterId: clusterOf(context) });
        const row = await store.add(wanted);
        await record(200);
        return toMessage(row);
      } catch (error) {
        await record(error instanceof DragonflyError ? error.mapping.http : 500);
        throw error;
      }
    },
    getRelease: async ({ name, version }) => {
      const wanted = version === '' ? undefined : version;
      const row = await store.find(name, wanted);
      if (!row) throw noRelease(name, wanted);
      return toMessage(row);
    },
    watchReleases: async function* ({ name, afterId }, { signal, draining }) {
      requireName(name);
      for await (const row of watch.watch(name, afterId, AbortSignal.any([signal, draining]))) yield toMessage(row);
    },
    announcePack: async ({ pack, hostId }, context) => {
      requireOwnHost(context, hostId, certified);
      const { name, version, taskId, publicKey: public_key, signature } = pack as ComingPack;
      requireName(name);
      requireVersion(version);
      const isSigned = public_key !== '' || signature !== '';
      if (isSigned && !isPackSignedBy({ name, version, taskId }, { publicKey: public_key, signature }))
        throw new DragonflyError('INVALID_ARGUMENT', `the signature of ${taskId} is not that of its key`);
      await store.requireKey({ name, public_key });
      const { tag } = await keptTasks.get(taskId, clusterOf(context));
      if (tag !== `${name}@${version}`)
        throw new DragonflyError('INVALID_ARGUMENT', `${taskId} was not imported for ${name}@${version}`);
      await coming.announce({ name, version, task_id: taskId, host_id: hostId, public_key, signature });
      return {};
    },
    watchPacks: async function* ({ name }, { signal, draining }) {
      requireName(name);
      for await (const row of coming.watch(name, AbortSignal.any([signal, draining])))
        yield {
          name,
          version: row.version,
          taskId: row.task_id,
          publicKey: row.public_key,
          signature: row.signature,
        };
    },
    reportRelease: async ({ name, version, path, state, error, hostId }, context) => {
      requireOwnHost(context, hostId, certified);
      requireName(name);
      requireVersion(version);
      await store.report({ name, version, path, state, error, hostId });
      return {};
    },
  };
}

function requireOwnHost(context: CallContext, hostId: string, certified: boolean): void {
  const { caller, identityRequired } = context;
  requireSpeaksFor({ caller, identityRequired: identityRequired || certified }, { hostId, roles: ['peer', 'seed'] });
}

/** The cluster in a peer's certificate: other clusters' schedulers need not answer then. */
function clusterOf({ caller }: CallContext): number | undefined {
  return caller.kind === 'member' && caller.role === 'peer' ? caller.clusterId || undefined : undefined;
}

function toRow({ name, version, ...release }: Release, hostId: string): NewRelease {
  requireName(name);
  requireVersion(version);
  const expiresMs = release.expiresAt?.getTime() ?? 0;
  if (!(expiresMs > Date.now())) throw new DragonflyError('INVALID_ARGUMENT', `${name}@${version} has expired already`);
  return {
    name,
    version,
    content_digest: release.contentDigest,
    manifest_task_id: release.manifestTaskId,
    manifest_digest: release.manifestDigest,
    content_length: release.contentLength,
    new_length: release.newLength,
    file_count: release.fileCount,
    replicas: release.replicas,
    task_ids: [...new Set([release.manifestTaskId, ...release.taskIds])],
    publisher: publisherAt(hostId, release.publisher),
    host_id: hostId,
    public_key: release.publicKey,
    signature: release.signature,
    expires_at: expiresMs,
  };
}

/** A node may say which of its users published, but not that it was another node's user. */
export function publisherAt(hostId: string, told: string): string {
  if (hostId === '' || told.endsWith(`@${hostId}`)) return told;
  return `${told.split('@', 1)[0]}@${hostId}`.slice(-longestPublisher);
}

function requireSigned({ name, version, manifest_digest: manifestDigest, public_key, signature }: NewRelease): void {
  if (public_key === '' && signature === '') return;
  if (isSignedBy({ name, version, manifestDigest }, { publicKey: public_key, signature })) return;
  throw new DragonflyError('INVALID_ARGUMENT', `the signature of ${name}@${version} is not that of its key`);
}

/** Verifies the publisher's claim with the schedulers: a version only counts once all of it has its replicas. */
async function requireReplicas(
  { name, version, task_ids: ids, replicas }: NewRelease,
  { keptTasks, clusterId }: Pick<ReleaseRpcParts, 'keptTasks'> & { readonly clusterId: number | undefined },
): Promise<void> {
  const left = [...ids];
  const check = async (): Promise<void> => {
    for (let id = left.pop(); id !== undefined; id = left.pop()) {
      const task = await keptTasks.get(id, clusterId);
      if (task.state === 'Succeeded' && task.current_persistent_replica_count >= replicas) continue;
      throw new DragonflyError(
        'FAILED_PRECONDITION',
        `${name}@${version} is on too few hosts: ${task.current_persistent_replica_count} of ${replicas} hold ${id}`,
        { hint: 'Publish it again.' },
      );
    }
  };
  await Promise.all(Array.from({ length: releaseChecksAtOnce }, check));
}

function toMessage(row: ReleaseRow): Release {
  return {
    id: row.id,
    name: row.name,
    version: row.version,
    contentDigest: row.content_digest,
    manifestTaskId: row.manifest_task_id,
    manifestDigest: row.manifest_digest,
    contentLength: row.content_length,
    newLength: row.new_length,
    fileCount: row.file_count,
    replicas: row.replicas,
    taskIds: tasksOf(row),
    publisher: row.publisher,
    publicKey: row.public_key,
    signature: row.signature,
    createdAt: new Date(row.created_at),
    expiresAt: new Date(row.expires_at),
  };
}
