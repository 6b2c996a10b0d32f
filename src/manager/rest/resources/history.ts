/** `/traffic/…`: who got how much in the past, how distributions went, and a monthly report. */
import { z } from 'zod';
import type { Recording } from '../../../../gen/scheduler/v2/live.ts';
import { DragonflyError } from '../../../core/errors.ts';
import { maxSharesShown } from '../../limits.ts';
import {
  distributionOrders,
  type DistributionFilter,
  type DistributionRow,
  type HotTask,
} from '../../traffic/distribution-store.ts';
import { shareKinds, spanOf, type NamedShare, type ShareFigures, type ShareRange } from '../../traffic/share-store.ts';
import { spanMs } from '../../traffic/traffic-store.ts';
import { csv } from '../csv.ts';
import { pageQuery, setPageHeaders, toPage } from '../paging.ts';
import type { History } from '../parts.ts';
import type { RestApp, RouteAccess } from '../request.ts';
import { idSchema } from '../schemas.ts';
import {
  type distributionSchema,
  type figuresSchema,
  hotTaskSchema,
  listedDistributionSchema,
  recordingSchema,
  reportSchema,
  type shareSchema,
  sharesSchema,
  shareStepSchema,
} from './history-schemas.ts';

const instant = z.coerce.number().int().min(0).optional();
const range = {
  from_ms: instant.describe('by default a week ago'),
  to_ms: instant,
  scheduler_cluster_id: idSchema.optional(),
};
const kind = z.enum(shareKinds).describe('zone: a data centre');
const sharesQuery = z.object({
  ...range,
  by: kind,
  order: z.enum(['bytes', 'given', 'failures']).default('bytes'),
  limit: z.coerce.number().int().min(1).max(maxSharesShown).default(20),
  name: z.string().max(255).optional().describe('only the one of this name'),
});
const distributionsQuery = z.object({
  ...pageQuery,
  ...range,
  task_id: z
    .string()
    .regex(/^[0-9a-f]{1,64}$/)
    .optional()
    .describe('its first digits are enough'),
  url: z.string().max(2048).optional().describe('part of it'),
  application: z.string().max(255).optional(),
  tag: z.string().max(255).optional(),
  sort: z.enum(distributionOrders).default('ended'),
});

const dayMs = 86_400_000;
const weekMs = 7 * dayMs;
const reportRows = 10;

export function historyRoutes(app: RestApp, history: History, access: RouteAccess): void {
  shareRoutes(app, history, access);
  distributionRoutes(app, history, access);
  app.get(
    '/traffic/report',
    {
      config: { access },
      schema: {
        summary: 'A month in one answer',
        querystring: z.object({
          month: z
            .string()
            .regex(/^\d{4}-(0[1-9]|1[0-2])$/)
            .optional()
            .describe('like 2026-11, by default the one that is now (UTC)'),
          scheduler_cluster_id: idSchema.optional(),
        }),
        response: { 200: reportSchema },
      },
    },
    (request) => report(history, request.query.month ?? monthOf(Date.now()), request.query.scheduler_cluster_id),
  );
}

