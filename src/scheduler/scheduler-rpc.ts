/** The scheduler.v2 service: unary calls here, the peers' streams in announce-peer.ts, jobs in preheat/. */
import { DragonflyError } from '../core/errors.ts';
import { defaultPieceLength } from '../core/piece-layout.ts';
import type { CallContext } from '../rpc/call-context.ts';
import { Download, type Host } from '../../gen/common/v2/common.ts';
import { ObjectNote, type SchedulerDefinition, type TaskHolding } from '../../gen/scheduler/v2/scheduler.ts';
import type { RegistryClient } from '../rpc/registry/registry-client.ts';
import type { Handlers } from '../rpc/server/server.ts';
import { PieceSet } from '../swarm/shared/piece-set.ts';
import { announcePeer } from './peers/announce-peer.ts';
import type { SeedOwner } from './hosts/known-seeds.ts';
import {
  ownerOf,
  requireAnnounceable,
  requireNode,
  requireOwnHost,
  requireSeed,
  requireShareable,
} from './hosts/own-host.ts';
import { isOfOthers, requireNameOf } from './task-names.ts';
import { openKey } from './proof-board.ts';
import type { Brain } from './brain.ts';
import type { HeldHosts } from './hosts/held-hosts.ts';
import type { KeptHosts } from './hosts/kept-hosts.ts';
import { hostInfo, isSeed } from './hosts/host-registry.ts';
import { msFromDuration, peerMessage, taskMessage } from './messages.ts';
import type { OriginalDaemons } from './peers/original-daemons.ts';
import type { CountedCall } from './metrics.ts';
import { preheatImage, statImage } from './preheat/image-rpc.ts';
import { preheatFile, statFile } from './preheat/preheat-rpc.ts';
import type { Preheater } from './preheat/preheater.ts';
import type { Reachability } from './hosts/reachability.ts';
import { fromKeptContent } from '../rpc/fields/kept-content.ts';
import { persistentCacheRpc } from './replicas/persistent-cache-rpc.ts';
import { persistentRpc } from './replicas/persistent-rpc.ts';
import type { ReplicaDesk } from './replicas/replica-desk.ts';

type SchedulerHandlers = Handlers<typeof SchedulerDefinition>;

export interface LoadLimits {
  readonly peerLoadLimit?: number | undefined;
  readonly seedLoadLimit?: number | undefined;
}

export interface SchedulerRpcParts {
  readonly brain: Brain;
  readonly held: HeldHosts;
  readonly keptHosts: KeptHosts;
  readonly originals: OriginalDaemons;
  readonly preheater: Preheater;
  readonly reachability: Reachability;
  readonly replicas: ReplicaDesk;
  readonly registry: RegistryClient;
  readonly loadLimits: () => LoadLimits;
  /** True when a host that says so without a certificate is believed to be a seed. */
  readonly isKnownSeed: (host: Host, owner: SeedOwner) => Promise<boolean>;
}

