/** Tasks and frames in the form of the API. */
import { z } from 'zod';
import { redact } from '../../core/redact.ts';
import type { TaskFrame, TaskSummary } from '../../../gen/scheduler/v2/live.ts';

const count = z.int().min(0);

export const liveTaskSchema = z
  .object({
    id: z.string(),
    scheduler_cluster_id: z.int(),
    url: z.string(),
    tag: z.string(),
    application: z.string(),
    state: z.string(),
    content_length: count.describe('0 while unknown, as the two after it'),
    piece_length: count,
    piece_count: count,
    created_at_ms: count,
    updated_at_ms: count,
    peers: count,
    peers_running: count,
    peers_finished: count,
    peers_failed: count,
    origin_bytes: count.describe('all bytes fetched from the origin, also bytes fetched twice'),
    peer_bytes: count,
  })
  .meta({ id: 'LiveTask' });

export const clusterTrafficSchema = z
  .object({
    scheduler_cluster_id: z.int(),
    origin_bytes: count.describe('since the schedulers of the cluster started'),
    peer_bytes: count,
    hosts: count,
    peers_running: count,
  })
  .meta({ id: 'ClusterTraffic' });

const trafficStep = z
  .object({ at: count, origin_bytes: count, peer_bytes: count })
  .describe('what came since the step before');

export const trafficEventSchema = z
  .object({ at: count, grown: trafficStep, clusters: z.array(clusterTrafficSchema) })
  .meta({ id: 'TrafficEvent' });

export const trafficHistorySchema = z
  .object({ steps: z.array(trafficStep).describe('of the last minutes, oldest first') })
  .meta({ id: 'TrafficHistoryEvent' });

const removedTask = z.object({ id: z.string(), scheduler_cluster_id: z.int() });

export const tasksEventSchema = z
  .object({ changed: z.array(liveTaskSchema), removed: z.array(removedTask) })
  .meta({ id: 'TasksEvent' });

const peerState = z.object({
  id: z.string(),
  host_id: z.string(),
  host_name: z.string(),
  ip: z.string(),
  idc: z.string(),
  location: z.string(),
  type: z.string().describe('seed or normal'),
  state: z.string(),
  finished_pieces: count,
  origin_pieces: count,
  started_at_ms: count,
  finished_at_ms: count.describe('0 while it has not finished'),
});

const pieceLink = z.object({
  parent_id: z.string(),
  child_id: z.string(),
  pieces: count.describe('moved so far'),
  open: z.boolean().describe('still a parent of the child'),
});

export const taskEventSchema = z
  .object({
    task: liveTaskSchema,
    peers: z.array(peerState),
    removed: z.array(z.string()).describe('ids of peers that are gone'),
    links: z.array(pieceLink),
  })
  .meta({ id: 'TaskEvent' });

export type LiveTask = z.output<typeof liveTaskSchema>;
export type ClusterTraffic = z.output<typeof clusterTrafficSchema>;
export type TrafficStep = z.output<typeof trafficStep>;
export type TrafficHistoryEvent = z.output<typeof trafficHistorySchema>;
export type TrafficEvent = z.output<typeof trafficEventSchema>;
export type TasksEvent = z.output<typeof tasksEventSchema>;
export type TaskEvent = z.output<typeof taskEventSchema>;

export function toLiveTask(clusterId: number, task: TaskSummary): LiveTask {
  return {
    id: task.id,
    scheduler_cluster_id: clusterId,
    // Signatures and passwords in URLs are credentials of the downloading user.
    url: redact(task.url),
    tag: task.tag,
    application: task.application,
    state: task.state,
    content_length: task.contentLength,
    piece_length: task.pieceLength,
    piece_count: task.pieceCount,
    created_at_ms: task.createdAtMs,
    updated_at_ms: task.updatedAtMs,
    peers: task.peers,
    peers_running: task.peersRunning,
    peers_finished: task.peersFinished,
    peers_failed: task.peersFailed,
    origin_bytes: task.originBytes,
    peer_bytes: task.peerBytes,
  };
}

/** Merges one task reported by two schedulers of a cluster, as happens while their ring changes. */
export function together(one: LiveTask, other: LiveTask): LiveTask {
  const newer = one.updated_at_ms >= other.updated_at_ms ? one : other;
  return {
    ...newer,
    created_at_ms: Math.min(one.created_at_ms, other.created_at_ms),
    peers: one.peers + other.peers,
    peers_running: one.peers_running + other.peers_running,
    peers_finished: one.peers_finished + other.peers_finished,
    peers_failed: one.peers_failed + other.peers_failed,
    origin_bytes: one.origin_bytes + other.origin_bytes,
    peer_bytes: one.peer_bytes + other.peer_bytes,
  };
}

/** Undefined for a frame without information about its task. */
export function toTaskEvent(clusterId: number, { task, peers, removed, links }: TaskFrame): TaskEvent | undefined {
  if (!task) return undefined;
  return {
    task: toLiveTask(clusterId, task),
    peers: peers.map((peer) => ({
      id: peer.id,
      host_id: peer.hostId,
      host_name: peer.hostName,
      ip: peer.ip,
      idc: peer.idc,
      location: peer.location,
      type: peer.type,
      state: peer.state,
      finished_pieces: peer.finishedPieces,
      origin_pieces: peer.originPieces,
      started_at_ms: peer.startedAtMs,
      finished_at_ms: peer.finishedAtMs,
    })),
    removed,
    links: links.map(({ parentId, childId, pieces, open }) => ({
      parent_id: parentId,
      child_id: childId,
      pieces,
      open,
    })),
  };
}
