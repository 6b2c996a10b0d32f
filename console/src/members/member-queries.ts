import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, dataOf, pageOf, type Schemas } from '../api/client.ts';
import type { paths } from '../api/schema.d.ts';

export type Scheduler = Schemas['Scheduler'];
export type SeedPeer = Schemas['SeedPeer'];
export type Peer = Schemas['Peer'];
export type MemberState = 'active' | 'inactive';

type Query<Path extends '/api/v1/schedulers' | '/api/v1/seed-peers' | '/api/v1/peers'> = NonNullable<
  paths[Path]['get']['parameters']['query']
>;

export function schedulersQuery(query: Query<'/api/v1/schedulers'>) {
  return queryOptions({
    queryKey: ['schedulers', 'list', query],
    queryFn: ({ signal }) => pageOf(api.GET('/api/v1/schedulers', { params: { query }, signal })),
    placeholderData: keepPreviousData,
  });
}

export function schedulerQuery(id: number) {
  return queryOptions({
    queryKey: ['schedulers', 'one', id],
    queryFn: ({ signal }) => dataOf(api.GET('/api/v1/schedulers/{id}', { params: { path: { id } }, signal })),
  });
}

export function seedPeersQuery(query: Query<'/api/v1/seed-peers'>) {
  return queryOptions({
    queryKey: ['seed-peers', 'list', query],
    queryFn: ({ signal }) => pageOf(api.GET('/api/v1/seed-peers', { params: { query }, signal })),
    placeholderData: keepPreviousData,
  });
}

export function peersQuery(query: Query<'/api/v1/peers'>) {
  return queryOptions({
    queryKey: ['peers', 'list', query],
    queryFn: ({ signal }) => pageOf(api.GET('/api/v1/peers', { params: { query }, signal })),
    placeholderData: keepPreviousData,
  });
}

export const schedulerFeaturesQuery = queryOptions({
  queryKey: ['scheduler-features'],
  queryFn: ({ signal }) => dataOf(api.GET('/api/v1/scheduler-features', { signal })),
  staleTime: Infinity,
});

/** A filter's text as the API takes it. */
export function stateOf(text: string | undefined): MemberState | undefined {
  return text === 'active' || text === 'inactive' ? text : undefined;
}