function shareRoutes(app: RestApp, { shares }: History, access: RouteAccess): void {
  const config = { access };
  const answer = async (query: z.output<typeof sharesQuery>): Promise<z.output<typeof sharesSchema>> => {
    const wanted = rangeOf(query, query.by);
    const lengthMs = wanted.toMs - wanted.fromMs;
    const earlier = { ...wanted, fromMs: Math.max(0, wanted.fromMs - lengthMs), toMs: wanted.fromMs };
    const all = (of: ShareRange): Promise<ShareFigures> => shares.total({ ...of, kind: 'zone' });
    const [total, before, found] = await Promise.all([
      all(wanted),
      all(earlier),
      query.name === undefined ? shares.top(wanted, query) : shares.named(wanted, [query.name]),
    ]);
    return {
      from_ms: wanted.fromMs,
      to_ms: wanted.toMs,
      total: toFigures(total),
      before: toFigures(before),
      shares: await compared(shares, found, earlier),
    };
  };
  app.get(
    '/traffic/shares',
    {
      config,
      schema: {
        summary: 'Who got how much, beside the time before',
        querystring: sharesQuery,
        response: { 200: sharesSchema },
      },
    },
    (request) => answer(request.query),
  );
  app.get(
    '/traffic/shares/csv',
    {
      config,
      schema: { summary: 'The same as a table', querystring: sharesQuery, response: { 200: z.string() } },
      serializerCompiler: () => String,
    },
    async (request, reply) => {
      const { shares: rows } = await answer(request.query);
      const columns = ['origin_bytes', 'peer_bytes', 'given_bytes', 'downloads', 'failures'] as const;
      void reply
        .type('text/csv; charset=utf-8')
        .header('content-disposition', `attachment; filename="traffic-by-${request.query.by}.csv"`);
      return csv(
        [request.query.by, ...columns, ...columns.map((column) => `${column}_before`)],
        rows.map((row) => [
          row.name,
          ...columns.map((column) => row[column]),
          ...columns.map((column) => row.before[column]),
        ]),
      );
    },
  );
  app.get(
    '/traffic/shares/steps',
    {
      config,
      schema: {
        summary: 'One of them by hours, or by days when the time is longer than three days or more than a month ago',
        querystring: z.object({ ...range, by: kind, name: z.string().max(255) }),
        response: { 200: z.array(shareStepSchema) },
      },
    },
    async (request) => {
      const wanted = rangeOf(request.query, request.query.by);
      const steps = await shares.steps(wanted, spanOf(wanted.fromMs, wanted.toMs), request.query.name);
      return steps.map(({ clusterId, atMs, ...rest }) => ({
        scheduler_cluster_id: clusterId,
        at_ms: atMs,
        ...toFigures(rest),
      }));
    },
  );
}

function distributionRoutes(app: RestApp, { distributions, recordings }: History, access: RouteAccess): void {
  const config = { access };
  app.get(
    '/traffic/distributions',
    {
      config,
      schema: {
        summary: 'Distributions of the past, the latest first unless another order is asked for',
        querystring: distributionsQuery,
        response: { 200: z.array(listedDistributionSchema) },
      },
    },
    async (request, reply) => {
      const page = toPage(request.query);
      const { rows, total } = await distributions.list(filterOf(request.query), request.query.sort, page);
      setPageHeaders(request, reply, page, total);
      const recorded = await recordings.known(rows.map(({ id }) => id));
      return rows.map((row) => ({ ...toDistribution(row), recorded: recorded.has(row.id) }));
    },
  );
  app.get(
    '/traffic/distributions/:id/recording',
    {
      config,
      schema: {
        summary: 'How the pieces of one of them moved; the last ones of several nodes have it',
        params: z.object({ id: idSchema }),
        response: { 200: recordingSchema },
      },
    },
    async ({ params: { id } }) => {
      const [row, recording] = await Promise.all([distributions.one(id), recordings.of(id)]);
      if (!row || !recording) throw new DragonflyError('NOT_FOUND', `there is no recording of a distribution ${id}`);
      return toRecording(row, recording);
    },
  );
  app.get(
    '/traffic/tasks',
    {
      config,
      schema: {
        summary: 'Tasks that were asked for most',
        querystring: z.object({
          ...range,
          application: z.string().max(255).optional(),
          limit: z.coerce.number().int().min(1).max(maxSharesShown).default(20),
        }),
        response: { 200: z.array(hotTaskSchema) },
      },
    },
    async (request) => (await distributions.hot(filterOf(request.query), request.query.limit)).map(toHotTask),
  );
}

async function report(
  { shares, distributions }: History,
  month: string,
  clusterId: number | undefined,
): Promise<z.output<typeof reportSchema>> {
  const fromMs = Date.parse(`${month}-01T00:00:00Z`);
  const begin = new Date(fromMs);
  const toMs = Date.UTC(begin.getUTCFullYear(), begin.getUTCMonth() + 1, 1);
  const beforeMs = Date.UTC(begin.getUTCFullYear(), begin.getUTCMonth() - 1, 1);
  const of = (by: ShareRange['kind']): ShareRange => ({ kind: by, fromMs, toMs, clusterId });
  const earlier = (by: ShareRange['kind']): ShareRange => ({ kind: by, fromMs: beforeMs, toMs: fromMs, clusterId });
  const top = async (by: ShareRange['kind'], order: 'bytes' | 'given' | 'failures') => {
    const found = await shares.top(of(by), { order, limit: reportRows });
    const meant = order === 'failures' ? found.filter(({ failures }) => failures > 0) : found;
    return compared(shares, meant, earlier(by));
  };
  const filter = { fromMs, toMs, clusterId };
  return {
    month,
    from_ms: fromMs,
    to_ms: toMs,
    total: toFigures(await shares.total(of('zone'))),
    before: toFigures(await shares.total(earlier('zone'))),
    applications: await top('application', 'bytes'),
    zones: await top('zone', 'bytes'),
    nodes: await top('node', 'given'),
    dragging: await top('node', 'failures'),
    origins: await top('origin', 'bytes'),
    failing_origins: await top('origin', 'failures'),
    tasks: (await distributions.hot(filter, reportRows)).map(toHotTask),
    slowest: (await distributions.list(filter, 'slowest', { page: 1, perPage: reportRows })).rows.map(toDistribution),
  };
}

