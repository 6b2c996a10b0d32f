/**
 * The one stream of events of a signed-in page. Changes make what is shown of their collection stale; traffic and tasks
 * go to whoever listens. A lost stream comes back by itself, says `reset`, and everything is read once more.
 */
import { useQueryClient, type QueryClient } from '@tanstack/react-query';
import { createContext, useContext, useEffect, useMemo, useState, useSyncExternalStore, type ReactNode } from 'react';
import { useMay } from '../session/use-session.ts';
import { EventStream, type LiveState } from './event-stream.ts';
import type { LiveEventMap } from './event-types.ts';
import { TrafficHistory, type Traffic } from './traffic-history.ts';

type Listener<Name extends keyof LiveEventMap> = (data: LiveEventMap[Name]) => void;

interface Live {
  readonly state: LiveState;
  readonly stream: EventStream<LiveEventMap> | undefined;
  readonly traffic: TrafficHistory;
}

const LiveContext = createContext<Live | undefined>(undefined);

export function LiveEvents({ children }: { readonly children: ReactNode }): ReactNode {
  const client = useQueryClient();
  const allowed = useMay('events', 'read');
  const [state, setState] = useState<LiveState>('off');
  const [stream, setStream] = useState<EventStream<LiveEventMap>>();
  const [traffic] = useState(() => new TrafficHistory());
  useEffect(() => {
    if (!allowed) return;
    const opened = new EventStream<LiveEventMap>(new URL('api/v1/events', document.baseURI), setState);
    opened.on('change', ({ topic }) => void client.invalidateQueries({ queryKey: [topic] }));
    opened.on('history', ({ steps }) => traffic.restore(steps));
    opened.on('traffic', (data) => traffic.add(data));
    opened.on('reset', () => void refreshAll(client));
    setStream(opened);
    return () => {
      opened.close();
      setStream(undefined);
    };
  }, [allowed, client, traffic]);
  const live = useMemo(() => ({ state, stream, traffic }), [state, stream, traffic]);
  return <LiveContext value={live}>{children}</LiveContext>;
}

export function useLiveState(): LiveState {
  return useLive().state;
}

/** Undefined until the manager has said something. Renders anew with every second of traffic. */
export function useTraffic(): Traffic | undefined {
  const { traffic } = useLive();
  return useSyncExternalStore(traffic.subscribe, () => traffic.current);
}

/** How many nodes schedulers see, of one cluster or of all; 0 while that is not known. Renders anew when it changes. */
export function useNodesOnline(clusterId: number | undefined): number {
  const { traffic } = useLive();
  return useSyncExternalStore(traffic.subscribe, () => {
    if (clusterId === undefined) return traffic.current?.hosts ?? 0;
    return traffic.current?.clusters.find(({ scheduler_cluster_id: id }) => id === clusterId)?.hosts ?? 0;
  });
}

/** `listener` must keep its identity, or it is subscribed anew with each render. */
export function useLiveEvent<Name extends keyof LiveEventMap>(name: Name, listener: Listener<Name>): void {
  const { stream } = useLive();
  useEffect(() => stream?.on(name, listener), [stream, name, listener]);
}

function useLive(): Live {
  const live = useContext(LiveContext);
  if (!live) throw new Error('live events outside of LiveEvents');
  return live;
}

function refreshAll(client: QueryClient): Promise<void> {
  return client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'console' });
}
