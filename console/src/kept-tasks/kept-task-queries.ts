import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, dataOf, pageOf, type PageOf } from '../api/client.ts';
import type { paths } from '../api/schema.d.ts';

type List = paths['/api/v1/persistent-cache-tasks']['get'];
type ListQuery = NonNullable<List['parameters']['query']>;

export type KeptTask = List['responses'][200]['content']['application/json'][number];

export const keptTasksKey = ['kept-tasks'] as const;

/** Replicas are made and lost while one looks. */
const refreshMs = 5_000;

export function keptTasksQuery(query: ListQuery) {
  return queryOptions({
    queryKey: [...keptTasksKey, query],
    queryFn: ({ signal }): Promise<PageOf<KeptTask>> =>
      pageOf(api.GET('/api/v1/persistent-cache-tasks', { params: { query }, signal })),
    placeholderData: keepPreviousData,
    refetchInterval: refreshMs,
  });
}

export async function deleteKeptTask({ id, scheduler_cluster_id: cluster }: KeptTask): Promise<void> {
  const params = { path: { id }, query: { scheduler_cluster_id: cluster } };
  await dataOf(api.DELETE('/api/v1/persistent-cache-tasks/{id}', { params }));
}
