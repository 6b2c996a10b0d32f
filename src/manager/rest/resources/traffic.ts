/** `/traffic`: what nodes got in the past and from where, as steps and as a table. */
import { z } from 'zod';
import { DragonflyError } from '../../../core/errors.ts';
import { maxTrafficSteps } from '../../limits.ts';
import { spanMs, trafficSpans, type TrafficRange, type TrafficRow } from '../../traffic/traffic-store.ts';
import { csv } from '../csv.ts';
import type { RestParts } from '../parts.ts';
import type { RestApp, RouteAccess } from '../request.ts';
import { idSchema } from '../schemas.ts';

const count = z.int().min(0);

const stepSchema = z
  .object({
    scheduler_cluster_id: z.int(),
    at_ms: count.describe('beginning of the minute, hour or day (UTC)'),
    origin_bytes: count,
    peer_bytes: count,
    downloads: count.describe('that were finished'),
  })
  .meta({ id: 'TrafficOfStep' });

const query = z.object({
  span: z.enum(trafficSpans).default('hour').describe('kept: minutes for a day, hours for a month, days for a year'),
  from_ms: z.coerce
    .number()
    .int()
    .min(0)
    .optional()
    .describe('by default as far back as steps of this span are kept, at most 1440 steps'),
  to_ms: z.coerce.number().int().min(0).optional(),
  scheduler_cluster_id: idSchema.optional(),
});

export function trafficRoutes(
  app: RestApp,
  { history: { traffic } }: Pick<RestParts, 'history'>,
  access: RouteAccess,
): void {
  const config = { access };
  app.get(
    '/traffic',
    {
      config,
      schema: {
        summary: 'What nodes got, by source and time; steps in which nothing came are left out',
        querystring: query,
        response: { 200: z.array(stepSchema) },
      },
    },
    async (request) => (await traffic.read(rangeOf(request.query))).map(toJson),
  );
  app.get(
    '/traffic/csv',
    {
      config,
      schema: { summary: 'The same as a table', querystring: query, response: { 200: z.string() } },
      serializerCompiler: () => String,
    },
    async (request, reply) => {
      const rows = await traffic.read(rangeOf(request.query));
      void reply
        .type('text/csv; charset=utf-8')
        .header('content-disposition', `attachment; filename="traffic-${request.query.span}.csv"`);
      return toCsv(rows);
    },
  );
}

function rangeOf(given: z.output<typeof query>): TrafficRange {
  const { span, to_ms: toMs = Date.now() + 1, scheduler_cluster_id: clusterId } = given;
  const { from_ms: fromMs = Math.max(0, toMs - maxTrafficSteps * spanMs[span]) } = given;
  if ((toMs - fromMs) / spanMs[span] > maxTrafficSteps + 1)
    throw new DragonflyError('INVALID_ARGUMENT', `that are more than ${maxTrafficSteps} steps of one ${span}`, {
      hint: 'Ask for a shorter time, or for longer steps.',
    });
  return { span, fromMs, toMs, clusterId };
}

function toJson({ clusterId, atMs, originBytes, peerBytes, downloads }: TrafficRow): z.output<typeof stepSchema> {
  return {
    scheduler_cluster_id: clusterId,
    at_ms: atMs,
    origin_bytes: originBytes,
    peer_bytes: peerBytes,
    downloads,
  };
}

function toCsv(rows: readonly TrafficRow[]): string {
  return csv(
    ['time', 'scheduler_cluster_id', 'origin_bytes', 'peer_bytes', 'downloads'],
    rows.map(({ clusterId, atMs, originBytes, peerBytes, downloads }) => [
      new Date(atMs).toISOString(),
      clusterId,
      originBytes,
      peerBytes,
      downloads,
    ]),
  );
}
