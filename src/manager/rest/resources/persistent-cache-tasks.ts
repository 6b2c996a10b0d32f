/**
 * `/persistent-cache-tasks`, which clients of the original list. This manager knows of none: the original's schedulers tell
 * theirs by way of their own queue, and nothing of this implementation makes any.
 */
import { z } from 'zod';
import { DragonflyError } from '../../../core/errors.ts';
import type { RestApp } from '../request.ts';

const object = 'persistent-cache-tasks';
const params = z.object({ id: z.string().min(1).describe('id of the task') });

export function persistentCacheTaskRoutes(app: RestApp): void {
  const config = { access: { kind: 'session', object } } as const;
  const unknown = ({ id }: z.infer<typeof params>): never => {
    throw new DragonflyError('NOT_FOUND', `there is no persistent cache task ${id}`);
  };
  app.get(
    '/persistent-cache-tasks',
    { config, schema: { summary: 'Persistent cache tasks', response: { 200: z.array(z.object({})) } } },
    () => [],
  );
  app.get(
    '/persistent-cache-tasks/:id',
    { config, schema: { summary: 'One persistent cache task', params, response: { 200: z.object({}) } } },
    (request) => unknown(request.params),
  );
  app.delete(
    '/persistent-cache-tasks/:id',
    { config, schema: { summary: 'Delete a persistent cache task', params, response: { 200: z.object({}) } } },
    (request) => unknown(request.params),
  );
}
