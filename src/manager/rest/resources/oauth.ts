/** `/oauth`: providers; and the two steps a browser takes through one of them. */
import { z } from 'zod';
import { rootRole } from '../../access/objects.ts';
import { oauthSecretPurpose } from '../../access/oauth.ts';
import { TableStore } from '../../db/table-store.ts';
import { oauthFlowMs, signinsPerMinute } from '../../limits.ts';
import { setSession } from '../cookies.ts';
import { defined, registerResource } from '../crud.ts';
import type { RestParts } from '../parts.ts';
import type { RestApp } from '../request.ts';
import { bio, stamps, timestamps } from '../schemas.ts';

const flowCookie = 'dragonfly_oauth';
const providerName = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[a-z0-9][a-z0-9-]*$/, 'may have lower-case letters, digits and -');

export function oauthRoutes(app: RestApp, parts: RestParts): void {
  providerRoutes(app, parts);
  browserRoutes(app, parts);
}

function providerRoutes(app: RestApp, { access: { authorizer, sealer }, database, changes }: RestParts): void {
  const seal = (secret: string): string => sealer.seal(oauthSecretPurpose, secret);
  const body = z.object({
    name: providerName,
    bio: bio.optional(),
    client_id: z.string().min(1).max(255),
    client_secret: z.string().min(1).max(1024),
    redirect_url: z.url().max(1024),
    issuer: z.url().max(1024).optional(),
  });
  registerResource(app, {
    object: 'oauth',
    store: new TableStore(database, changes, 'oauth', 'oauth'),
    output: z
      .object({
        ...timestamps,
        name: z.string(),
        bio: z.string(),
        client_id: z.string(),
        redirect_url: z.string(),
        issuer: z.string(),
      })
      .meta({ id: 'OAuthProvider' }),
    toJson: (row) => ({
      ...stamps(row),
      name: row.name,
      bio: row.bio,
      client_id: row.client_id,
      redirect_url: row.redirect_url,
      issuer: row.issuer,
    }),
    create: body,
    toRow: ({ client_secret: secret, ...rest }) => ({
      ...rest,
      bio: rest.bio ?? '',
      issuer: rest.issuer ?? '',
      sealed_client_secret: seal(secret),
    }),
    update: {
      body: body.partial(),
      toColumns: ({ client_secret: secret, ...rest }) => ({
        ...defined(rest),
        ...(secret === undefined ? {} : { sealed_client_secret: seal(secret) }),
      }),
    },
    // A provider vouches for identities: whoever controls it can sign in as any of its users.
    mayWrite: async ({ userId }) => authorizer.requireRights(userId, await authorizer.permissions(rootRole)),
    searchable: ['name', 'bio'],
    filters: { name: z.string().optional(), client_id: z.string().optional() },
  });
}

function browserRoutes(app: RestApp, { access, oauth, config }: RestParts): void {
  const options = {
    config: { access: { kind: 'public' as const }, rateLimit: { max: signinsPerMinute, timeWindow: 60_000 } },
  };
  const params = z.object({ name: providerName });
  const redirect = z.string().describe('redirect');
  app.get(
    '/users/signin/:name',
    { ...options, schema: { summary: 'Sign in through a provider', params, response: { 302: redirect } } },
    async (request, reply) => {
      const { location, flow } = await oauth.begin(request.params.name);
      void reply.setCookie(flowCookie, flow, {
        path: '/api/v1/users/signin',
        httpOnly: true,
        sameSite: 'lax',
        secure: config.auth.secureCookie === 'always' || request.protocol === 'https',
        maxAge: oauthFlowMs / 1000,
      });
      return reply.redirect(location);
    },
  );
  app.get(
    '/users/signin/:name/callback',
    {
      ...options,
      schema: {
        summary: 'Where a provider sends the browser back to',
        params,
        querystring: z.looseObject({ code: z.string().max(4096).optional(), state: z.string().max(4096).optional() }),
        response: { 302: redirect },
      },
    },
    async (request, reply) => {
      const query = new URL(request.url, 'http://manager').search;
      const userId = await oauth.finish(request.params.name, query, request.cookies[flowCookie]);
      void reply.clearCookie(flowCookie, { path: '/api/v1/users/signin' });
      setSession(request, reply, await access.sessions.issue(userId), config.auth.secureCookie);
      return reply.redirect(`${config.server.rest.prefix}/`);
    },
  );
}
