/** `/personal-access-tokens`. Only the answer to its creation contains the token itself. */
import { z } from 'zod';
import type { Caller } from '../../access/caller.ts';
import { tokenScopes, type TokenRow } from '../../access/tokens.ts';
import { parseJson } from '../../clusters/types.ts';
import type { Database } from '../../db/database.ts';
import { TableStore } from '../../db/table-store.ts';
import { defined } from '../crud.ts';
import { pageQuery, searchQuery, setPageHeaders, toPage, toSearch } from '../paging.ts';
import type { RestParts } from '../parts.ts';
import { callerOf, sendNothing, type RestApp } from '../request.ts';
import { bio, idParams, idSchema, name, nothing, reference, stamps, time, timestamps } from '../schemas.ts';

const output = z
  .object({
    ...timestamps,
    name: z.string(),
    bio: z.string(),
    /** Empty except right after creation. */
    token: z.string(),
    scopes: z.array(z.string()),
    state: z.string(),
    expired_at: z.string(),
    user_id: z.int(),
    user: z.object({ id: z.int(), name: z.string() }).nullable(),
  })
  .meta({ id: 'PersonalAccessToken' });

const scopes = z.array(z.enum(tokenScopes)).max(tokenScopes.length);
const state = z.enum(['active', 'inactive']);
const instant = z.iso.datetime({ offset: true });

export function personalAccessTokenRoutes(
  app: RestApp,
  { access: { authorizer, tokens, users }, database, changes }: RestParts,
): void {
  const config = { access: { kind: 'session', object: 'personal-access-tokens' } as const };
  const path = '/personal-access-tokens';
  const json = async (row: TokenRow, token = '') =>
    (await present(database, [row], token))[0] as z.output<typeof output>;
  /** A token has its owner's rights, so a user who creates or changes a token for somebody else needs those rights, too. */
  const requireRightsOf = async (ownerId: number, { userId }: Caller): Promise<void> => {
    if (ownerId !== userId) await authorizer.requireRights(userId, await authorizer.rightsOf(ownerId));
  };
  const store = new TableStore(database, changes, 'personal_access_token', 'token');
  app.post(
    path,
    {
      config,
      schema: {
        summary: 'Create a personal access token; it is shown this once',
        body: z.object({
          name,
          bio: bio.optional(),
          scopes: scopes.optional(),
          expired_at: instant,
          user_id: reference.optional(),
        }),
        response: { 200: output },
      },
    },
    async (request) => {
      const { body } = request;
      const userId = body.user_id ?? callerOf(request).userId;
      await users.get(userId);
      await requireRightsOf(userId, callerOf(request));
      const { id, value } = await tokens.create({
        name: body.name,
        bio: body.bio ?? '',
        scopes: body.scopes ?? tokenScopes,
        expiredAt: new Date(body.expired_at),
        userId,
      });
      return json(await tokens.get(id), value);
    },
  );
  app.get(
    `${path}/:id`,
    { config, schema: { summary: 'One token', params: idParams, response: { 200: output } } },
    async (request) => json(await tokens.get(request.params.id)),
  );
  app.get(
    path,
    {
      config,
      schema: {
        summary: 'List personal access tokens',
        querystring: z.object({ ...pageQuery, ...searchQuery, state: state.optional(), user_id: idSchema.optional() }),
        response: { 200: z.array(output) },
      },
    },
    async (request, reply) => {
      const { page, per_page, search, ...filter } = request.query;
      const bounds = toPage({ page, per_page });
      const { rows, total } = await store.list(filter, bounds, { search: toSearch(search, ['name', 'bio']) });
      setPageHeaders(request, reply, bounds, total);
      return present(database, rows);
    },
  );
  app.patch(
    `${path}/:id`,
    {
      config,
      schema: {
        summary: 'Change a token',
        params: idParams,
        body: z.object({
          bio: bio.optional(),
          scopes: scopes.optional(),
          state: state.optional(),
          expired_at: instant.optional(),
        }),
        response: { 200: output },
      },
    },
    async (request) => {
      const { body, params } = request;
      await requireRightsOf((await tokens.get(params.id)).user_id, callerOf(request));
      const { expired_at: expiredAt, ...changes } = defined(body);
      return json(
        await tokens.update(params.id, {
          ...changes,
          ...(expiredAt === undefined ? {} : { expiredAt: new Date(expiredAt) }),
        }),
      );
    },
  );
  app.delete(
    `${path}/:id`,
    { config, schema: { summary: 'Delete a token', params: idParams, response: { 200: nothing } } },
    async (request, reply) => {
      await requireRightsOf((await tokens.get(request.params.id)).user_id, callerOf(request));
      await tokens.delete(request.params.id);
      return sendNothing(reply);
    },
  );
}

async function present({ db }: Database, rows: readonly TokenRow[], token = ''): Promise<z.output<typeof output>[]> {
  const ids = [...new Set(rows.map((row) => row.user_id))];
  const users =
    ids.length === 0 ? [] : await db.selectFrom('user').select(['id', 'name']).where('id', 'in', ids).execute();
  const byId = new Map(users.map((user) => [user.id, user]));
  return rows.map((row) => ({
    ...stamps(row),
    name: row.name,
    bio: row.bio,
    token,
    scopes: parseJson(row.scopes, []),
    state: row.state,
    expired_at: time(row.expired_at),
    user_id: row.user_id,
    user: byId.get(row.user_id) ?? null,
  }));
}
