/** `/configs`, `/applications`, `/audits`. */
import { z } from 'zod';
import { patternSchema } from '../../../core/config/pattern-schema.ts';
import { parseJson } from '../../clusters/types.ts';
import { TableStore } from '../../db/table-store.ts';
import { defined, registerResource } from '../crud.ts';
import { pageQuery, searchQuery, setPageHeaders, toPage, toSearch } from '../paging.ts';
import type { RestParts } from '../parts.ts';
import type { RestApp } from '../request.ts';
import { bio, idParams, idSchema, name, reference, stamps, time, timestamps } from '../schemas.ts';

const textFilter = z.string().optional();

export function settingRoutes(app: RestApp, parts: RestParts): void {
  configRoutes(app, parts);
  applicationRoutes(app, parts);
  auditRoutes(app, parts);
}

function configRoutes(app: RestApp, { database, changes }: RestParts): void {
  const body = z.object({ name, value: z.string().min(1).max(1024), bio: bio.optional(), user_id: reference });
  registerResource(app, {
    object: 'configs',
    store: new TableStore(database, changes, 'config', 'config'),
    output: z
      .object({ ...timestamps, name: z.string(), value: z.string(), bio: z.string(), user_id: z.int() })
      .meta({ id: 'Config' }),
    toJson: (row) => ({ ...stamps(row), name: row.name, value: row.value, bio: row.bio, user_id: row.user_id }),
    create: body,
    toRow: (values) => ({ ...values, bio: values.bio ?? '' }),
    update: { body: body.partial(), toColumns: (values) => defined(values) },
    searchable: ['name', 'value', 'bio'],
    filters: { name: textFilter, value: textFilter, user_id: idSchema.optional() },
  });
}

function applicationRoutes(app: RestApp, { database, changes }: RestParts): void {
  const level = z.int().min(0).max(20);
  const priority = z.object({
    value: level,
    urls: z
      .array(
        z.object({
          regex: patternSchema(1024).min(1),
          value: level,
        }),
      )
      .max(100)
      .optional(),
  });
  const body = z.object({ name, url: z.url().max(1024), bio: bio.optional(), priority, user_id: reference });
  registerResource(app, {
    object: 'applications',
    store: new TableStore(database, changes, 'application', 'application'),
    output: z
      .object({
        ...timestamps,
        name: z.string(),
        url: z.string(),
        bio: z.string(),
        priority: z.looseObject({}),
        user_id: z.int(),
      })
      .meta({ id: 'Application' }),
    toJson: (row) => ({
      ...stamps(row),
      name: row.name,
      url: row.url,
      bio: row.bio,
      priority: parseJson(row.priority, {}),
      user_id: row.user_id,
    }),
    create: body,
    toRow: (values) => ({ ...values, bio: values.bio ?? '', priority: JSON.stringify(values.priority) }),
    update: {
      body: body.partial(),
      toColumns: ({ priority: changed, ...rest }) => ({
        ...defined(rest),
        ...(changed === undefined ? {} : { priority: JSON.stringify(changed) }),
      }),
    },
    searchable: ['name', 'url', 'bio'],
    filters: { name: textFilter, user_id: idSchema.optional() },
  });
}

function auditRoutes(app: RestApp, { database, changes }: RestParts): void {
  const store = new TableStore(database, changes, 'audit', 'config');
  const access = { kind: 'session', object: 'audits' } as const;
  const output = z
    .object({
      ...timestamps,
      actor_type: z.string(),
      actor_name: z.string(),
      event_type: z.string(),
      operation: z.string(),
      operated_at: z.string(),
      state: z.string(),
      path: z.string(),
      status_code: z.int(),
    })
    .meta({ id: 'Audit' });
  type Row = Awaited<ReturnType<typeof store.get>>;
  const toJson = (row: Row): z.output<typeof output> => ({
    ...stamps(row),
    actor_type: row.actor_type,
    actor_name: row.actor_name,
    event_type: row.event_type,
    operation: row.operation,
    operated_at: time(row.operated_at),
    state: row.state,
    path: row.path,
    status_code: row.status_code,
  });
  const filters = {
    actor_type: z.enum(['UNKNOWN', 'USER', 'PAT']).optional(),
    actor_name: textFilter,
    event_type: textFilter,
    operation: textFilter,
    state: z.enum(['SUCCESS', 'FAILURE']).optional(),
    path: textFilter,
    status_code: z.coerce.number().int().optional(),
  };
  app.get(
    '/audits',
    {
      config: { access },
      schema: {
        summary: 'Who did what, newest first',
        querystring: z.object({ ...pageQuery, ...searchQuery, ...filters }),
        response: { 200: z.array(output) },
      },
    },
    async (request, reply) => {
      const { page, per_page, search, ...filter } = request.query;
      const bounds = toPage({ page, per_page });
      const { rows, total } = await store.list(filter, bounds, {
        newestFirst: true,
        search: toSearch(search, ['path', 'actor_name', 'operation']),
      });
      setPageHeaders(request, reply, bounds, total);
      return rows.map(toJson);
    },
  );
  app.get(
    '/audits/:id',
    { config: { access }, schema: { summary: 'One record', params: idParams, response: { 200: output } } },
    async (request) => toJson(await store.get(request.params.id)),
  );
}
