import { keepPreviousData, queryOptions, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useRef } from 'react';
import { api, pageOf, type PageOf } from '../api/client.ts';
import type { paths } from '../api/schema.d.ts';
import type { LiveEventMap, TaskKey, TaskSummary } from '../events/event-types.ts';
import { useLiveEvent } from '../events/live-events.tsx';

type ListQuery = NonNullable<paths['/api/v1/tasks']['get']['parameters']['query']>;

const listKey = ['tasks', 'list'] as const;

export function tasksQuery(query: ListQuery) {
  return queryOptions({
    queryKey: [...listKey, query],
    queryFn: ({ signal }): Promise<PageOf<TaskSummary>> =>
      pageOf(api.GET('/api/v1/tasks', { params: { query }, signal })),
    placeholderData: keepPreviousData,
    // Events keep up to date what is on the screen alone: a list one comes back to is read anew.
    staleTime: 0,
  });
}

/** New and vanished tasks change pages and totals: these are read anew, not more often than this. */
const rereadMs = 2_000;

/** Keeps every list of tasks on the screen as the schedulers tell it. */
export function useLiveTasks(): void {
  const client = useQueryClient();
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const update = useCallback(
    ({ changed, removed }: LiveEventMap['tasks']) => {
      const byKey = new Map(changed.map((task) => [keyOf(task), task]));
      const known = new Set<string>();
      client.setQueriesData<PageOf<TaskSummary>>({ queryKey: listKey }, (page) => {
        for (const row of page?.rows ?? []) known.add(keyOf(row));
        return page && { ...page, rows: page.rows.map((row) => byKey.get(keyOf(row)) ?? row) };
      });
      const moved = removed.some((task) => known.has(keyOf(task))) || changed.some((task) => !known.has(keyOf(task)));
      if (!moved || timer.current !== undefined) return;
      timer.current = setTimeout(() => {
        timer.current = undefined;
        void client.invalidateQueries({ queryKey: listKey });
      }, rereadMs);
    },
    [client],
  );
  useLiveEvent('tasks', update);
}

export function keyOf({ id, scheduler_cluster_id: cluster }: TaskKey): string {
  return `${cluster} ${id}`;
}

/** The last part of the path, or the digest when it is a blob of a registry. */
export function nameOf({ url, id }: Pick<TaskSummary, 'url' | 'id'>): string {
  const path = url.split(/[?#]/, 1)[0] ?? '';
  const digest = /sha256:([0-9a-f]{12})/.exec(path)?.[0];
  return digest ?? (path.split('/').filter(Boolean).at(-1) || `${id.slice(0, 12)}…`);
}

/** Which share of what all peers want is there. */
export function spreadOf({ peers, peers_finished: finished, content_length: length, ...task }: TaskSummary): number {
  if (peers === 0) return 0;
  const moved = length === 0 ? 0 : (task.origin_bytes + task.peer_bytes) / (length * peers);
  // Bytes fetched twice, and those of peers that left, count too: only the peers themselves say that all is there.
  return Math.max(finished / peers, Math.min(moved, 0.99));
}

/** How often the origin was read in full. */
export function originCopiesOf({ origin_bytes: bytes, content_length: length }: TaskSummary): number {
  return length > 0 ? bytes / length : 0;
}
