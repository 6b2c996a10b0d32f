/** What is tried at the ports of a cluster, by whoever it is; each thing by every way there is to it. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { persistentTaskId } from '../../src/core/ids.ts';
import { encodeRequest, tags } from '../../src/dfdaemon/transport/vortex.ts';
import { Channels } from '../../src/rpc/channels.ts';
import { createClient, type RpcClient } from '../../src/rpc/client.ts';
import type { ControlKey } from '../../src/rpc/control-key.ts';
import type { ServiceDefinition } from '../../src/rpc/definition.ts';
import { Download } from '../../gen/common/v2/common.ts';
import {
  DfdaemonUploadDefinition,
  SyncPiecesRequest,
  type DownloadTaskResponse,
} from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { ManagerDefinition } from '../../gen/manager/v2/manager.ts';
import { ManagerReleasesDefinition } from '../../gen/manager/v2/release.ts';
import {
  AnnounceHostRequest,
  PreheatFileRequest,
  SchedulerDefinition,
  UploadPersistentCacheTaskStartedRequest,
  UploadPersistentTaskStartedRequest,
} from '../../gen/scheduler/v2/scheduler.ts';

export const actions = [
  'read content',
  'read metadata',
  'write',
  'delete',
  'register',
  'schedule',
  'preheat',
  'configure',
] as const;
export type Action = (typeof actions)[number];

/** Where everything is, and what is there. */
export interface Places {
  readonly node: string;
  readonly nodeHostId: string;
  readonly upload: string;
  readonly scheduler: string;
  readonly manager: string;
  readonly rest: string;
  /** Content that its origin gives to credentials, held by the node. */
  readonly privateUrl: string;
  readonly privateId: string;
  readonly publicUrl: string;
  readonly taskToDelete: string;
  /** Imported content, held by the node. */
  readonly keptId: string;
  readonly keptToDelete: string;
  /** The same, of an object store. */
  readonly persistentId: string;
  readonly persistentToDelete: string;
}

export interface Actor {
  /** Address it calls from. */
  readonly ip: string;
  readonly hostname: string;
  readonly tls?: { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer } | undefined;
  readonly controlKey?: ControlKey | undefined;
}

const bytes = 'for those who may read it';

/** @returns by action, what each way said: `yes`, or the code of the refusal. */
export async function tryAll(places: Places, actor: Actor): Promise<Record<Action, Record<string, string>>> {
  await using channels = new Channels({ tls: actor.tls, controlKey: actor.controlKey });
  const at = <S extends ServiceDefinition>(service: S, address: string): RpcClient<S> =>
    createClient(service, channels, address);
  const node = at(DfdaemonUploadDefinition, places.node);
  const scheduler = at(SchedulerDefinition, places.scheduler);
  const manager = at(ManagerDefinition, places.manager);
  const releases = at(ManagerReleasesDefinition, places.manager);
  const { ip, hostname } = actor;
  const reportAs = (hostId: string): Promise<unknown> =>
    releases.reportRelease({ name: 'model', version: 'v1', path: '/model', state: 'switched', error: '', hostId });
  const download = (url: string, more: object = {}): Promise<void> =>
    toTheEnd(node.downloadTask({ download: Download.fromPartial({ url, priority: 6, ...more }) }));
  const place = { hostname, ip, port: 4321, idc: '', location: '' };
  const rest = async (path: string, body: object): Promise<void> => {
    const options = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const { status } = await fetch(places.rest + path, { ...options, signal: AbortSignal.timeout(10_000) });
    if (status !== 200) throw Object.assign(new Error(String(status)), { code: String(status) });
  };
  const ways: Record<Action, Record<string, () => Promise<unknown>>> = {
    'read content': {
      DownloadTask: () => content(node.downloadTask({ download: withContent(places.privateUrl) })),
      SyncPieces: () =>
        first(
          node.syncPieces(SyncPiecesRequest.fromPartial({ taskId: places.privateId, hostId: `${ip}-${hostname}` })),
        ),
      'piece port': () => piece(places, actor),
    },
    'read metadata': {
      StatLocalTask: () => node.statLocalTask({ taskId: places.privateId }),
      StatTask: () => scheduler.statTask({ hostId: `${ip}-${hostname}`, taskId: places.privateId }),
      ListHosts: () => scheduler.listHosts({}),
    },
    write: {
      DownloadTask: () => download(places.publicUrl, { outputPath: '/tmp/written-from-afar' }),
      UpdatePersistentCacheTask: () => node.updatePersistentCacheTask({ taskId: places.keptId, persistent: true }),
      UpdatePersistentTask: () =>
        node.updatePersistentTask({ taskId: places.persistentId, persistent: true, kept: undefined }),
      'UploadPersistentTaskStarted of the node': () => scheduler.uploadPersistentTaskStarted(objectInTheNameOf(places)),
      'UploadPersistentCacheTaskStarted of the node': () =>
        scheduler.uploadPersistentCacheTaskStarted(importInTheNameOf(places)),
    },
    delete: {
      DeleteTask: () => node.deleteTask({ taskId: places.taskToDelete }),
      'DeletePersistentCacheTask at the scheduler': () =>
        scheduler.deletePersistentCacheTask({ hostId: places.nodeHostId, taskId: places.keptToDelete }),
      DeletePersistentCacheTask: () => node.deletePersistentCacheTask({ taskId: places.keptId }),
      'DeletePersistentTask at the scheduler': () =>
        scheduler.deletePersistentTask({ hostId: places.nodeHostId, taskId: places.persistentToDelete }),
      DeletePersistentTask: () => node.deletePersistentTask({ taskId: places.persistentId }),
    },
    register: {
      UpdateScheduler: () =>
        manager.updateScheduler({
          sourceType: 0,
          ...place,
          schedulerClusterId: 1,
          features: ['schedule'],
          config: new Uint8Array(),
        }),
      'AnnounceHost of the node': () => scheduler.announceHost(inTheNameOf(places, ip)),
      UpdateSeedPeer: () =>
        manager.updateSeedPeer({
          sourceType: 2,
          ...place,
          type: 'super',
          downloadPort: 4322,
          seedPeerClusterId: 1,
        } as never),
      ReportRelease: () => reportAs(`${ip}-${hostname}${hostname === 'seed' ? '-seed' : ''}`),
      'ReportRelease of the node': () => reportAs(places.nodeHostId),
    },
    schedule: { DownloadTask: () => download(places.publicUrl) },
    preheat: {
      PreheatFile: () =>
        scheduler.preheatFile(PreheatFileRequest.fromPartial({ url: places.publicUrl, scope: 'single_seed_peer' })),
    },
    configure: {
      'POST /configs': () => rest('/api/v1/configs', { name: hostname, value: 'x' }),
      'POST /jobs': () => rest('/api/v1/jobs', { type: 'preheat', args: { type: 'file', url: places.publicUrl } }),
    },
  };
  const results = {} as Record<Action, Record<string, string>>;
  for (const action of actions) {
    results[action] = {};
    for (const [name, way] of Object.entries(ways[action]))
      results[action][name] = await way().then(
        () => 'yes',
        (error: { code?: string }) => error.code ?? 'without a code',
      );
  }
  return results;
}

