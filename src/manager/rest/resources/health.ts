/** Whether the manager is alive (`/healthy`) and ready (`/readyz`), and its metrics. */
import { z } from 'zod';
import { toDragonflyError } from '../../../core/errors.ts';
import type { RestParts } from '../parts.ts';
import type { RestApp } from '../request.ts';

const isPublic = { access: { kind: 'public' } } as const;

export function healthRoutes(app: RestApp, { database, registry }: RestParts): void {
  for (const path of ['/healthy', '/_ping']) {
    app.get(
      path,
      { config: isPublic, schema: { summary: 'The process lives', response: { 200: z.string() } } },
      (_request, reply) => {
        void reply.type('application/json');
        return 'OK';
      },
    );
  }
  app.get(
    '/readyz',
    {
      config: isPublic,
      schema: {
        summary: 'The manager can work',
        response: { 200: z.object({ database: z.string() }), 503: z.object({ database: z.string() }) },
      },
    },
    async (_request, reply) => {
      try {
        await database.check();
        return { database: 'ok' };
      } catch (error) {
        return reply.code(503).send({ database: toDragonflyError(error).code });
      }
    },
  );
  app.get(
    '/metrics',
    {
      config: isPublic,
      schema: { summary: 'Prometheus metrics', response: { 200: z.string() } },
      serializerCompiler: () => String,
    },
    async (_request, reply) => {
      const text = await registry.metrics();
      return reply.type(registry.contentType).send(text);
    },
  );
}
