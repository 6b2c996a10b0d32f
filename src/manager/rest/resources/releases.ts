/** `/releases`: versions of directories published under names, and who has which. */
import { z } from 'zod';
import { toDragonflyError } from '../../../core/errors.ts';
import { noRelease, type ReleaseRow, type ReleaseStanding, type SubscriberRow } from '../../releases/release-store.ts';
import { pageQuery, setPageHeaders, toPage } from '../paging.ts';
import type { RestParts } from '../parts.ts';
import { sendNothing, type RestApp, type RouteAccess } from '../request.ts';
import { nothing, time } from '../schemas.ts';

const releaseSchema = z
  .object({
    id: z.int().describe('grows with every version that is published'),
    name: z.string(),
    version: z.string(),
    content_digest: z.string().describe('the same for the same files, whenever and however published'),
    manifest_digest: z.string(),
    manifest_task_id: z.string(),
    content_length: z.int(),
    new_length: z.int().describe('what the version before did not have'),
    file_count: z.int(),
    replicas: z.int(),
    publisher: z.string().describe('user and host'),
    public_key: z.string().describe('Ed25519 in base64; empty when it is not signed'),
    created_at: z.iso.datetime(),
    expires_at: z.iso.datetime(),
    is_newest: z.boolean().describe('of its name'),
    version_count: z.int().describe('of its name'),
    previous_version: z.string().describe('published before it; empty for the first one'),
    returns_to: z.string().describe('an older version with the same files: everybody was led back to it'),
    subscriber_count: z.int().describe('directories that follow the name'),
    running_count: z.int().describe('of them, those that have switched to this version'),
    fetching_count: z.int(),
    failed_count: z.int(),
  })
  .meta({ id: 'Release' });

const subscriberSchema = z
  .object({
    host_id: z.string(),
    path: z.string(),
    version: z.string(),
    state: z.string().describe('fetching, switched or failed'),
    error: z.string(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'ReleaseSubscriber' });

const name = z.string().min(1).max(128);
const version = z.string().min(1).max(64);

export function releaseRoutes(
  app: RestApp,
  { releases, keptTasks }: Pick<RestParts, 'releases' | 'keptTasks'>,
  access: RouteAccess,
): void {
  const config = { access };
  const present = async (rows: readonly ReleaseRow[]) => {
    const standing = await releases.standing(rows);
    return rows.map((row, index) => toRelease(row, standing[index] as ReleaseStanding));
  };
  app.get(
    '/releases',
    {
      config,
      schema: {
        summary: 'Published versions, the newest first',
        querystring: z.object({
          ...pageQuery,
          name: name.optional(),
          newest: z.stringbool().optional().describe('of each name the last version alone'),
        }),
        response: { 200: z.array(releaseSchema) },
      },
    },
    async (request, reply) => {
      const page = toPage(request.query);
      const { rows, total } = await releases.list(request.query, page);
      setPageHeaders(request, reply, page, total);
      return present(rows);
    },
  );
  app.get(
    '/releases/:name/versions/:version',
    {
      config,
      schema: { summary: 'One version', params: z.object({ name, version }), response: { 200: releaseSchema } },
    },
    async ({ params }) => {
      const row = await releases.find(params.name, params.version);
      if (!row) throw noRelease(params.name, params.version);
      return (await present([row]))[0];
    },
  );
  app.delete(
    '/releases/:name/versions/:version',
    {
      config,
      schema: {
        summary: 'Delete a version, and from all hosts what no other version of the name uses',
        params: z.object({ name, version }),
        response: { 200: nothing },
      },
    },
    async ({ params }, reply) => {
      for (const taskId of await releases.remove(params.name, params.version)) {
        try {
          await keptTasks.delete(taskId, undefined);
        } catch (error) {
          if (toDragonflyError(error).code !== 'NOT_FOUND') throw error;
        }
      }
      return sendNothing(reply);
    },
  );
  app.get(
    '/releases/:name/subscribers',
    {
      config,
      schema: {
        summary: 'Who follows a name, and which version it has; the last to report first',
        params: z.object({ name }),
        querystring: z.object(pageQuery),
        response: { 200: z.array(subscriberSchema) },
      },
    },
    async (request, reply) => {
      const page = toPage(request.query);
      const { rows, total } = await releases.subscribers(request.params.name, page);
      setPageHeaders(request, reply, page, total);
      return rows.map(toSubscriber);
    },
  );
}

function toRelease(row: ReleaseRow, standing: ReleaseStanding): z.output<typeof releaseSchema> {
  const { task_ids: _, signature: __, updated_at: ___, ...release } = row;
  return { ...release, ...standing, created_at: time(row.created_at), expires_at: time(row.expires_at) };
}

function toSubscriber({ host_id, path, version: has, state, error, updated_at }: SubscriberRow) {
  return { host_id, path, version: has, state, error, updated_at: time(updated_at) };
}
