/** `/users`: accounts, and signing in and out. */
import { z } from 'zod';
import { DragonflyError } from '../../../core/errors.ts';
import type { Caller } from '../../access/caller.ts';
import { guestRole } from '../../access/objects.ts';
import { maxPasswordLength, minPasswordLength } from '../../access/passwords.ts';
import type { IssuedSession } from '../../access/sessions.ts';
import { disabled, enabled, type User } from '../../access/users.ts';
import { TableStore } from '../../db/table-store.ts';
import { signinsPerMinute } from '../../limits.ts';
import { credential, refuseForeignOrigin, requirePermission } from '../access-hook.ts';
import { clearSession, setSession } from '../cookies.ts';
import { defined } from '../crud.ts';
import { pageQuery, searchQuery, setPageHeaders, toPage, toSearch } from '../paging.ts';
import type { RestParts } from '../parts.ts';
import { callerOf, sendNothing, type RestApp } from '../request.ts';
import { idParams, idSchema, nothing, stamps, timestamps } from '../schemas.ts';

const text = (maxLength: number) => z.string().max(maxLength).optional();
const password = z.string().min(minPasswordLength).max(maxPasswordLength);
const userName = z
  .string()
  .min(3)
  .max(64)
  .regex(/^[A-Za-z0-9._@-]+$/, 'may have letters, digits and . _ @ -');
const profile = {
  email: z.union([z.email(), z.literal('')]).optional(),
  phone: text(255),
  avatar: text(1024),
  location: text(1024),
  bio: text(1024),
};

export const userSchema = z
  .object({
    ...timestamps,
    name: z.string(),
    email: z.string(),
    phone: z.string(),
    avatar: z.string(),
    state: z.string(),
    location: z.string(),
    bio: z.string(),
    must_change_password: z.boolean(),
  })
  .meta({ id: 'User' });

const sessionSchema = z.object({ token: z.string(), expire: z.string() }).meta({ id: 'Session' });

/** Failed sign-ins are throttled per client address. */
const signinLimit = { rateLimit: { max: signinsPerMinute, timeWindow: 60_000 } };

export function userRoutes(app: RestApp, parts: RestParts): void {
  signingRoutes(app, parts);
  accountRoutes(app, parts);
  roleRoutes(app, parts);
}

function signingRoutes(app: RestApp, { access, config }: RestParts): void {
  const { users, sessions, authorizer } = access;
  const origins = new Set(config.server.rest.allowedOrigins);
  const isPublic = { access: { kind: 'public' } as const };
  const json = ({ token, expiresAt }: IssuedSession) => ({ token, expire: expiresAt.toISOString() });

  app.post(
    '/users/signin',
    {
      config: { ...isPublic, ...signinLimit },
      schema: {
        summary: 'Sign in',
        body: z.object({ name: z.string().max(255), password: z.string().max(255) }),
        response: { 200: sessionSchema },
      },
    },
    async (request, reply) => {
      refuseForeignOrigin(request, origins);
      const user = await users.signIn(request.body.name, request.body.password, request.ip);
      const session = await sessions.issue(user.id);
      setSession(request, reply, session, config.auth.secureCookie);
      return json(session);
    },
  );
  app.post(
    '/users/signout',
    { config: isPublic, schema: { summary: 'Sign out', response: { 200: nothing } } },
    async (request, reply) => {
      refuseForeignOrigin(request, origins);
      const { token } = credential(request);
      const caller = token === undefined ? undefined : await sessions.verify(token);
      if (caller?.sessionId !== undefined) await sessions.revoke(caller.sessionId);
      clearSession(reply);
      return sendNothing(reply);
    },
  );
  app.post(
    '/users/refresh_token',
    {
      config: { ...isPublic, ...signinLimit },
      schema: { summary: 'A new session for the old one', response: { 200: sessionSchema } },
    },
    async (request, reply) => {
      refuseForeignOrigin(request, origins);
      const session = await sessions.refresh(credential(request).token ?? '');
      setSession(request, reply, session, config.auth.secureCookie);
      return json(session);
    },
  );
  const { signUp } = config.auth;
  // The original's console also creates accounts for others this way, so users with the right to do that may use it.
  const caller = signUp ? isPublic : ({ access: { kind: 'session', object: 'users' } } as const);
  app.post(
    '/users/signup',
    {
      config: { ...caller, ...signinLimit },
      schema: {
        summary: signUp ? 'Create a guest account' : 'Create a guest account for somebody, as the original does',
        body: z.object({ ...profile, name: userName, password, email: z.email() }),
        response: { 200: userSchema },
      },
    },
    async (request) => {
      if (!signUp) await authorizer.requireRights(callerOf(request).userId, await authorizer.permissions(guestRole));
      return toUserJson(await users.get(await users.create(request.body, guestRole)));
    },
  );
}

