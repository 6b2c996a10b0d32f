import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, dataOf, pageOf, type Schemas } from '../api/client.ts';
import type { paths } from '../api/schema.d.ts';

export type User = Schemas['User'];

type ListQuery = NonNullable<paths['/api/v1/users']['get']['parameters']['query']>;

export function usersQuery(query: ListQuery) {
  return queryOptions({
    queryKey: ['users', 'list', query],
    queryFn: ({ signal }) => pageOf(api.GET('/api/v1/users', { params: { query }, signal })),
    placeholderData: keepPreviousData,
  });
}

export function userQuery(id: number) {
  return queryOptions({
    queryKey: ['users', 'one', id],
    queryFn: ({ signal }) => dataOf(api.GET('/api/v1/users/{id}', { params: { path: { id } }, signal })),
  });
}

export function userRolesQuery(id: number) {
  return queryOptions({
    queryKey: ['users', 'roles', id],
    queryFn: ({ signal }) => dataOf(api.GET('/api/v1/users/{id}/roles', { params: { path: { id } }, signal })),
  });
}
