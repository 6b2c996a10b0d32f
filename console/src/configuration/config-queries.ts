import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, pageOf, type Schemas } from '../api/client.ts';
import type { paths } from '../api/schema.d.ts';

export type Config = Schemas['Config'];

type ListQuery = NonNullable<paths['/api/v1/configs']['get']['parameters']['query']>;

export function configsQuery(query: ListQuery) {
  return queryOptions({
    queryKey: ['configs', 'list', query],
    queryFn: ({ signal }) => pageOf(api.GET('/api/v1/configs', { params: { query }, signal })),
    placeholderData: keepPreviousData,
  });
}
