/** `/certificates` and `/join-tokens`: certificates that the authority has issued, and tokens for joining members. */
import { z } from 'zod';
import { formatJoinToken } from '../../../rpc/identity/proof.ts';
import { joinRoles } from '../../ca/join-tokens.ts';
import { parseJson } from '../../clusters/types.ts';
import type { CertificateTable } from '../../db/schema.ts';
import { TableStore } from '../../db/table-store.ts';
import { pageQuery, setPageHeaders, toPage } from '../paging.ts';
import type { RestParts } from '../parts.ts';
import { callerOf, sendNothing, type RestApp } from '../request.ts';
import { bio, idParams, name, nothing, stamps, time, timestamps, type RowStamps } from '../schemas.ts';

const certificate = z
  .object({
    serial: z.string(),
    subject: z.string(),
    names: z.array(z.string()),
    kind: z.string(),
    created_at: z.string(),
    expires_at: z.string(),
    revoked_at: z.string().nullable(),
  })
  .meta({ id: 'Certificate' });

const joinToken = z
  .object({
    ...timestamps,
    name: z.string(),
    bio: z.string(),
    role: z.enum(joinRoles),
    /** Empty except right after creation. */
    token: z.string(),
    expired_at: z.string(),
    user_id: z.int(),
  })
  .meta({ id: 'JoinToken' });

export function certificateRoutes(app: RestApp, parts: RestParts): void {
  issuedRoutes(app, parts);
  joinTokenRoutes(app, parts);
}

function issuedRoutes(app: RestApp, { ca }: RestParts): void {
  const config = { access: { kind: 'session', object: 'certificates' } as const };
  app.get(
    '/certificates',
    {
      config,
      schema: {
        summary: 'Issued certificates, newest first',
        querystring: z.object(pageQuery),
        response: { 200: z.array(certificate) },
      },
    },
    async (request, reply) => {
      const page = toPage(request.query);
      const { rows, total } = await ca.certificates.list(page);
      setPageHeaders(request, reply, page, total);
      return rows.map(toJson);
    },
  );
  app.post(
    '/certificates/:serial/revoke',
    {
      config,
      schema: {
        summary: 'Stop trusting a certificate',
        params: z.object({ serial: z.string().regex(/^[0-9a-f]{1,40}$/) }),
        response: { 200: nothing },
      },
    },
    async (request, reply) => {
      await ca.certificates.revoke(request.params.serial);
      return sendNothing(reply);
    },
  );
  app.get(
    '/certificates/authority',
    {
      config,
      schema: {
        summary: 'The authority, PEM; empty when it is off',
        response: { 200: z.object({ certificate: z.string() }) },
      },
    },
    () => ({ certificate: ca.authority?.certificatePem ?? '' }),
  );
}

function joinTokenRoutes(app: RestApp, { ca, database, changes }: RestParts): void {
  const config = { access: { kind: 'session', object: 'join-tokens' } as const };
  const store = new TableStore(database, changes, 'join_token', 'certificate');
  const json = (
    row: RowStamps & { name: string; bio: string; role: string; expired_at: number; user_id: number },
    token = '',
  ) => ({
    ...stamps(row),
    name: row.name,
    bio: row.bio,
    role: joinRoles.find((role) => role === row.role) ?? ('any' as const),
    token,
    expired_at: time(row.expired_at),
    user_id: row.user_id,
  });
  app.post(
    '/join-tokens',
    {
      config,
      schema: {
        summary: 'Create a token with which members join, and by which they know this manager; it is shown this once',
        body: z.object({
          name,
          bio: bio.optional(),
          role: z
            .enum(joinRoles)
            .default('any')
            .describe('what it makes of whoever shows it; any: what he says he is, for trials'),
          expired_at: z.iso.datetime({ offset: true }),
        }),
        response: { 200: joinToken },
      },
    },
    async (request) => {
      const { id, value } = await ca.joinTokens.create({
        name: request.body.name,
        bio: request.body.bio ?? '',
        role: request.body.role,
        expiredAt: new Date(request.body.expired_at),
        userId: callerOf(request).userId,
      });
      const row = await store.get(id);
      return json(row, ca.authority ? formatJoinToken(value, ca.authority.fingerprint) : value);
    },
  );
  app.get(
    '/join-tokens',
    {
      config,
      schema: { summary: 'List join tokens', querystring: z.object(pageQuery), response: { 200: z.array(joinToken) } },
    },
    async (request, reply) => {
      const page = toPage(request.query);
      const { rows, total } = await store.list({}, page);
      setPageHeaders(request, reply, page, total);
      return rows.map((row) => json(row));
    },
  );
  app.delete(
    '/join-tokens/:id',
    { config, schema: { summary: 'Delete a join token', params: idParams, response: { 200: nothing } } },
    async (request, reply) => {
      await store.delete(request.params.id);
      return sendNothing(reply);
    },
  );
}

function toJson(row: CertificateTable): z.output<typeof certificate> {
  return {
    serial: row.serial,
    subject: row.subject,
    names: parseJson(row.names, []),
    kind: row.kind,
    created_at: time(row.created_at),
    expires_at: time(row.expires_at),
    revoked_at: row.revoked_at === 0 ? null : time(row.revoked_at),
  };
}
