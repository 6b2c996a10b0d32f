/** `/roles` and `/permissions`. */
import { z } from 'zod';
import { actions, objects } from '../../access/objects.ts';
import type { RestParts } from '../parts.ts';
import { callerOf, sendNothing, type RestApp } from '../request.ts';
import { nothing } from '../schemas.ts';

const roleName = z
  .string()
  .min(1)
  .max(100)
  .regex(/^[A-Za-z][A-Za-z0-9._-]*$/, 'must begin with a letter');
const permission = z.object({ object: z.enum(objects), action: z.enum(actions) }).meta({ id: 'Permission' });
const params = z.object({ role: z.string().min(1).max(100) });

export function roleRoutes(app: RestApp, { access: { authorizer } }: RestParts): void {
  const config = { access: { kind: 'session', object: 'roles' } as const };
  app.post(
    '/roles',
    {
      config,
      schema: {
        summary: 'Create a role',
        body: z.object({ role: roleName, permissions: z.array(permission).min(1).max(100) }),
        response: { 200: nothing },
      },
    },
    async (request, reply) => {
      await authorizer.requireRights(callerOf(request).userId, request.body.permissions);
      await authorizer.createRole(request.body.role, request.body.permissions);
      return sendNothing(reply);
    },
  );
  app.delete(
    '/roles/:role',
    { config, schema: { summary: 'Delete a role', params, response: { 200: nothing } } },
    async (request, reply) => {
      const { role } = request.params;
      await authorizer.requireRights(callerOf(request).userId, await authorizer.permissions(role));
      await authorizer.deleteRole(role);
      return sendNothing(reply);
    },
  );
  app.get('/roles', { config, schema: { summary: 'List roles', response: { 200: z.array(z.string()) } } }, () =>
    authorizer.roles(),
  );
  app.get(
    '/roles/:role',
    {
      config,
      schema: {
        summary: 'Permissions of a role, as [role, object, action]',
        params,
        response: { 200: z.array(z.array(z.string())) },
      },
    },
    async (request) => {
      const { role } = request.params;
      return (await authorizer.permissions(role)).map(({ object, action }) => [role, object, action]);
    },
  );
  app.post(
    '/roles/:role/permissions',
    { config, schema: { summary: 'Add a permission', params, body: permission, response: { 200: nothing } } },
    async (request, reply) => {
      await authorizer.requireRights(callerOf(request).userId, [request.body]);
      await authorizer.addPermission(request.params.role, request.body);
      return sendNothing(reply);
    },
  );
  app.delete(
    '/roles/:role/permissions',
    { config, schema: { summary: 'Remove a permission', params, body: permission, response: { 200: nothing } } },
    async (request, reply) => {
      await authorizer.requireRights(callerOf(request).userId, [request.body]);
      await authorizer.removePermission(request.params.role, request.body);
      return sendNothing(reply);
    },
  );
  app.get(
    '/permissions',
    {
      config: { access: { kind: 'session', object: 'permissions' } },
      schema: { summary: 'Every permission there is', response: { 200: z.array(permission) } },
    },
    () => objects.flatMap((object) => actions.map((action) => ({ object, action }))),
  );
}
