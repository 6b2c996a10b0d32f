import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, pageOf, type Schemas } from '../api/client.ts';
import type { paths } from '../api/schema.d.ts';

export type Token = Schemas['PersonalAccessToken'];
export type NewToken = paths['/api/v1/personal-access-tokens']['post']['requestBody']['content']['application/json'];
export type TokenScope = NonNullable<NewToken['scopes']>[number];

type ListQuery = NonNullable<paths['/api/v1/personal-access-tokens']['get']['parameters']['query']>;

export const tokensKey = ['personal-access-tokens'] as const;

export function tokensQuery(query: ListQuery) {
  return queryOptions({
    queryKey: [...tokensKey, 'list', query],
    queryFn: ({ signal }) => pageOf(api.GET('/api/v1/personal-access-tokens', { params: { query }, signal })),
    placeholderData: keepPreviousData,
  });
}
