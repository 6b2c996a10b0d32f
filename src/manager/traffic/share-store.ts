/**
 * Who got how much in the past: applications, tags, zones, nodes and origins, by hours of a month and by days and weeks
 * of a year. Weeks make long sums cheap: a year of five thousand nodes is two million days.
 */
import { sql, type Transaction } from 'kysely';
import type { Database } from '../db/database.ts';
import type { Schema } from '../db/schema.ts';
import { maxNamesPerStep, maxNodesPerStep, sharesPerStatement, trafficKeptMs } from '../limits.ts';
import { spanMs } from './traffic-store.ts';

export const shareKinds = ['application', 'tag', 'zone', 'node', 'origin'] as const;
export type ShareKind = (typeof shareKinds)[number];

const spans = ['hour', 'day', 'week'] as const;
type StoredSpan = (typeof spans)[number];
/** Lengths of steps that are shown. */
export type ShareSpan = Exclude<StoredSpan, 'week'>;
const lengthMs: Readonly<Record<StoredSpan, number>> = { hour: spanMs.hour, day: spanMs.day, week: 7 * spanMs.day };

export interface ShareFigures {
  readonly originBytes: number;
  readonly peerBytes: number;
  /** For a node: what it gave to others. */
  readonly givenBytes: number;
  readonly downloads: number;
  readonly failures: number;
}

export interface ShareGrowth extends ShareFigures {
  readonly clusterId: number;
  readonly kind: ShareKind;
  /** Empty for downloads without one. */
  readonly name: string;
  readonly atMs: number;
}

export interface NamedShare extends ShareFigures {
  readonly name: string;
}

export interface ShareStep extends ShareFigures {
  readonly clusterId: number;
  /** Beginning of the hour or day (UTC). */
  readonly atMs: number;
}

export interface ShareRange {
  readonly kind: ShareKind;
  readonly fromMs: number;
  readonly toMs: number;
  /** Undefined: all together. */
  readonly clusterId: number | undefined;
}

export type ShareOrder = 'bytes' | 'given' | 'failures';

/** The combined entry of names beyond the limit. */
const othersName = '*';
const maxNameLength = 255;

const columns = ['origin_bytes', 'peer_bytes', 'given_bytes', 'downloads', 'failures'] as const;
type Column = (typeof columns)[number];
type Figures = Record<Column, number>;

export class ShareStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Only one replica at a time may call this, since it adds to existing sums. */
  async add(growth: readonly ShareGrowth[]): Promise<void> {
    for (const span of spans) {
      const steps = Map.groupBy(
        growth,
        ({ clusterId, kind, atMs }) => `${clusterId} ${kind} ${Math.floor(atMs / lengthMs[span])}`,
      );
      for (const [key, ofStep] of steps) {
        const [clusterId = '', kind = '', step = ''] = key.split(' ');
        const place = { clusterId: Number(clusterId), kind, span, atMs: Number(step) * lengthMs[span] };
        await this.#database.transaction((db) => addStep(db, place, sums(ofStep)));
      }
    }
  }

  /** The largest first. */
  async top(range: ShareRange, { order, limit }: { order: ShareOrder; limit: number }): Promise<NamedShare[]> {
    const weight = {
      bytes: sql<number>`sum(origin_bytes + peer_bytes)`,
      given: sql<number>`sum(given_bytes)`,
      failures: sql<number>`sum(failures)`,
    }[order];
    const rows = await this.#within(range)
      .select((e) => ['name', ...columns.map((column) => e.fn.sum(column).as(column))])
      .groupBy('name')
      .orderBy(weight, 'desc')
      .orderBy('name')
      .limit(limit)
      .execute();
    return rows.map((row) => ({ name: row.name, ...figuresOf(row as unknown as Figures) }));
  }

  /** Only these names, in no particular order. */
  async named(range: ShareRange, names: readonly string[]): Promise<NamedShare[]> {
    if (names.length === 0) return [];
    const rows = await this.#within(range)
      .select((e) => ['name', ...columns.map((column) => e.fn.sum(column).as(column))])
      .where('name', 'in', names)
      .groupBy('name')
      .execute();
    return rows.map((row) => ({ name: row.name, ...figuresOf(row as unknown as Figures) }));
  }

  /** The total. Every byte belongs to one zone, so the zones add up to it. */
  async total(range: ShareRange): Promise<ShareFigures> {
    const row = await this.#within(range)
      .select((e) => columns.map((column) => e.fn.sum(column).as(column)))
      .executeTakeFirst();
    return figuresOf(row ?? {});
  }

  /** Non-empty steps of one name, oldest first. */
  async steps(range: ShareRange, span: ShareSpan, name: string): Promise<ShareStep[]> {
    const { kind, fromMs, toMs, clusterId } = range;
    const rows = await this.#part(kind, clusterId, { span, fromMs: startOf(fromMs, span), toMs })
      .select(['scheduler_cluster_id', 'at', ...columns])
      .where('name', '=', name)
      .orderBy('at')
      .orderBy('scheduler_cluster_id')
      .execute();
    return rows.map((row) => ({ clusterId: row.scheduler_cluster_id, atMs: row.at, ...figuresOf(row) }));
  }

  async prune(nowMs: number): Promise<void> {
    for (const span of spans) {
      for (const kind of shareKinds) {
        await this.#database.db
          .deleteFrom('traffic_share')
          .where('kind', '=', kind)
          .where('span', '=', span)
          .where('at', '<', nowMs - trafficKeptMs[span === 'hour' ? 'hour' : 'day'])
          .execute();
      }
    }
  }

  /** A union instead of "or", so that every engine uses the index for each part. */
  #within({ kind, fromMs, toMs, clusterId }: ShareRange) {
    const [first, ...others] = stepsOf(fromMs, toMs).map((part) =>
      this.#part(kind, clusterId, part).select(['name', ...columns]),
    );
    if (first === undefined) throw new RangeError('no time at all');
    const all = others.reduce((query, part) => query.unionAll(part), first);
    return this.#database.db.selectFrom(all.as('step'));
  }

  #part(kind: ShareKind, clusterId: number | undefined, { span, fromMs, toMs }: StepRange) {
    return this.#of(kind, clusterId).where('span', '=', span).where('at', '>=', fromMs).where('at', '<', toMs);
  }

  #of(kind: ShareKind, clusterId: number | undefined) {
    const query = this.#database.db.selectFrom('traffic_share').where('kind', '=', kind);
    return clusterId === undefined ? query : query.where('scheduler_cluster_id', '=', clusterId);
  }
}

