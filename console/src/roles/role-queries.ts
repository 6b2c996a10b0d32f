import { queryOptions } from '@tanstack/react-query';
import { api, dataOf, type Schemas } from '../api/client.ts';

export type Permission = Schemas['Permission'];

export const rolesQuery = queryOptions({
  queryKey: ['roles', 'list'],
  queryFn: ({ signal }) => dataOf(api.GET('/api/v1/roles', { signal })),
});

export const permissionsQuery = queryOptions({
  queryKey: ['permissions'],
  queryFn: ({ signal }) => dataOf(api.GET('/api/v1/permissions', { signal })),
  staleTime: Infinity,
});

export function roleQuery(role: string) {
  return queryOptions({
    queryKey: ['roles', 'one', role],
    queryFn: async ({ signal }): Promise<Permission[]> => {
      const rows = await dataOf(api.GET('/api/v1/roles/{role}', { params: { path: { role } }, signal }));
      return rows.map(([, object, action]) => ({ object, action }) as Permission);
    },
  });
}

/** Roles the manager itself keeps as they are. */
export const builtInRoles: ReadonlySet<string> = new Set(['root', 'guest']);
