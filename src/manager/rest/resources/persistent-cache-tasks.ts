/**
 * `/persistent-cache-tasks`: imported content in the clusters, including that of object stores. Served by asking the schedulers;
 * nothing is stored here.
 */
import { z } from 'zod';
import { keptTaskSchema } from '../../live/kept-tasks.ts';
import { pageQuery, searchQuery, setPageHeaders, toPage } from '../paging.ts';
import type { RestParts } from '../parts.ts';
import { sendNothing, type RestApp } from '../request.ts';
import { idSchema, nothing } from '../schemas.ts';

const object = 'persistent-cache-tasks';
const params = z.object({ id: z.string().min(1).describe('id of the task') });
const inCluster = { scheduler_cluster_id: idSchema.optional().describe('all clusters when it is left out') };

export function persistentCacheTaskRoutes(app: RestApp, { keptTasks }: Pick<RestParts, 'keptTasks'>): void {
  const config = { access: { kind: 'session', object } } as const;
  app.get(
    '/persistent-cache-tasks',
    {
      config,
      schema: {
        summary: 'Persistent cache tasks and persistent tasks, the newest first',
        querystring: z.object({ ...pageQuery, ...searchQuery, ...inCluster }),
        response: { 200: z.array(keptTaskSchema) },
      },
    },
    async (request, reply) => {
      const page = toPage(request.query);
      const { search = '', scheduler_cluster_id: clusterId } = request.query;
      const part = search.toLowerCase();
      const found = (await keptTasks.list(clusterId)).filter(({ id, tag, application, owner, object: stored }) =>
        [id, tag, application, owner, stored?.url ?? ''].some((text) => text.toLowerCase().includes(part)),
      );
      setPageHeaders(request, reply, page, found.length);
      return found.slice((page.page - 1) * page.perPage, page.page * page.perPage);
    },
  );
  app.get(
    '/persistent-cache-tasks/:id',
    {
      config,
      schema: {
        summary: 'One persistent cache task or persistent task',
        params,
        querystring: z.object(inCluster),
        response: { 200: keptTaskSchema },
      },
    },
    (request) => keptTasks.get(request.params.id, request.query.scheduler_cluster_id),
  );
  app.delete(
    '/persistent-cache-tasks/:id',
    {
      config,
      schema: {
        summary: 'Delete a persistent cache task or persistent task from all hosts that hold it',
        params,
        querystring: z.object(inCluster),
        response: { 200: nothing },
      },
    },
    async (request, reply) => {
      await keptTasks.delete(request.params.id, request.query.scheduler_cluster_id);
      return sendNothing(reply);
    },
  );
}