interface StepRange {
  readonly span: StoredSpan;
  readonly fromMs: number;
  readonly toMs: number;
}

/** The fewest stored steps that cover a time exactly once: whole weeks within it, and days before and after them. */
export function stepsOf(fromMs: number, toMs: number): readonly StepRange[] {
  const span = spanOf(fromMs, toMs);
  const firstMs = startOf(fromMs, span);
  if (span === 'hour') return [{ span, fromMs: firstMs, toMs }];
  const weeksFromMs = startOf(firstMs + lengthMs.week - 1, 'week');
  const weeksToMs = startOf(toMs, 'week');
  if (weeksToMs <= weeksFromMs) return [{ span, fromMs: firstMs, toMs }];
  return [
    { span, fromMs: firstMs, toMs: weeksFromMs },
    { span: 'week' as const, fromMs: weeksFromMs, toMs: weeksToMs },
    { span, fromMs: weeksToMs, toMs },
  ].filter((part) => part.toMs > part.fromMs);
}

function startOf(atMs: number, span: StoredSpan): number {
  return Math.floor(atMs / lengthMs[span]) * lengthMs[span];
}

/** Hours for short recent times, days for the rest. */
export function spanOf(fromMs: number, toMs: number): ShareSpan {
  const isRecent = Date.now() - fromMs < trafficKeptMs.hour - spanMs.day;
  return isRecent && toMs - fromMs <= 3 * spanMs.day + spanMs.hour ? 'hour' : 'day';
}

interface Place {
  readonly clusterId: number;
  readonly kind: string;
  readonly span: StoredSpan;
  readonly atMs: number;
}

async function addStep(db: Transaction<Schema>, place: Place, grown: ReadonlyMap<string, Figures>): Promise<void> {
  const { clusterId, kind, span, atMs } = place;
  const where = { scheduler_cluster_id: clusterId, kind, span, at: atMs };
  const own = () =>
    db
      .selectFrom('traffic_share')
      .where('kind', '=', kind)
      .where('span', '=', span)
      .where('at', '=', atMs)
      .where('scheduler_cluster_id', '=', clusterId);
  const known = new Set<string>();
  for (const names of chunks([...grown.keys(), othersName], sharesPerStatement)) {
    const rows = await own().select('name').where('name', 'in', names).execute();
    for (const { name } of rows) known.add(name);
  }
  const { count } = await own()
    .select((e) => e.fn.countAll().as('count'))
    .executeTakeFirstOrThrow();
  const room = (kind === 'node' ? maxNodesPerStep : maxNamesPerStep) - Number(count);
  const newNames = [...grown.keys()].filter((name) => !known.has(name));
  const apart = new Set(newNames.slice(0, Math.max(0, room)));
  const settled = new Map<string, Figures>();
  for (const [name, figures] of grown) {
    const at = known.has(name) || apart.has(name) ? name : othersName;
    settled.set(at, together(settled.get(at), figures));
  }
  for (const [name, figures] of settled) {
    if (!known.has(name)) continue;
    await db
      .updateTable('traffic_share')
      .set((e) => Object.fromEntries(columns.map((column) => [column, e(column, '+', figures[column])])))
      .where('kind', '=', kind)
      .where('span', '=', span)
      .where('at', '=', atMs)
      .where('scheduler_cluster_id', '=', clusterId)
      .where('name', '=', name)
      .execute();
  }
  const rows = [...settled]
    .filter(([name]) => !known.has(name))
    .map(([name, figures]) => ({ ...where, name, ...figures }));
  for (const part of chunks(rows, sharesPerStatement)) await db.insertInto('traffic_share').values(part).execute();
}

function sums(growth: readonly ShareGrowth[]): Map<string, Figures> {
  const byName = new Map<string, Figures>();
  for (const { name, originBytes, peerBytes, givenBytes, downloads, failures } of growth) {
    const key = name.slice(0, maxNameLength);
    const figures = {
      origin_bytes: originBytes,
      peer_bytes: peerBytes,
      given_bytes: givenBytes,
      downloads,
      failures,
    };
    byName.set(key, together(byName.get(key), figures));
  }
  return byName;
}

function together(one: Figures | undefined, other: Figures): Figures {
  if (!one) return other;
  return {
    origin_bytes: one.origin_bytes + other.origin_bytes,
    peer_bytes: one.peer_bytes + other.peer_bytes,
    given_bytes: one.given_bytes + other.given_bytes,
    downloads: one.downloads + other.downloads,
    failures: one.failures + other.failures,
  };
}

/** Empty sums are null, and some engines return sums as text. */
function figuresOf(row: Partial<Record<Column, number | string | bigint | null>>): ShareFigures {
  return {
    originBytes: Number(row.origin_bytes ?? 0),
    peerBytes: Number(row.peer_bytes ?? 0),
    givenBytes: Number(row.given_bytes ?? 0),
    downloads: Number(row.downloads ?? 0),
    failures: Number(row.failures ?? 0),
  };
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_none, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
