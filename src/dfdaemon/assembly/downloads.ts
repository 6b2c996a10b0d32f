/** What fetches: origins, other nodes' pieces, and the engine that makes downloads of them. */
import { join } from 'node:path';
import { hostPort } from '../../core/net/host-port.ts';
import { unknownCaller } from '../../rpc/server/caller.ts';
import { createClient } from '../../rpc/client.ts';
import { answers } from '../../rpc/server/health.ts';
import { DfdaemonUploadDefinition } from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import { BlockList } from '../cluster/block-list.ts';
import { downloadLimits, originConnections } from '../config.ts';
import { IdleWatch } from '../idle-watch.ts';
import { BlobTwins } from '../imports/blob-twins.ts';
import { PushedContent } from '../imports/pushed-content.ts';
import { openHashers } from '../open-hashers.ts';
import type { StoreParts } from '../open-store.ts';
import { Receipts } from '../receipts.ts';
import { Recordings } from '../recordings.ts';
import type { Schedulers } from '../cluster/schedulers.ts';
import { tellOpenBlob } from '../proxy/proof/open-blobs.ts';
import type { SharedProofs } from '../proxy/proof/shared-proofs.ts';
import { loadSourcePlugins } from '../source/plugins.ts';
import { Sources } from '../source/sources.ts';
import { TaskEngine } from '../task/engine.ts';
import { NodeLocal } from '../task/node-local.ts';
import { TrafficShaper } from '../task/traffic-shaper.ts';
import { PieceClient } from '../transport/piece-client.ts';
import type { DaemonNode } from './node.ts';
import { sharedProofs } from './proof-sharing.ts';

export interface Downloads {
  /** Closed by the service, not by the owner of the other parts: it closes before the ports, so that running calls learn of the shutdown. */
  readonly engine: TaskEngine;
  readonly sources: Sources;
  readonly pieces: PieceClient;
  readonly nodeLocal: NodeLocal;
  /** Proofs of access that other nodes got from origins. */
  readonly shared: SharedProofs;
  /** The block list that the manager sends. */
  readonly blockList: BlockList;
  readonly receipts: Receipts;
  readonly idleWatch: IdleWatch;
}

export async function openDownloads(
  node: DaemonNode,
  { store, collector }: StoreParts,
  schedulers: Schedulers,
): Promise<Downloads> {
  const { config, identity, owned, logger, metrics, channels, memory } = node;
  const sources = owned.add('sources', await openSources(node));
  const hashers = await openHashers(config, owned, logger);
  const shaper = new TrafficShaper(downloadLimits(config));
  const pieces = owned.add(
    'piece client',
    PieceClient.create({
      limiter: shaper.total,
      poolBytes: memory.received,
      ...(node.security.pieceClient && { tls: node.security.pieceClient }),
    }),
  );
  const receipts = new Receipts(join(config.dataDir, 'receipts.jsonl'), logger);
  owned.defer('receipts', () => receipts.flushed());
  const { recordings: recorded } = config.download;
  const recordings = recorded === 0 ? undefined : new Recordings(join(config.dataDir, 'recordings'), recorded, logger);
  if (recordings) owned.add('recordings', recordings);
  const idleWatch = owned.add('idle watch', new IdleWatch(config.aliveTime));
  const nodeLocal = new NodeLocal(() => schedulers.addresses);
  const shared = sharedProofs(node, schedulers, nodeLocal);
  const { ttl: ttlMs } = config.proxy.access;
  const blockList = new BlockList();
  const makeRoom = (bytes: number): Promise<void> => collector.makeRoom(bytes);
  const content = new PushedContent({ store, schedulers, hostId: identity.hostId, makeRoom, logger });
  const twins = new BlobTwins({ store, content, logger });
  const engine = new TaskEngine({
    store,
    identity,
    admit: (request) => blockList.check(request),
    nodeLocal,
    bringTwin: (taskId, request) => twins.bring(taskId, request),
    disableBackToSource: config.scheduler.disableAutoBackSource,
    finishAbandoned: config.download.finishAbandoned,
    onCacheHit: () => (metrics.cacheHit(), idleWatch.used()),
    onFailure: (error, request) => metrics.failed(error, request),
    onReceipt: (receipt, request) => {
      metrics.count(receipt, request);
      receipts.add(receipt);
      if (identity.isSeed) void tellOpenBlob(shared, { request, receipt, ttlMs });
      idleWatch.used();
    },
    context: {
      hostId: identity.hostId,
      sources,
      pieces,
      ...hashers,
      shaper,
      makeRoom,
      schedulerKinds: () => schedulers.kinds,
      openPeerStream: (taskId, requests, options) => schedulers.openPeerStream(taskId, requests, options),
      onTaken: (listener) => schedulers.onTaken(listener),
      syncPieces: ({ ip, port }, request, signal) =>
        createClient(DfdaemonUploadDefinition, channels, hostPort(ip, port)).syncPieces(request, { signal }),
      syncImported: ({ ip, port }, request, signal) =>
        createClient(DfdaemonUploadDefinition, channels, hostPort(ip, port)).syncPersistentCachePieces(request, {
          signal,
        }),
      syncPersistent: ({ ip, port }, request, signal) =>
        createClient(DfdaemonUploadDefinition, channels, hostPort(ip, port)).syncPersistentPieces(request, { signal }),
      record: recordings && ((setup) => recordings.open(setup)),
      pace: channels.pace,
      askParent: ({ ip, port }, signal) => answers(channels, hostPort(ip, port), signal),
      concurrentPieceCount: config.download.concurrentPieceCount,
      originConnections: originConnections(config),
      pieceTimeoutMs: config.download.pieceDownloadTimeout,
      scheduleTimeoutMs: config.scheduler.scheduleTimeout,
      logger,
    },
  });
  return { engine, sources, pieces, nodeLocal, shared, blockList, receipts, idleWatch };
}

async function openSources({ config, logger, metrics, egress, trust, memory }: DaemonNode): Promise<Sources> {
  const { pluginDir, download } = config;
  return new Sources({
    logger,
    trust,
    egress,
    caller: unknownCaller,
    ownCredentials: download.ownCredentials,
    poolBytes: memory.origin,
    onAsked: (call) => metrics.client.originAsked(call),
    plugins: pluginDir === undefined ? [] : await loadSourcePlugins(join(pluginDir, 'source')),
  });
}