export function schedulerRpc(parts: SchedulerRpcParts): SchedulerHandlers {
  const blobsByUrl = (): boolean => parts.brain.blobNames.byUrl === true;
  const { brain, held, keptHosts, originals, preheater, reachability, registry, replicas, loadLimits, isKnownSeed } =
    parts;
  const counted = <A extends readonly unknown[], R>(call: CountedCall, work: (...args: A) => R) => {
    return async (...args: A): Promise<Awaited<R>> => {
      brain.metrics.called(call);
      try {
        return await work(...args);
      } catch (error) {
        brain.metrics.callFailed(call);
        throw error;
      }
    };
  };

  const persistent = persistentRpc(brain, replicas);
  const kept = persistentCacheRpc(brain, replicas);
  return {
    announcePeer: (requests, context) => countedStream(brain, announcePeer(brain, requests, context)),

    holdHost: (request, context: CallContext) => {
      requireOwnHost(request.hostId, context, brain);
      return held.hold(request, context);
    },

    beatHost: async (beats, context: CallContext) => {
      for await (const beat of beats) {
        requireOwnHost(beat.hostId, context, brain);
        brain.book.beat(beat.hostId, beat, performance.now());
      }
      return {};
    },

    announceHost: counted('announceHost', async ({ host: announced, interval }, context: CallContext) => {
      if (!announced) throw new DragonflyError('INVALID_ARGUMENT', 'the host is missing');
      requireAnnounceable(announced, context, brain);
      const isReachable = await reachability.isReachable(announced, context.peerHost);
      const host = isReachable ? announced : { ...announced, disableShared: true };
      const { peerLoadLimit, seedLoadLimit } = loadLimits();
      const owner = ownerOf(context);
      const intervalMs = msFromDuration(interval);
      const { clusterId } = context.caller.kind === 'member' ? context.caller : {};
      const info = hostInfo(host, {
        owner,
        intervalMs,
        loadLimit: isSeed(host) ? seedLoadLimit : peerLoadLimit,
        usesSeeds: brain.usesSeeds && (!isSeed(host) || (await isKnownSeed(host, { ...owner, clusterId }))),
      });
      brain.run(
        (swarm, nowMs) => swarm.announceHost(info, nowMs),
        () => {
          brain.hosts.announce(host, { unreachable: !isReachable, owner });
          brain.book.announced(host, { unreachable: !isReachable }, performance.now());
          held.seen(host.id);
          originals.announced({ original: !context.callerHasSwarm });
          if (context.callerHasSwarm) keptHosts.gone(host.id);
          else keptHosts.announced({ host, intervalMs, unreachable: !isReachable, address: owner.address });
          replicas.hostSeen(host);
        },
      );
      return {};
    }),

    listHosts: counted('listHosts', ({ type }) => ({
      hosts: brain.hosts.list(type).filter((host) => brain.swarm.host(host.id)),
      blobsByUrl: brain.blobNames.byUrl,
    })),

    deleteHost: counted('deleteHost', ({ hostId }, context) => {
      requireOwnHost(hostId, context, brain);
      brain.hostLeft(hostId, 'goodbye');
      return {};
    }),

    statPeer: counted('statPeer', ({ peerId, taskId }, context) => {
      requireNode(context, brain);
      const peer = brain.swarm.peer(peerId);
      const host = peer && brain.hosts.get(peer.host.id)?.host;
      if (!peer || !host || peer.task.id !== taskId) throw notFound('peer', peerId);
      return peerMessage(peer, taskMessage(peer.task, brain.facts.get(taskId)), host);
    }),

    deletePeer: counted('deletePeer', ({ peerId }, context) => {
      const peer = brain.swarm.peer(peerId);
      if (peer) requireOwnHost(peer.host.id, context, brain);
      brain.run((swarm, nowMs) => swarm.peerLeft(peerId, nowMs));
      return {};
    }),

    statTask: counted('statTask', ({ taskId }, context) => {
      requireNode(context, brain);
      const task = brain.swarm.task(taskId);
      if (!task) throw notFound('task', taskId);
      return taskMessage(task, brain.facts.get(taskId));
    }),

    deleteTask: counted('deleteTask', ({ hostId, taskId }, context) => {
      requireOwnHost(hostId, context, brain);
      if (!brain.swarm.host(hostId)) throw notFound('host', hostId);
      brain.taskLeft(hostId, taskId);
      replicas.run((keeper, nowMs) => keeper.released(taskId, hostId, nowMs));
      return {};
    }),

    preheatImage: counted('preheatImage', (request, context) =>
      preheatImage({ preheater, registry, blobsByUrl }, request, context),
    ),

    statImage: counted('statImage', (request, context) =>
      statImage({ preheater, registry, blobsByUrl }, request, context),
    ),

    preheatFile: counted('preheatFile', (request, context) => preheatFile(preheater, request, context)),

    statFile: counted('statFile', (request, context) => statFile(preheater, request, context)),

    uploadPersistentTaskStarted: counted('uploadPersistentTaskStarted', persistent.uploadPersistentTaskStarted),
    uploadPersistentTaskFinished: counted('uploadPersistentTaskFinished', persistent.uploadPersistentTaskFinished),
    uploadPersistentTaskFailed: counted('uploadPersistentTaskFailed', persistent.uploadPersistentTaskFailed),
    statPersistentTask: counted('statPersistentTask', persistent.statPersistentTask),
    deletePersistentTask: counted('deletePersistentTask', persistent.deletePersistentTask),
    statPersistentPeer: counted('statPersistentPeer', persistent.statPersistentPeer),
    deletePersistentPeer: counted('deletePersistentPeer', persistent.deletePersistentPeer),
    announcePersistentPeer: persistent.announcePersistentPeer,
    uploadPersistentCacheTaskStarted: counted(
      'uploadPersistentCacheTaskStarted',
      kept.uploadPersistentCacheTaskStarted,
    ),
    uploadPersistentCacheTaskFinished: counted(
      'uploadPersistentCacheTaskFinished',
      kept.uploadPersistentCacheTaskFinished,
    ),
    uploadPersistentCacheTaskFailed: counted('uploadPersistentCacheTaskFailed', kept.uploadPersistentCacheTaskFailed),
    statPersistentCacheTask: counted('statPersistentCacheTask', kept.statPersistentCacheTask),
    deletePersistentCacheTask: counted('deletePersistentCacheTask', kept.deletePersistentCacheTask),
    statPersistentCachePeer: counted('statPersistentCachePeer', kept.statPersistentCachePeer),
    deletePersistentCachePeer: counted('deletePersistentCachePeer', kept.deletePersistentCachePeer),
    announcePersistentCachePeer: kept.announcePersistentCachePeer,

    askProof: counted('askProof', async (request, context: CallContext) => {
      const { hostId, key, last, turnMs } = request;
      requireOwnHost(hostId, context, brain);
      const nothing = { ttlMs: 0, open: false };
      if (last) return { ...nothing, ...brain.proofs.last(key) };
      const open = request.openKey === undefined ? undefined : brain.proofs.last(openKey(request.openKey));
      if (open && open.ttlMs > 0) return { ...open, open: true };
      const told = await brain.proofs.ask(key, { hostId, signal: context.signal, turnMs });
      return { ...nothing, ...told };
    }),

    tellProof: counted('tellProof', ({ hostId, key, proof, ttlMs, open }, context: CallContext) => {
      requireOwnHost(hostId, context, brain);
      if (!open) brain.proofs.tell(key, { hostId, proof, ttlMs });
      else if (requireSeed(context) && proof) brain.proofs.publish(openKey(key), { proof, ttlMs });
      return {};
    }),

    noteObject: counted('noteObject', async ({ hostId, note, key, bucket, partLength }, context: CallContext) => {
      requireOwnHost(hostId, context, brain);
      const { objects } = brain;
      if (note === ObjectNote.CHANGED) await objects.changed(hostId, key, partLength);
      else if (note === ObjectNote.LET_GO) objects.letGo(hostId, key);
      else if (!objects.watch(hostId, [key, bucket]))
        throw new DragonflyError('FAILED_PRECONDITION', `host ${hostId} cannot be told when an object changes`);
      return { partLength: note === ObjectNote.WATCHED ? objects.partLengthOf(key) : 0 };
    }),

    announceTasks: counted('announceTasks', ({ hostId, holdings }, context) => {
      requireOwnHost(hostId, context, brain);
      if (!brain.swarm.host(hostId)) throw notFound('host', hostId);
      // One by one, so that a holding that contradicts what others reported does not discard the host's other holdings.
      const rejected = holdings.filter(
        (holding) => !announceHolding({ brain, replicas }, { hostId, address: context.peerHost }, holding),
      );
      return { rejectedTaskIds: rejected.map(({ taskId }) => taskId) };
    }),
  };
}

