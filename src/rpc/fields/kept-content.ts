/** Imported content as the protocol's extension tells of it, and as the machine of replicas knows it. */
import { DragonflyError } from '../../core/errors.ts';
import type { Duration } from '../../../gen/google/protobuf/duration.ts';
import type { KeptContent } from '../../../gen/common/v2/common.ts';
import type { KeptFacts } from '../../swarm/replicas/kept-task.ts';

/** The URL of imported content, which no origin has. */
export function keptUrl(taskId: string): string {
  return `${keptScheme}//${taskId}`;
}

export function isKeptUrl(url: string): boolean {
  return url.startsWith(`${keptScheme}//`);
}

const keptScheme = 'dfcache:';

export function toKeptContent(facts: KeptFacts, persistent: boolean): KeptContent {
  return {
    replicaCount: facts.replicas,
    createdAt: new Date(facts.createdMs),
    ttl: duration(facts.ttlMs),
    contentLength: facts.contentLengthBytes,
    pieceLength: facts.pieceLengthBytes,
    ...(facts.tag !== undefined && { tag: facts.tag }),
    ...(facts.application !== undefined && { application: facts.application }),
    ...(facts.digest !== undefined && { digest: facts.digest }),
    owner: facts.owner,
    persistent,
  };
}

/** Throws INVALID_ARGUMENT. */
export function fromKeptContent(taskId: string, kept: KeptContent): KeptFacts {
  const { createdAt, ttl, tag, application, digest } = kept;
  if (!createdAt || !Number.isFinite(createdAt.getTime()) || !ttl)
    throw new DragonflyError('INVALID_ARGUMENT', `task ${taskId} is told without its time to live`);
  return {
    taskId,
    replicas: kept.replicaCount,
    createdMs: createdAt.getTime(),
    ttlMs: ttl.seconds * 1000 + ttl.nanos / 1e6,
    contentLengthBytes: kept.contentLength,
    pieceLengthBytes: kept.pieceLength,
    ...(tag !== undefined && { tag }),
    ...(application !== undefined && { application }),
    ...(digest !== undefined && { digest }),
    owner: kept.owner,
  };
}

function duration(ms: number): Duration {
  const seconds = Math.floor(ms / 1000);
  return { seconds, nanos: Math.floor((ms - seconds * 1000) * 1e6) };
}