function accountRoutes(app: RestApp, parts: RestParts): void {
  const { access, database, changes } = parts;
  const { users, authorizer } = access;
  /** The right to manage users does not cover users with more rights. */
  const requireNotAbove = async (caller: Caller, userId: number): Promise<void> => {
    if (caller.userId !== userId) await authorizer.requireRights(caller.userId, await authorizer.rightsOf(userId));
  };
  const store = new TableStore(database, changes, 'user', 'user');
  const session = { access: { kind: 'session', object: 'users' } as const };
  const self = { access: { ...session.access, self: true } };

  app.post(
    '/users',
    {
      config: session,
      schema: {
        summary: 'Create a guest account for somebody',
        body: z.object({ ...profile, name: userName, password }),
        response: { 200: userSchema },
      },
    },
    async (request) => {
      await authorizer.requireRights(callerOf(request).userId, await authorizer.permissions(guestRole));
      return toUserJson(await users.get(await users.create(request.body, guestRole)));
    },
  );
  app.get(
    '/users',
    {
      config: session,
      schema: {
        summary: 'List users',
        querystring: z.object({
          ...pageQuery,
          ...searchQuery,
          name: text(255),
          email: text(255),
          location: text(1024),
          state: z.enum([enabled, disabled]).optional(),
        }),
        response: { 200: z.array(userSchema) },
      },
    },
    async (request, reply) => {
      const { page, per_page, search, ...filter } = request.query;
      const bounds = toPage({ page, per_page });
      const { rows, total } = await store.list(filter, bounds, {
        search: toSearch(search, ['name', 'email', 'location']),
      });
      setPageHeaders(request, reply, bounds, total);
      return rows.map(toUserJson);
    },
  );
  app.get(
    '/users/:id',
    { config: self, schema: { summary: 'One user', params: idParams, response: { 200: userSchema } } },
    async (request) => toUserJson(await users.get(request.params.id)),
  );
  app.patch(
    '/users/:id',
    {
      config: self,
      schema: {
        summary: 'Change a user',
        params: idParams,
        body: z.object({ ...profile, state: z.enum([enabled, disabled]).optional() }),
        response: { 200: userSchema },
      },
    },
    async (request) => {
      const caller = callerOf(request);
      await requireNotAbove(caller, request.params.id);
      if (request.body.state !== undefined) {
        await requirePermission(access, caller, 'users', request.method);
        if (caller.userId === request.params.id)
          throw new DragonflyError('FAILED_PRECONDITION', 'nobody can disable himself');
      }
      return toUserJson(await users.update(request.params.id, defined(request.body)));
    },
  );
  app.delete(
    '/users/:id',
    { config: session, schema: { summary: 'Delete a user', params: idParams, response: { 200: nothing } } },
    async (request, reply) => {
      if (callerOf(request).userId === request.params.id)
        throw new DragonflyError('FAILED_PRECONDITION', 'nobody can delete himself');
      await requireNotAbove(callerOf(request), request.params.id);
      await users.delete(request.params.id);
      return sendNothing(reply);
    },
  );
  app.post(
    '/users/:id/reset_password',
    {
      config: { access: { kind: 'signed-in' }, ...signinLimit },
      schema: {
        summary: 'Change a password; every session of the user ends',
        params: idParams,
        body: z.object({ old_password: z.string().max(255), new_password: password }),
        response: { 200: nothing },
      },
    },
    async (request, reply) => {
      if (callerOf(request).userId !== request.params.id)
        throw new DragonflyError('PERMISSION_DENIED', 'permission deny');
      const { old_password: oldPassword, new_password: newPassword } = request.body;
      await users.changePassword(request.params.id, { oldPassword, newPassword, address: request.ip });
      return sendNothing(reply);
    },
  );
}

function roleRoutes(app: RestApp, { access }: RestParts): void {
  const { users, authorizer } = access;
  const config = { access: { kind: 'session', object: 'users' } as const };
  const params = z.object({ id: idSchema, role: z.string().min(1).max(100) });
  const requireRole = async ({ userId }: Caller, role: string): Promise<void> =>
    authorizer.requireRights(userId, await authorizer.permissions(role));
  app.get(
    '/users/:id/roles',
    {
      config: { access: { ...config.access, self: true } },
      schema: { summary: 'Roles of a user', params: idParams, response: { 200: z.array(z.string()) } },
    },
    (request) => authorizer.rolesOf(request.params.id),
  );
  app.put(
    '/users/:id/roles/:role',
    { config, schema: { summary: 'Give a role', params, response: { 200: nothing } } },
    async (request, reply) => {
      await users.get(request.params.id);
      await requireRole(callerOf(request), request.params.role);
      await authorizer.grant(request.params.id, request.params.role);
      return sendNothing(reply);
    },
  );
  app.delete(
    '/users/:id/roles/:role',
    { config, schema: { summary: 'Take a role', params, response: { 200: nothing } } },
    async (request, reply) => {
      await requireRole(callerOf(request), request.params.role);
      await authorizer.revoke(request.params.id, request.params.role);
      return sendNothing(reply);
    },
  );
}

export function toUserJson(user: User): z.output<typeof userSchema> {
  return {
    ...stamps(user),
    name: user.name,
    email: user.email ?? '',
    phone: user.phone,
    avatar: user.avatar,
    state: user.state,
    location: user.location,
    bio: user.bio,
    must_change_password: user.must_change_password === 1,
  };
}
