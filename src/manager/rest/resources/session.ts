/** Initial calls of a user interface: facts about this manager, the signed-in user and his permissions. */
import { hostname } from 'node:os';
import { z } from 'zod';
import { version } from '../../../core/version.ts';
import { actions, objects } from '../../access/objects.ts';
import type { RestParts } from '../parts.ts';
import { callerOf, type RestApp } from '../request.ts';
import { toUserJson, userSchema } from './users.ts';

const sessionInfo = z
  .object({
    user: userSchema,
    roles: z.array(z.string()),
    /** The combined permissions of the roles; `*` includes `read`. */
    permissions: z.array(z.object({ object: z.enum(objects), action: z.enum(actions) })),
  })
  .meta({ id: 'SessionInfo' });

const consoleInfo = z
  .object({
    version: z.string(),
    sign_up: z.boolean(),
    /** Names of the sign-in providers. */
    oauth: z.array(z.string()),
    addresses: z.object({ grpc: z.string() }),
    certificates: z.boolean(),
  })
  .meta({ id: 'ConsoleInfo' });

export function sessionInfoRoutes(app: RestApp, parts: RestParts): void {
  const { access, config, oauth, ownAddress } = parts;
  app.get(
    '/session',
    {
      config: { access: { kind: 'signed-in' } },
      schema: { summary: 'Who is signed in, and what he may do', response: { 200: sessionInfo } },
    },
    async (request) => {
      const { userId } = callerOf(request);
      const permissions: z.output<typeof sessionInfo>['permissions'] = [];
      for (const object of objects) {
        for (const action of actions) {
          if (await access.authorizer.allows(userId, object, action)) permissions.push({ object, action });
        }
      }
      const [user, roles] = await Promise.all([access.users.get(userId), access.authorizer.rolesOf(userId)]);
      return { user: toUserJson(user), roles, permissions };
    },
  );
  app.get(
    '/console',
    {
      config: { access: { kind: 'public' } },
      schema: { summary: 'What a sign-in page needs to know', response: { 200: consoleInfo } },
    },
    async () => ({
      version,
      sign_up: config.auth.signUp,
      oauth: await oauth.providerNames(),
      addresses: { grpc: `${config.server.grpc.advertiseIP ?? hostname()}:${ownAddress.grpcPort()}` },
      certificates: config.security.autoIssueCert,
    }),
  );
}
