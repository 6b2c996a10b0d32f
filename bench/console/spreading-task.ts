/**
 * A scheduler as the manager's live view sees it, with one task that thousands of peers are getting: the load of the
 * benchmark. Each interval every peer gets some pieces from a few others, about as fast as a real swarm would.
 */
import { RpcServer } from '../../src/rpc/server/server.ts';
import {
  SchedulerLiveDefinition,
  TaskFrame,
  TasksFrame,
  type Link,
  type PeerState,
  type TaskSummary,
} from '../../gen/scheduler/v2/live.ts';
import { setTimeout as delay } from 'node:timers/promises';

export const taskId = 'ab'.repeat(32);
const pieceLength = 4 * 1024 * 1024;
const pieceCount = 2_560;
const piecesPerFrame = 12;
const parentsPerPeer = 4;
const zones = 12;

export async function startScheduler(peerCount: number): Promise<RpcServer> {
  const server = RpcServer.create({ host: '127.0.0.1', port: 0 });
  server.addService(SchedulerLiveDefinition, {
    watchTasks: async function* (_request, { signal }) {
      while (!signal.aborted) {
        yield TasksFrame.fromPartial({
          snapshot: true,
          tasks: [summary(peerCount, 0)],
          hosts: peerCount,
          peersRunning: peerCount,
        });
        await delay(1_000, undefined, { signal }).catch(() => undefined);
      }
    },
    watchTask: async function* ({ intervalMs }, { signal }) {
      for (let frame = 0; !signal.aborted; frame += 1) {
        const pieces = (frame * piecesPerFrame) % pieceCount;
        yield TaskFrame.fromPartial({
          snapshot: frame === 0,
          task: summary(peerCount, pieces),
          peers: Array.from({ length: peerCount }, (_, index) => peer(index, pieces)),
          links: Array.from({ length: peerCount }, (_, index) => links(index, peerCount, pieces)).flat(),
        });
        await delay(intervalMs, undefined, { signal }).catch(() => undefined);
      }
    },
  });
  await server.start();
  return server;
}

function summary(peers: number, pieces: number): TaskSummary {
  return {
    id: taskId,
    url: 'https://models.example.com/large.bin',
    tag: '',
    application: '',
    state: 'Running',
    contentLength: pieceCount * pieceLength,
    pieceLength,
    pieceCount,
    createdAtMs: Date.now(),
    updatedAtMs: Date.now(),
    peers,
    peersRunning: peers,
    peersFinished: 0,
    peersFailed: 0,
    originBytes: pieces * pieceLength,
    peerBytes: pieces * peers * pieceLength,
  };
}

function peer(index: number, pieces: number): PeerState {
  return {
    id: `peer-${index}`,
    hostId: `host-${index}`,
    hostName: `node-${index}.example.com`,
    ip: `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`,
    idc: `idc-${index % zones}`,
    location: '',
    type: index < zones ? 'seed' : 'normal',
    state: 'Running',
    finishedPieces: pieces,
    originPieces: index < zones ? Math.floor(pieces / zones) : 0,
    startedAtMs: 0,
    finishedAtMs: 0,
  };
}

function links(index: number, peerCount: number, pieces: number): Link[] {
  return Array.from({ length: parentsPerPeer }, (_, nth) => ({
    parentId: `peer-${(index * 7 + nth * 131 + 1) % peerCount}`,
    childId: `peer-${index}`,
    pieces: Math.floor(pieces / parentsPerPeer),
    open: true,
  }));
}