/** The node's name with the caller's address: its children would be sent there. */
function inTheNameOf({ node, nodeHostId }: Places, ip: string): AnnounceHostRequest {
  const host = { id: nodeHostId, hostname: 'node', ip, port: Number(node.split(':').at(-1)), downloadPort: 1, type: 1 };
  return AnnounceHostRequest.fromPartial({ host });
}

function withContent(url: string): Download {
  return Download.fromPartial({ url, priority: 6, needPieceContent: true });
}

/** Throws when no bytes come. */
async function content(answers: AsyncIterable<DownloadTaskResponse>): Promise<void> {
  let length = 0;
  for await (const { response } of answers)
    if (response?.$case === 'downloadPieceFinishedResponse') length += response.value.piece?.content?.length ?? 0;
  if (length === 0) throw Object.assign(new Error('nothing'), { code: 'nothing' });
}

function importInTheNameOf({ nodeHostId }: Places): UploadPersistentCacheTaskStartedRequest {
  return UploadPersistentCacheTaskStartedRequest.fromPartial({
    hostId: nodeHostId,
    taskId: 'e'.repeat(64),
    peerId: `${nodeHostId}-peer`,
    persistentReplicaCount: 1,
    pieceLength: 4 * 2 ** 20,
    contentLength: 1,
    pieceCount: 1,
    ttl: { seconds: 3600, nanos: 0 },
  });
}

function objectInTheNameOf({ nodeHostId }: Places): UploadPersistentTaskStartedRequest {
  const [url, region, endpoint] = ['s3://bucket/stolen', 'r', 'http://store'];
  return UploadPersistentTaskStartedRequest.fromPartial({
    hostId: nodeHostId,
    taskId: persistentTaskId({ url, region, endpoint }),
    peerId: `${nodeHostId}-peer`,
    url,
    objectStorage: { region, endpoint },
    persistentReplicaCount: 1,
    contentLength: 1,
    pieceCount: 1,
    ttl: { seconds: 3600, nanos: 0 },
  });
}

async function first(answers: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of answers) return;
}

async function toTheEnd(answers: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of answers);
}

/** Asks the piece port for private content by the id of its task. */
async function piece({ upload, privateId }: Places, { tls }: Actor): Promise<void> {
  const place = { host: upload.slice(0, upload.lastIndexOf(':')), port: Number(upload.split(':').at(-1)) };
  const socket = tls
    ? connectTls({ ...place, ...tls, servername: '', checkServerIdentity: () => undefined })
    : connect(place);
  socket.on('error', () => undefined);
  socket.end(encodeRequest(tags.downloadPiece, privateId, 0));
  const blocks: Buffer[] = [];
  socket.on('data', (block: Buffer) => blocks.push(block));
  await once(socket, 'close');
  if (!Buffer.concat(blocks).includes(bytes)) throw Object.assign(new Error('nothing'), { code: 'nothing' });
}
