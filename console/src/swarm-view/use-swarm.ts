/** One task's swarm, live for as long as somebody looks. */
import { useEffect, useState, useSyncExternalStore } from 'react';
import { EventStream, type LiveState } from '../events/event-stream.ts';
import type { TaskEventMap } from '../events/event-types.ts';
import { SwarmModel } from './swarm-model.ts';

interface LiveSwarm {
  readonly model: SwarmModel;
  readonly state: LiveState;
  /** No scheduler knows the task right now. */
  readonly absent: boolean;
}

export function useSwarm(taskId: string, clusterId: string | undefined): LiveSwarm {
  const [state, setState] = useState<LiveState>('connecting');
  const [absent, setAbsent] = useState(false);
  const [model] = useState(() => new SwarmModel());
  useEffect(() => {
    const url = new URL(`api/v1/tasks/${encodeURIComponent(taskId)}/events`, document.baseURI);
    if (clusterId !== undefined) url.searchParams.set('scheduler_cluster_id', clusterId);
    const stream = new EventStream<TaskEventMap>(url, setState);
    stream.on('snapshot', (frame) => {
      setAbsent(false);
      model.reset(frame);
    });
    stream.on('absent', () => setAbsent(true));
    stream.on('delta', (frame) => model.apply(frame));
    return () => stream.close();
  }, [taskId, clusterId, model]);
  useSyncExternalStore(model.subscribe, () => model.version);
  return { model, state, absent };
}
