/** Converts imported content between the protocol's extension and the types of the replica keeper. */
import { DragonflyError } from '../../core/errors.ts';
import { persistentTaskId } from '../../core/ids.ts';
import { redact } from '../../core/redact.ts';
import type { Duration } from '../../../gen/google/protobuf/duration.ts';
import type { KeptContent, StoredObject as ObjectMessage } from '../../../gen/common/v2/common.ts';
import type { KeptFacts, ObjectState, StoredObject } from '../../swarm/replicas/kept-task.ts';

/** URL under which the swarm knows imported content, which has no origin. */
export function keptUrl({ taskId, object }: Pick<KeptFacts, 'taskId' | 'object'>): string {
  return `${object ? storeScheme : cacheScheme}//${taskId}`;
}

export function isKeptUrl(url: string): boolean {
  return url.startsWith(`${cacheScheme}//`) || isStoreUrl(url);
}

/** Of a persistent task. */
export function isStoreUrl(url: string): boolean {
  return url.startsWith(`${storeScheme}//`);
}

const cacheScheme = 'dfcache:';
const storeScheme = 'dfstore:';

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
    object: facts.object && toObjectMessage(facts.object),
  };
}

/** Throws INVALID_ARGUMENT. */
export function fromKeptContent(taskId: string, kept: KeptContent): KeptFacts {
  const { createdAt, ttl, tag, application, digest } = kept;
  if (!createdAt || !Number.isFinite(createdAt.getTime()) || !ttl)
    throw new DragonflyError('INVALID_ARGUMENT', `task ${taskId} is told without its time to live`);
  if (kept.object && persistentTaskId(kept.object) !== taskId)
    throw new DragonflyError('INVALID_ARGUMENT', `task ${taskId} is not that of ${redact(kept.object.url)}`);
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
    ...(kept.object && { object: fromObjectMessage(kept.object) }),
  };
}

function toObjectMessage({ etag = '', ...object }: StoredObject): ObjectMessage {
  return { ...object, etag };
}

/** Validation has already checked the state. */
function fromObjectMessage({ url, region, endpoint, state, etag }: ObjectMessage): StoredObject {
  return { url, region, endpoint, state: state as ObjectState, ...(etag !== '' && { etag }) };
}

function duration(ms: number): Duration {
  const seconds = Math.floor(ms / 1000);
  return { seconds, nanos: Math.floor((ms - seconds * 1000) * 1e6) };
}
