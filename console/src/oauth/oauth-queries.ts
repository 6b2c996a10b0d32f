import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, pageOf, type Schemas } from '../api/client.ts';
import type { paths } from '../api/schema.d.ts';

export type OauthProvider = Schemas['OAuthProvider'];

type ListQuery = NonNullable<paths['/api/v1/oauth']['get']['parameters']['query']>;

export function oauthQuery(query: ListQuery) {
  return queryOptions({
    queryKey: ['oauth', 'list', query],
    queryFn: ({ signal }) => pageOf(api.GET('/api/v1/oauth', { params: { query }, signal })),
    placeholderData: keepPreviousData,
  });
}
