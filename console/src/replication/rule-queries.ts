import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, dataOf, pageOf, type Schemas } from '../api/client.ts';
import type { paths } from '../api/schema.d.ts';

export type Rule = Schemas['ReplicationRule'];
export type ReplicatedTag = Schemas['ReplicatedTag'];
export type CopyCounts = NonNullable<Rule['target_copies']>;

type ListQuery = NonNullable<paths['/api/v1/replication-rules']['get']['parameters']['query']>;
type TagsQuery = NonNullable<paths['/api/v1/replication-rules/{id}/tags']['get']['parameters']['query']>;

export const rulesKey = ['replication-rules'] as const;

/** Tags arrive while one looks. */
const refreshMs = 5_000;

export function rulesQuery(query: ListQuery) {
  return queryOptions({
    queryKey: [...rulesKey, 'list', query],
    queryFn: ({ signal }) => pageOf(api.GET('/api/v1/replication-rules', { params: { query }, signal })),
    placeholderData: keepPreviousData,
    refetchInterval: refreshMs,
  });
}

export function ruleQuery(id: number) {
  return queryOptions({
    queryKey: [...rulesKey, 'one', id],
    queryFn: ({ signal }) => dataOf(api.GET('/api/v1/replication-rules/{id}', { params: { path: { id } }, signal })),
    refetchInterval: refreshMs,
  });
}

export function tagsQuery(id: number, query: TagsQuery) {
  return queryOptions({
    queryKey: [...rulesKey, 'tags', id, query],
    queryFn: ({ signal }) =>
      pageOf(api.GET('/api/v1/replication-rules/{id}/tags', { params: { path: { id }, query }, signal })),
    placeholderData: keepPreviousData,
    refetchInterval: refreshMs,
  });
}

/** Wherever a rule brings its tags: to clusters, and to its target. */
export function copiesOf({ clusters, target_copies: target }: Rule): readonly CopyCounts[] {
  return target ? [...clusters, target] : clusters;
}

/** Of one place, or of several together. */
export function totalsOf(clusters: readonly CopyCounts[]): { proven: number; failed: number; all: number } {
  const sum = (count: (cluster: CopyCounts) => number): number =>
    clusters.reduce((total, cluster) => total + count(cluster), 0);
  return {
    proven: sum(({ proven }) => proven),
    failed: sum(({ failed }) => failed),
    all: sum(({ proven, copied, running, waiting, failed }) => proven + copied + running + waiting + failed),
  };
}
