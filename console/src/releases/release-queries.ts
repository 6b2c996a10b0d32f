import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, dataOf, pageOf, type Schemas } from '../api/client.ts';
import type { paths } from '../api/schema.d.ts';

export type Release = Schemas['Release'];
export type Subscriber = Schemas['ReleaseSubscriber'];

type ListQuery = NonNullable<paths['/api/v1/releases']['get']['parameters']['query']>;
type SubscribersQuery = NonNullable<paths['/api/v1/releases/{name}/subscribers']['get']['parameters']['query']>;

const releasesKey = ['releases'] as const;

/** Subscribers report while one looks. */
const refreshMs = 5_000;

export function releasesQuery(query: ListQuery) {
  return queryOptions({
    queryKey: [...releasesKey, 'list', query],
    queryFn: ({ signal }) => pageOf(api.GET('/api/v1/releases', { params: { query }, signal })),
    placeholderData: keepPreviousData,
    refetchInterval: refreshMs,
  });
}

export function subscribersQuery(name: string, query: SubscribersQuery) {
  return queryOptions({
    queryKey: [...releasesKey, 'subscribers', name, query],
    queryFn: ({ signal }) =>
      pageOf(api.GET('/api/v1/releases/{name}/subscribers', { params: { path: { name }, query }, signal })),
    placeholderData: keepPreviousData,
    refetchInterval: refreshMs,
  });
}

export async function deleteRelease({ name, version }: Release): Promise<void> {
  const params = { path: { name, version } };
  await dataOf(api.DELETE('/api/v1/releases/{name}/versions/{version}', { params }));
}
