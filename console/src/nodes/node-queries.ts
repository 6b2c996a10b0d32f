import { keepPreviousData, queryOptions, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useRef } from 'react';
import { api, dataOf, pageOf, type PageOf, type Schemas } from '../api/client.ts';
import type { paths } from '../api/schema.d.ts';
import type { LiveEventMap, NodeKey } from '../events/event-types.ts';
import { useLiveEvent } from '../events/live-events.tsx';

export type Node = Schemas['Node'];
export type NodeState = Node['state'];
export type NodeDownload = Schemas['NodeDownload'];
export type NodeWithLog = Schemas['NodeWithLog'];

type ListQuery = NonNullable<paths['/api/v1/nodes']['get']['parameters']['query']>;

const listKey = ['nodes', 'list'] as const;
export const nodeStates: readonly NodeState[] = ['online', 'silent', 'lost', 'left'];

export function nodesQuery(query: ListQuery) {
  return queryOptions({
    queryKey: [...listKey, query],
    queryFn: ({ signal }): Promise<PageOf<Node>> => pageOf(api.GET('/api/v1/nodes', { params: { query }, signal })),
    placeholderData: keepPreviousData,
    // Events keep up to date what is on the screen alone.
    staleTime: 0,
  });
}

export function nodeQuery(id: string, cluster: number | undefined) {
  return queryOptions({
    queryKey: ['nodes', 'one', id, cluster],
    queryFn: ({ signal }): Promise<NodeWithLog> =>
      dataOf(
        api.GET('/api/v1/nodes/{id}', { params: { path: { id }, query: { scheduler_cluster_id: cluster } }, signal }),
      ),
    staleTime: 0,
  });
}

const shownDownloads = 20;

export function nodeDownloadsQuery(id: string, cluster: number | undefined) {
  return queryOptions({
    // Read anew with everything of nodes, whenever one of them changes.
    queryKey: ['nodes', 'downloads', id, cluster],
    queryFn: ({ signal }): Promise<PageOf<NodeDownload>> => {
      const query = { scheduler_cluster_id: cluster, per_page: shownDownloads };
      return pageOf(api.GET('/api/v1/nodes/{id}/downloads', { params: { path: { id }, query }, signal }));
    },
    staleTime: 0,
  });
}

/** Nodes that come and go change pages and totals, states change what a filter lets through: read anew, not more often than this. */
const rereadMs = 1_000;

/** Keeps what is shown of nodes as the schedulers tell it. */
export function useLiveNodes(): void {
  const client = useQueryClient();
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const update = useCallback(
    ({ changed }: LiveEventMap['nodes']) => {
      const byKey = new Map(changed.map((node) => [keyOf(node), node]));
      client.setQueriesData<PageOf<Node>>({ queryKey: listKey }, (page) => {
        return page && { ...page, rows: page.rows.map((row) => byKey.get(keyOf(row)) ?? row) };
      });
      if (timer.current !== undefined) return;
      timer.current = setTimeout(() => {
        timer.current = undefined;
        void client.invalidateQueries({ queryKey: ['nodes'] });
      }, rereadMs);
    },
    [client],
  );
  useLiveEvent('nodes', update);
}

export function keyOf({ id, scheduler_cluster_id: cluster }: NodeKey): string {
  return `${cluster} ${id}`;
}

export function pathOf({ id, scheduler_cluster_id: cluster }: NodeKey): string {
  return `/nodes/${encodeURIComponent(id)}?cluster=${cluster}`;
}

/** A filter's text as the API takes it. */
export function nodeStateOf(text: string | undefined): NodeState | undefined {
  return nodeStates.find((state) => state === text);
}
