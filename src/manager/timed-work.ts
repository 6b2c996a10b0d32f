/** Periodic jobs. One replica runs each; running twice does no harm. */
import type { Access } from './access/access.ts';
import type { Ca } from './ca/ca.ts';
import type { Members } from './clusters/members.ts';
import type { ManagerConfig } from './config.ts';
import type { ChangeFeed } from './db/change-feed.ts';
import type { Database } from './db/database.ts';
import type { TimedWork } from './db/timers.ts';
import { collect } from './jobs/collect.ts';
import type { Jobs } from './jobs/jobs.ts';
import type { ReleaseStore } from './releases/release-store.ts';
import { DistributionStore } from './traffic/distribution-store.ts';
import { DownloadStore } from './traffic/download-store.ts';
import { RecordingStore } from './traffic/recording-store.ts';
import { ShareStore } from './traffic/share-store.ts';
import { TrafficStore } from './traffic/traffic-store.ts';
import { syncPeers } from './jobs/sync-peers.ts';

const reapIntervalMs = 2_000;
const forgetIntervalMs = 60_000;
const collectIntervalMs = 30 * 60_000;
const pruneIntervalMs = 10 * 60_000;

export interface TimedParts {
  readonly config: ManagerConfig;
  readonly database: Database;
  readonly members: Members;
  readonly changes: ChangeFeed;
  readonly access: Access;
  readonly jobs: Jobs;
  readonly ca: Ca;
  readonly releases: ReleaseStore;
}

export function timedWork({
  config: { liveness, job },
  database,
  members,
  changes,
  access,
  jobs,
  ca,
  releases,
}: TimedParts): TimedWork[] {
  const startedMs = performance.now();
  return [
    {
      name: 'reap silent members',
      intervalMs: Math.min(reapIntervalMs, liveness.timeout),
      run: async () => {
        // After a start, members need time to return; otherwise daemons would learn of some schedulers only.
        if (performance.now() - startedMs >= liveness.timeout) await members.reap(liveness.timeout);
      },
    },
    { name: 'forget inactive members', intervalMs: forgetIntervalMs, run: () => members.forget(liveness.forgetAfter) },
    { name: 'prune changes', intervalMs: pruneIntervalMs, run: () => changes.prune() },
    { name: 'delete expired sessions', intervalMs: pruneIntervalMs, run: () => access.sessions.deleteExpired() },
    { name: 'delete old jobs', intervalMs: collectIntervalMs, run: (signal) => collect(jobs.collect, 'job', signal) },
    {
      name: 'delete old audit records',
      intervalMs: collectIntervalMs,
      run: (signal) => collect(jobs.collect, 'audit', signal),
    },
    {
      name: 'synchronise peers',
      intervalMs: job.syncPeers.interval,
      run: (signal) =>
        syncPeers(jobs.syncPeers, [], AbortSignal.any([signal, AbortSignal.timeout(job.syncPeers.timeout)])),
    },
    {
      name: 'forget old traffic',
      intervalMs: collectIntervalMs,
      run: async () => {
        const nowMs = Date.now();
        const stores = [TrafficStore, ShareStore, DistributionStore, DownloadStore, RecordingStore];
        for (const Store of stores) await new Store(database).prune(nowMs);
      },
    },
    { name: 'delete expired releases', intervalMs: collectIntervalMs, run: () => releases.prune() },
    { name: 'delete expired certificates', intervalMs: collectIntervalMs, run: () => ca.certificates.deleteExpired() },
  ];
}
