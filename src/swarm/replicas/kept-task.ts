/** Facts about imported content that stays in the cluster. */
import { DragonflyError } from '../../core/errors.ts';

/** The object, in an object store, that content belongs to. */
export interface StoredObject {
  readonly url: string;
  readonly region: string;
  readonly endpoint: string;
  /** It is in the store, is being uploaded, or is not to be uploaded. */
  readonly state: ObjectState;
  /** The store's entity tag, where it is known. */
  readonly etag?: string | undefined;
}

export type ObjectState = 'stored' | 'pending' | 'replicas';

/** Reported by the importer, and by every host that holds the content. */
export interface KeptFacts {
  readonly taskId: string;
  /** Hosts that are to hold it. */
  readonly replicas: number;
  /** Wall clock, unix ms; with the time to live it determines when the content expires. */
  readonly createdMs: number;
  readonly ttlMs: number;
  readonly contentLengthBytes: number;
  readonly pieceLengthBytes: number;
  readonly tag?: string | undefined;
  readonly application?: string | undefined;
  /** `algorithm:value` of the whole content; undefined when a daemon of the original imported it. */
  readonly digest?: string | undefined;
  /** The importer: `<user>@<host id>`; empty when unknown. */
  readonly owner: string;
  /** Present for a persistent task; undefined for a persistent cache task. */
  readonly object?: StoredObject | undefined;
}

/** The complete copy that one host holds. */
export interface Replica {
  readonly hostId: string;
  /** The host's collector must not remove it; otherwise it is an ordinary cached copy. */
  persistent: boolean;
  /** It came to be for an import that nobody has acknowledged yet, as far as is known: it goes with it when that fails. */
  imported: boolean;
  /** Since when the host is gone; undefined while it is there. */
  awaySinceMs: number | undefined;
}

export interface KeptTask {
  facts: KeptFacts;
  /** `uploading` until its first holder has all of it. */
  state: 'uploading' | 'succeeded';
  /** The host that imports it, until the import is acknowledged. */
  uploader: string | undefined;
  readonly replicas: Map<string, Replica>;
  /** Hosts that were told to make a replica, or to keep their copy. */
  readonly making: Set<string>;
  /** Hosts that failed to do so, and until when they are not asked again. */
  readonly shunned: Map<string, { readonly untilMs: number; readonly failures: number }>;
  /** Since when no host can be found for a replica that somebody waits for. */
  stuckSinceMs: number | undefined;
  /** When a holder, rather than the importer, first reported it. */
  adoptedMs: number | undefined;
  updatedMs: number;
}

/** Content that its store does not have yet never expires. */
export function expiresMs({ createdMs, ttlMs, object }: Pick<KeptFacts, 'createdMs' | 'ttlMs' | 'object'>): number {
  return object?.state === 'pending' ? Number.POSITIVE_INFINITY : createdMs + ttlMs;
}

/** What is known when another side tells of the same task: an object that is in its store stays there, and a longer time was promised to somebody. */
export function withNews(known: KeptFacts, told: KeptFacts): KeptFacts {
  const facts =
    known.object?.state === 'pending' && told.object?.state === 'stored' ? { ...known, object: told.object } : known;
  if (told.createdMs + told.ttlMs <= known.createdMs + known.ttlMs) return facts;
  return { ...facts, createdMs: told.createdMs, ttlMs: told.ttlMs };
}

/** Hosts that are online and exempt the task from their disk collector. */
export function persistentHosts(task: Pick<KeptTask, 'replicas'>): string[] {
  return [...task.replicas.values()].flatMap(({ hostId, persistent, awaySinceMs }) =>
    persistent && awaySinceMs === undefined ? [hostId] : [],
  );
}

/** All online hosts that hold it. */
export function presentHosts(task: Pick<KeptTask, 'replicas'>): string[] {
  return [...task.replicas.values()].flatMap(({ hostId, awaySinceMs }) => (awaySinceMs === undefined ? [hostId] : []));
}

/** Throws INVALID_ARGUMENT. */
export function requireSame(known: KeptFacts, told: KeptFacts): void {
  const same =
    known.contentLengthBytes === told.contentLengthBytes &&
    known.pieceLengthBytes === told.pieceLengthBytes &&
    known.object?.url === told.object?.url &&
    (known.digest === undefined || told.digest === undefined || known.digest === told.digest);
  if (same) return;
  throw new DragonflyError('INVALID_ARGUMENT', `task ${told.taskId} is something else on the hosts that hold it`);
}
