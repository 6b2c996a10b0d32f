/** The scheduler.v2.SchedulerLive service. */
import { setTimeout as delay } from 'node:timers/promises';
import { DragonflyError } from '../../core/errors.ts';
import { redact } from '../../core/redact.ts';
import type { CallContext } from '../../rpc/call-context.ts';
import type { SchedulerLiveDefinition } from '../../../gen/scheduler/v2/live.ts';
import type { Handlers } from '../../rpc/server/server.ts';
import type { Brain } from '../brain.ts';
import { defaultFrameIntervalMs, maxFrameIntervalMs, minFrameIntervalMs } from '../limits.ts';
import { listKeptTasks } from '../replicas/persistent-cache-rpc.ts';
import type { ReplicaDesk } from '../replicas/replica-desk.ts';
import { TasksWatcher, TaskWatcher } from './frames.ts';
import { HostsWatcher } from './host-frames.ts';
import { recordingOf, TrafficWatcher } from './traffic-frames.ts';

/** A frame is built only after the previous one was sent, so a slow watcher gets fewer and larger frames. */
export function liveRpc(brain: Brain, replicas: ReplicaDesk): Handlers<typeof SchedulerLiveDefinition> {
  return {
    ...listKeptTasks(brain, replicas),

    watchTasks: async function* ({ intervalMs }, context) {
      const watcher = new TasksWatcher(brain);
      for await (const _tick of ticks(intervalMs, context)) {
        const frame = watcher.next();
        if (!frame) continue;
        yield { ...frame, tasks: frame.tasks.map((task) => ({ ...task, url: redact(task.url) })) };
      }
    },

    watchTask: async function* ({ taskId, intervalMs }, context) {
      const watcher = new TaskWatcher(brain, taskId);
      for await (const _tick of ticks(intervalMs, context)) {
        const frame = watcher.next();
        if (frame === 'gone') throw new DragonflyError('NOT_FOUND', `this scheduler knows no task ${taskId}`);
        if (!frame) continue;
        yield frame.task ? { ...frame, task: { ...frame.task, url: redact(frame.task.url) } } : frame;
      }
    },

    watchHosts: async function* ({ intervalMs }, context) {
      const watcher = new HostsWatcher(brain);
      for await (const _tick of ticks(intervalMs, context)) yield* watcher.next();
    },

    getRecording: async ({ startedAtMs, number }) => recordingOf(brain, startedAtMs, number),

    watchTraffic: async function* ({ intervalMs }, context) {
      const watcher = new TrafficWatcher(brain);
      for await (const _tick of ticks(intervalMs, context)) yield* watcher.next();
    },
  };
}

/** Yields at once, then after each interval, until the watcher leaves or the server stops. */
async function* ticks(intervalMs: number, { signal, draining }: CallContext): AsyncGenerator<void, void, undefined> {
  const ends = AbortSignal.any([signal, draining]);
  const pauseMs = Math.min(Math.max(minFrameIntervalMs, intervalMs || defaultFrameIntervalMs), maxFrameIntervalMs);
  while (!ends.aborted) {
    yield;
    await delay(pauseMs, undefined, { signal: ends }).catch(() => undefined);
  }
}
