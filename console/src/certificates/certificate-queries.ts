import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, dataOf, pageOf, type Schemas } from '../api/client.ts';

export type Certificate = Schemas['Certificate'];
export type JoinToken = Schemas['JoinToken'];

interface Page {
  readonly page: number;
  readonly per_page: number;
}

export const certificatesKey = ['certificates'] as const;
/** The manager tells of join tokens as changes of certificates. */
export const joinTokensKey = ['certificates', 'join-tokens'] as const;

export function certificatesQuery(query: Page) {
  return queryOptions({
    queryKey: [...certificatesKey, 'list', query],
    queryFn: ({ signal }) => pageOf(api.GET('/api/v1/certificates', { params: { query: { ...query } }, signal })),
    placeholderData: keepPreviousData,
  });
}

export const authorityQuery = queryOptions({
  queryKey: [...certificatesKey, 'authority'],
  queryFn: ({ signal }) => dataOf(api.GET('/api/v1/certificates/authority', { signal })),
});

export function joinTokensQuery(query: Page) {
  return queryOptions({
    queryKey: [...joinTokensKey, query],
    queryFn: ({ signal }) => pageOf(api.GET('/api/v1/join-tokens', { params: { query: { ...query } }, signal })),
    placeholderData: keepPreviousData,
  });
}

/** Red from here on: nothing renews what has not been renewed by now. */
const soonShare = 0.2;

export function stateOf({ created_at: from, expires_at: to, revoked_at: revoked }: Certificate, nowMs: number): string {
  if (revoked !== null) return 'revoked';
  const end = Date.parse(to);
  if (end < nowMs) return 'expired';
  return end - nowMs < (end - Date.parse(from)) * soonShare ? 'expiring' : 'valid';
}