async function compared(
  shares: History['shares'],
  found: readonly NamedShare[],
  earlier: ShareRange,
): Promise<z.output<typeof shareSchema>[]> {
  const known = await shares.named(
    earlier,
    found.map(({ name }) => name),
  );
  const before = new Map(known.map((share) => [share.name, share]));
  return found.map(({ name, ...now }) => ({
    name,
    ...toFigures(now),
    before: toFigures(before.get(name) ?? nothingYet),
  }));
}

const nothingYet: ShareFigures = { originBytes: 0, peerBytes: 0, givenBytes: 0, downloads: 0, failures: 0 };

interface Times {
  readonly from_ms?: number | undefined;
  readonly to_ms?: number | undefined;
  readonly scheduler_cluster_id?: number | undefined;
}

function rangeOf(
  { from_ms: from, to_ms: to, scheduler_cluster_id: clusterId }: Times,
  by: ShareRange['kind'],
): ShareRange {
  const toMs = to ?? Date.now() + 1;
  const fromMs = from ?? Math.max(0, toMs - weekMs);
  if (fromMs >= toMs) throw new DragonflyError('INVALID_ARGUMENT', 'that time ends before it begins');
  // A step that has begun counts entirely for this time, and not also for the time before.
  const stepMs = spanMs[spanOf(fromMs, toMs)];
  return { kind: by, fromMs: Math.floor(fromMs / stepMs) * stepMs, toMs, clusterId };
}

function filterOf(
  given: Times & {
    readonly task_id?: string | undefined;
    readonly url?: string | undefined;
    readonly application?: string | undefined;
    readonly tag?: string | undefined;
  },
): DistributionFilter {
  return {
    fromMs: given.from_ms,
    toMs: given.to_ms,
    clusterId: given.scheduler_cluster_id,
    taskId: given.task_id,
    url: given.url,
    application: given.application,
    tag: given.tag,
  };
}

function monthOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 7);
}

function toFigures(of: ShareFigures): z.output<typeof figuresSchema> {
  return {
    origin_bytes: of.originBytes,
    peer_bytes: of.peerBytes,
    given_bytes: of.givenBytes,
    downloads: of.downloads,
    failures: of.failures,
  };
}

function toDistribution(row: DistributionRow): z.output<typeof distributionSchema> {
  return {
    id: row.id,
    scheduler_cluster_id: row.scheduler_cluster_id,
    task_id: row.task_id,
    url: row.url,
    tag: row.tag,
    application: row.application,
    content_length: row.content_length,
    started_at_ms: row.started_at,
    ended_at_ms: row.ended_at,
    downloads: row.downloads,
    failures: row.failures,
    origin_bytes: row.origin_bytes,
    peer_bytes: row.peer_bytes,
    last_node: row.last_node,
    slowest_ms: row.slowest,
    median_ms: row.median,
    copies: row.content_length === 0 ? 0 : Math.round((100 * row.origin_bytes) / row.content_length) / 100,
  };
}

function toRecording(row: DistributionRow, recording: Recording): z.output<typeof recordingSchema> {
  return {
    distribution: toDistribution(row),
    piece_length: recording.pieceLength,
    piece_count: recording.pieceCount,
    step_ms: recording.stepMs,
    peers: recording.peers.map((peer) => ({
      host_name: peer.hostName,
      ip: peer.ip,
      idc: peer.idc,
      type: peer.type,
      began_ms: peer.beganMs,
      ended_ms: peer.endedMs,
      failed: peer.failed,
      held_before: peer.heldBefore,
    })),
    moves: recording.moves,
  };
}

function toHotTask({ taskId, originBytes, peerBytes, contentLength, lastMs, ...rest }: HotTask) {
  return {
    ...rest,
    task_id: taskId,
    origin_bytes: originBytes,
    peer_bytes: peerBytes,
    content_length: contentLength,
    last_ms: lastMs,
  };
}
