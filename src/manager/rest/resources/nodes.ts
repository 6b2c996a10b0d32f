/** `/nodes`: every host of every cluster as the schedulers see it, and `/concerns`: what needs attention. */
import { z } from 'zod';
import { DragonflyError } from '../../../core/errors.ts';
import { concernSchema } from '../../nodes/concerns.ts';
import { nodeSchema, nodeStates, nodeWithLogSchema, type Node } from '../../nodes/node.ts';
import { pageQuery, searchQuery, setPageHeaders, toPage } from '../paging.ts';
import type { RestParts } from '../parts.ts';
import { callerOf, sendNothing, type RestApp, type RouteAccess } from '../request.ts';
import { idSchema, nothing } from '../schemas.ts';

const inCluster = { scheduler_cluster_id: idSchema.optional() };

const listQuery = z.object({
  ...pageQuery,
  ...searchQuery,
  ...inCluster,
  state: z.enum(nodeStates).optional(),
  type: z.enum(['seed', 'normal']).optional(),
  sort: z.enum(['name', 'since', 'uploads']).default('name').describe('since: the latest to change its state first'),
});

const nodeParams = z.object({ id: z.string().min(1).max(512) });

const downloadSchema = z
  .object({
    scheduler_cluster_id: z.int(),
    task_id: z.string(),
    url: z.string(),
    tag: z.string(),
    application: z.string(),
    content_length: z.int().describe('0 while unknown'),
    started_at_ms: z.int(),
    ended_at_ms: z.int(),
    succeeded: z.boolean(),
    origin_bytes: z.int(),
    peer_bytes: z.int(),
    sources: z
      .array(z.object({ host_name: z.string(), pieces: z.int() }))
      .describe('the nodes that gave most of it, the first first'),
  })
  .meta({ id: 'NodeDownload' });

export function nodeRoutes(
  app: RestApp,
  { nodes, history }: Pick<RestParts, 'nodes' | 'history'>,
  access: RouteAccess,
): void {
  const config = { access };
  app.get(
    '/nodes',
    {
      config,
      schema: {
        summary: 'Every host of every cluster as the schedulers see it; those that were lost within a day included',
        querystring: listQuery,
        response: { 200: z.array(nodeSchema) },
      },
    },
    (request, reply) => {
      const page = toPage(request.query);
      const found = nodes.list().filter(matches(request.query)).sort(orders[request.query.sort]);
      setPageHeaders(request, reply, page, found.length);
      return found.slice((page.page - 1) * page.perPage, page.page * page.perPage);
    },
  );
  app.get(
    '/nodes/:id',
    {
      config,
      schema: {
        summary: 'One of them, with its last states',
        params: nodeParams,
        querystring: z.object(inCluster),
        response: { 200: nodeWithLogSchema },
      },
    },
    (request) => {
      const record = nodes.find(request.params.id, request.query.scheduler_cluster_id);
      if (record) return { ...record.node, log: [...record.log] };
      throw new DragonflyError('NOT_FOUND', `no scheduler knows a node ${request.params.id}`);
    },
  );
  app.get(
    '/nodes/:id/downloads',
    {
      config,
      schema: {
        summary: 'What it got last, from whom, and how long that took; newest first',
        params: nodeParams,
        querystring: z.object({ ...pageQuery, ...inCluster }),
        response: { 200: z.array(downloadSchema) },
      },
    },
    async (request, reply) => {
      const page = toPage(request.query);
      const { rows, total } = await history.downloads.list(request.params.id, request.query.scheduler_cluster_id, page);
      setPageHeaders(request, reply, page, total);
      return rows.map(({ started_at: started, ended_at: ended, succeeded, ...row }) => ({
        ...row,
        sources: [...row.sources],
        started_at_ms: started,
        ended_at_ms: ended,
        succeeded: succeeded === 1,
      }));
    },
  );
}

export function concernRoutes(app: RestApp, { concerns }: Pick<RestParts, 'concerns'>, access: RouteAccess): void {
  const config = { access };
  app.get(
    '/concerns',
    {
      config,
      schema: { summary: 'What somebody should look after, errors first', response: { 200: z.array(concernSchema) } },
    },
    () => [...concerns.list],
  );
  app.post(
    '/concerns/acknowledge',
    {
      config,
      schema: {
        summary: 'Take care of concerns, so that others know, or no longer',
        body: z.object({ ids: z.array(z.string().max(64)).min(1).max(2_000), acknowledged: z.boolean().default(true) }),
        response: { 200: nothing },
      },
    },
    async (request, reply) => {
      const { ids, acknowledged } = request.body;
      await concerns.acknowledge(ids, { userName: callerOf(request).name, on: acknowledged });
      return sendNothing(reply);
    },
  );
}

const byName = (one: Node, other: Node): number =>
  one.host_name.localeCompare(other.host_name, 'en', { numeric: true }) || (one.id < other.id ? -1 : 1);

const orders: Readonly<Record<'name' | 'since' | 'uploads', (one: Node, other: Node) => number>> = {
  name: byName,
  since: (one, other) => other.since_ms - one.since_ms || byName(one, other),
  uploads: (one, other) =>
    other.uploads_running - one.uploads_running || other.uploads - one.uploads || byName(one, other),
};

function matches({ scheduler_cluster_id: cluster, state, type, search }: z.output<typeof listQuery>) {
  const text = search?.toLowerCase();
  return (node: Node): boolean =>
    (cluster === undefined || node.scheduler_cluster_id === cluster) &&
    (state === undefined || node.state === state) &&
    (type === undefined || node.type === type) &&
    (text === undefined ||
      [node.host_name, node.ip, node.id, node.idc, node.location, node.version].some((part) =>
        part.toLowerCase().includes(text),
      ));
}
