/** `/tasks`: what the schedulers currently distribute, and single tasks live as server-sent events. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { z } from 'zod';
import { DragonflyError } from '../../../core/errors.ts';
import { onAbort } from '../../../core/process/lifecycle.ts';
import { liveTaskSchema, type LiveTask } from '../../live/live-task.ts';
import type { TaskView } from '../../live/live-swarms.ts';
import { eventHeartbeatMs, maxTaskStreams } from '../../limits.ts';
import { credential } from '../access-hook.ts';
import { pageQuery, setPageHeaders, toPage } from '../paging.ts';
import type { RestParts } from '../parts.ts';
import { callerOf, type RestApp } from '../request.ts';
import { idSchema } from '../schemas.ts';

const taskId = z.string().regex(/^[0-9a-f]{64}$/, 'is not a task id');
const params = z.object({ id: taskId });
const inCluster = { scheduler_cluster_id: idSchema.optional() };

export function taskRoutes(app: RestApp, parts: RestParts): void {
  const { live } = parts;
  const config = { access: { kind: 'session', object: 'tasks' } as const };
  app.get(
    '/tasks',
    {
      config,
      schema: {
        summary: 'What schedulers distribute right now, the latest to change first',
        querystring: z.object({
          ...pageQuery,
          ...inCluster,
          state: z.string().max(64).optional(),
          url: z.string().max(1024).optional().describe('part of the URL'),
          task_id: z.string().max(64).optional().describe('beginning of the id'),
        }),
        response: { 200: z.array(liveTaskSchema) },
      },
    },
    async (request, reply) => {
      const page = toPage(request.query);
      const tasks = (await live.tasks()).filter(matches(request.query));
      setPageHeaders(request, reply, page, tasks.length);
      return tasks.slice((page.page - 1) * page.perPage, page.page * page.perPage);
    },
  );
  app.get(
    '/tasks/:id',
    {
      config,
      schema: { summary: 'One of them', params, querystring: z.object(inCluster), response: { 200: liveTaskSchema } },
    },
    async (request) => {
      const { scheduler_cluster_id: clusterId } = request.query;
      const task = (await live.tasks()).find(
        ({ id, scheduler_cluster_id: cluster }) =>
          id === request.params.id && (clusterId === undefined || clusterId === cluster),
      );
      if (task) return task;
      throw new DragonflyError('NOT_FOUND', `no scheduler knows the task ${request.params.id} right now`);
    },
  );
  taskEvents(app, parts);
}

function taskEvents(app: RestApp, { access, changes, live }: RestParts): void {
  let streams = 0;
  app.get(
    '/tasks/:id/events',
    {
      config: { access: { kind: 'session', object: 'tasks' } },
      schema: {
        summary:
          'Its swarm as server-sent events: `snapshot`, then `delta`; `absent` while no scheduler knows it; `alive` now and then',
        params,
        querystring: z.object(inCluster),
        response: { 200: z.string().describe('text/event-stream of TaskEvent') },
      },
    },
    (request, reply) => {
      if (streams >= maxTaskStreams) throw new DragonflyError('RESOURCE_EXHAUSTED', 'too many live views are open');
      const { userId } = callerOf(request);
      const { token = '' } = credential(request);
      const ended = new AbortController();
      const response = reply.hijack().raw;
      streams += 1;
      // A view ends with the session and the rights with which it was opened.
      const unsubscribe = changes.subscribe(({ topic }) => {
        if (topic !== 'session' && topic !== 'user' && topic !== 'role') return;
        const check = async (): Promise<boolean> =>
          (await access.sessions.verify(token)) !== undefined &&
          (await access.authorizer.allows(userId, 'tasks', 'read'));
        check().then(
          (allowed) => allowed || ended.abort(),
          () => ended.abort(),
        );
      });
      response.once('close', () => ended.abort());
      onAbort(ended.signal, () => {
        streams -= 1;
        unsubscribe();
        response.end();
      });
      void sendViews(response, live.watch(request.params.id, request.query.scheduler_cluster_id, ended.signal), ended);
    },
  );
}

async function sendViews(
  response: ServerResponse,
  views: AsyncIterable<TaskView>,
  ended: AbortController,
): Promise<void> {
  const { signal } = ended;
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
  });
  const heartbeat = setInterval(
    () => response.writableNeedDrain || response.write('event: alive\ndata: {}\n\n'),
    eventHeartbeatMs,
  );
  try {
    for await (const view of views) {
      const data = view.kind === 'absent' ? {} : view.event;
      // A slow subscriber slows down the scheduler's stream, which merges changes in the meantime.
      if (!response.write(`event: ${view.kind}\ndata: ${JSON.stringify(data)}\n\n`))
        await once(response, 'drain', { signal });
    }
  } catch {
    // The subscriber left, or the view was ended; both close it.
  } finally {
    clearInterval(heartbeat);
    ended.abort();
  }
}

interface TaskFilter {
  readonly scheduler_cluster_id?: number | undefined;
  readonly state?: string | undefined;
  readonly url?: string | undefined;
  readonly task_id?: string | undefined;
}

function matches(filter: TaskFilter): (task: LiveTask) => boolean {
  const url = filter.url?.toLowerCase();
  return (task) =>
    (filter.scheduler_cluster_id === undefined || task.scheduler_cluster_id === filter.scheduler_cluster_id) &&
    (filter.state === undefined || task.state === filter.state) &&
    (filter.task_id === undefined || task.id.startsWith(filter.task_id)) &&
    (url === undefined || task.url.toLowerCase().includes(url));
}
