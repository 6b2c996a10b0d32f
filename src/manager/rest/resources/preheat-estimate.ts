/** `/jobs/estimate`: the cost of a preheat before it is started. */
import { z } from 'zod';
import { estimateTimeoutMs } from '../../limits.ts';
import { preheatArgs } from '../../jobs/job-types.ts';
import { estimatePreheat } from '../../jobs/preheat-estimate.ts';
import type { RestParts } from '../parts.ts';
import type { RestApp, RouteAccess } from '../request.ts';
import { idSchema } from '../schemas.ts';
import { checkedArgs } from './jobs.ts';

const bytes = z.int().min(0);
const estimateSchema = z
  .object({
    nodes: z.int(),
    clusters: z.array(z.object({ id: z.int(), nodes: z.int() })),
    items: z.int().describe('files, or manifests and blobs'),
    content_bytes: bytes.describe('of those whose length is known'),
    unknown_items: z.int().describe('those whose length nobody told'),
    origin_bytes: bytes.describe('once for each cluster in which nobody holds it'),
    node_bytes: bytes.describe('what all nodes get together, at most'),
    too_full: z.array(z.string()).describe('names of nodes with less room on their disk'),
  })
  .meta({ id: 'PreheatEstimate' });

export function preheatEstimateRoutes(
  app: RestApp,
  { jobs, live, nodes }: Pick<RestParts, 'jobs' | 'live' | 'nodes'>,
  access: RouteAccess,
): void {
  const parts = { preheat: jobs.preheat, liveTasks: () => live.tasks(), nodes: () => nodes.list() };
  app.post(
    '/jobs/estimate',
    {
      config: { access },
      schema: {
        summary: 'What a preheat would cost: nothing is fetched but manifests',
        body: z
          .object({
            args: z.looseObject({}),
            scheduler_cluster_ids: z
              .array(idSchema)
              .max(1_000)
              .nullish()
              .transform((ids) => ids ?? []),
          })
          .meta({ id: 'NewPreheatEstimate' }),
        response: { 200: estimateSchema },
      },
    },
    async (request) => {
      const args = preheatArgs.parse(checkedArgs('preheat', request.body.args));
      const estimate = await estimatePreheat(parts, args, {
        clusterIds: [...new Set(request.body.scheduler_cluster_ids)],
        signal: AbortSignal.timeout(estimateTimeoutMs),
      });
      return {
        nodes: estimate.nodes,
        clusters: [...estimate.clusters],
        items: estimate.items,
        content_bytes: estimate.contentBytes,
        unknown_items: estimate.unknownItems,
        origin_bytes: estimate.originBytes,
        node_bytes: estimate.nodeBytes,
        too_full: [...estimate.tooFull],
      };
    },
  );
}