async function* countedStream<T>(brain: Brain, answers: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
  brain.metrics.called('announcePeer');
  try {
    yield* answers;
  } catch (error) {
    brain.metrics.callFailed('announcePeer');
    throw error;
  }
}

function announceHolding(
  { brain, replicas }: Pick<SchedulerRpcParts, 'brain' | 'replicas'>,
  { hostId, address }: { readonly hostId: string; readonly address: string },
  holding: TaskHolding,
): boolean {
  const { taskId, peerId, taskMetadata, finished, pieces, kept } = holding;
  // Hosts tell no lists of what they hold.
  const download = { ...(holding.download ?? Download.fromPartial({})), bundle: undefined };
  const contentLengthBytes = taskMetadata?.contentLength;
  if (!taskMetadata || contentLengthBytes === undefined) return false; // nothing can be offered while the length is unknown
  const pieceLengthBytes = taskMetadata.pieceLength || defaultPieceLength(contentLengthBytes);
  try {
    requireShareable(download.url, address);
    requireNameOf(taskId, download);
    if (isOfOthers(brain.facts.get(taskId)?.download, download)) return false;
    const layout = { contentLengthBytes, pieceLengthBytes };
    const pieceCount = Math.ceil(contentLengthBytes / pieceLengthBytes);
    const held = finished ? PieceSet.range(0, pieceCount) : PieceSet.fromBytes(pieces);
    if (kept) replicas.held(fromKeptContent(taskId, kept), hostId, kept.persistent);
    // The task is deleted or has expired, which the host is then told.
    if (kept && !replicas.keeper.get(taskId)) return true;
    const remember = brain.facts.admit(taskId, download, address);
    brain.run(
      (swarm, nowMs) => swarm.announceHeld(hostId, { taskId, peerId, url: download.url, layout, pieces: held }, nowMs),
      () => {
        remember();
        brain.facts.setMetadata(taskId, taskMetadata);
      },
    );
    return brain.swarm.peer(peerId)?.task.id === taskId;
  } catch (error) {
    if (error instanceof DragonflyError) return false;
    throw error;
  }
}

function notFound(what: string, id: string): DragonflyError {
  return new DragonflyError('NOT_FOUND', `this scheduler knows no ${what} ${id}`);
}
