import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, dataOf, pageOf, type Schemas } from '../api/client.ts';
import type { paths } from '../api/schema.d.ts';

export type TrafficShare = Schemas['TrafficShare'];
export type TrafficFigures = Schemas['TrafficFigures'];
export type Distribution = Schemas['Distribution'];
export type HotTask = Schemas['HotTask'];

export const shareKinds = ['application', 'tag', 'zone', 'node', 'origin'] as const;
export type ShareKind = (typeof shareKinds)[number];

const dayMs = 86_400_000;
/** How long each range is, and how long one bar of its chart. */
export const ranges = {
  day: { lengthMs: dayMs, barMs: dayMs / 24 },
  week: { lengthMs: 7 * dayMs, barMs: dayMs },
  month: { lengthMs: 30 * dayMs, barMs: dayMs },
  year: { lengthMs: 364 * dayMs, barMs: 7 * dayMs },
} as const;
export type Range = keyof typeof ranges;
export const rangeNames = ['day', 'week', 'month', 'year'] as const;

export const distributionSorts = ['ended', 'slowest', 'bytes', 'origin', 'failures'] as const;

const freshMs = 30_000;
const shownShares = 50;
const fresh = { placeholderData: keepPreviousData, staleTime: freshMs, refetchInterval: freshMs };

export function sharesQuery(by: ShareKind, range: Range) {
  return queryOptions({
    queryKey: ['traffic', 'shares', by, range],
    queryFn: ({ signal }) => {
      const query = { by, from_ms: Date.now() - ranges[range].lengthMs, limit: shownShares };
      return dataOf(api.GET('/api/v1/traffic/shares', { params: { query }, signal }));
    },
    ...fresh,
  });
}

/** Null when it got and gave nothing. */
export function shareQuery(by: ShareKind, name: string, range: Range) {
  return queryOptions({
    queryKey: ['traffic', 'share', by, name, range],
    queryFn: async ({ signal }): Promise<TrafficShare | null> => {
      const query = { by, name, from_ms: Date.now() - ranges[range].lengthMs };
      const { shares } = await dataOf(api.GET('/api/v1/traffic/shares', { params: { query }, signal }));
      return shares[0] ?? null;
    },
    ...fresh,
  });
}

export function shareStepsQuery(by: ShareKind, name: string, range: Range) {
  return queryOptions({
    queryKey: ['traffic', 'steps', by, name, range],
    queryFn: async ({ signal }) => {
      const toMs = Date.now() + 1;
      const query = { by, name, from_ms: toMs - ranges[range].lengthMs, to_ms: toMs };
      return { toMs, steps: await dataOf(api.GET('/api/v1/traffic/shares/steps', { params: { query }, signal })) };
    },
    ...fresh,
  });
}

type DistributionsQuery = NonNullable<paths['/api/v1/traffic/distributions']['get']['parameters']['query']>;

export function distributionsQuery(range: Range, query: Omit<DistributionsQuery, 'from_ms'>) {
  return queryOptions({
    queryKey: ['traffic', 'distributions', range, query],
    queryFn: ({ signal }) => {
      const within = { ...query, from_ms: Date.now() - ranges[range].lengthMs };
      return pageOf(api.GET('/api/v1/traffic/distributions', { params: { query: within }, signal }));
    },
    ...fresh,
  });
}

/** @param month like 2026-11. */
export function reportQuery(month: string) {
  return queryOptions({
    queryKey: ['traffic', 'report', month],
    queryFn: ({ signal }) => dataOf(api.GET('/api/v1/traffic/report', { params: { query: { month } }, signal })),
    ...fresh,
  });
}

/** Of what came, the part that the origin did not have to send; undefined when nothing came. */
export function savedShare({ origin_bytes: origin, peer_bytes: peers }: TrafficFigures): number | undefined {
  return origin + peers === 0 ? undefined : peers / (origin + peers);
}
