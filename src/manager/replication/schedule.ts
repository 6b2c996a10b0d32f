/** Decides what a rule does next: when its tags are listed, and which clusters get which tag now. Pure. */
import { firstReplicationRetryMs, longestReplicationRetryMs, replicationFailuresInARow } from '../limits.ts';

export interface RuleTimes {
  readonly enabled: number;
  readonly interval_ms: number;
  readonly asked_at: number;
  readonly listed_at: number;
  readonly retry_at: number;
}

/** True when a list was requested since the last one, or the interval is over; after a failure not before the pause is over. */
export function isListDue(rule: RuleTimes, nowMs: number): boolean {
  if (rule.enabled === 0 || nowMs < rule.retry_at) return false;
  if (rule.asked_at > rule.listed_at) return true;
  return rule.interval_ms > 0 && nowMs >= rule.listed_at + rule.interval_ms;
}

/** The pause after the n-th failure in a row. */
export function restMs(failures: number): number {
  return Math.min(longestReplicationRetryMs, firstReplicationRetryMs * 2 ** Math.min(failures - 1, 16));
}

export interface CopyTimes {
  readonly id: number;
  readonly cluster_id: number;
  readonly state: string;
  readonly attempt: number;
  readonly retry_at: number;
  readonly started_at: number;
  readonly ended_at: number;
  readonly bytes: number;
}

export interface Pace {
  /** How many tags a cluster gets at once. */
  readonly concurrency: number;
  /** The average rate of one cluster; 0 for no limit. */
  readonly rate_bytes_per_sec: number;
}

/**
 * Ids of the copies that begin now. Each cluster goes at its own pace, so that one whose link is cut keeps nobody else waiting; after
 * some failures in a row it is tried with one copy at a time, until that one arrives. What failed before comes behind what
 * was not tried yet.
 *
 * @param open copies that are waiting or running. @param ended the last ones that came to an end, however they did.
 */
export function copiesToStart(
  pace: Pace,
  { open, ended }: { readonly open: readonly CopyTimes[]; readonly ended: readonly CopyTimes[] },
  nowMs: number,
): number[] {
  const endedBy = Map.groupBy(ended, (copy) => copy.cluster_id);
  return [...Map.groupBy(open, (copy) => copy.cluster_id)].flatMap(([clusterId, copies]) => {
    const running = copies.filter(({ state }) => state === 'running').length;
    const room = roomOf(pace, endedBy.get(clusterId) ?? [], { running, nowMs });
    return copies
      .filter(({ state, retry_at: retryAt }) => state === 'waiting' && retryAt <= nowMs)
      .toSorted((a, b) => a.attempt - b.attempt || a.id - b.id)
      .slice(0, room)
      .map(({ id }) => id);
  });
}

function roomOf(
  { concurrency, rate_bytes_per_sec: rate }: Pace,
  ended: readonly CopyTimes[],
  { running, nowMs }: { readonly running: number; readonly nowMs: number },
): number {
  const failures = failuresInARow(ended);
  if (failures >= replicationFailuresInARow) {
    const lastMs = Math.max(...ended.map((copy) => copy.ended_at));
    const rested = nowMs >= lastMs + restMs(failures - replicationFailuresInARow + 1);
    return running === 0 && rested ? 1 : 0;
  }
  if (rate === 0) return Math.max(0, concurrency - running);
  // In sequence: each copy has the time that its bytes take at the rate.
  const freeAtMs = Math.max(0, ...ended.map(({ started_at: start, bytes }) => start + (bytes / rate) * 1000));
  return running === 0 && nowMs >= freeAtMs ? 1 : 0;
}

function failuresInARow(ended: readonly CopyTimes[]): number {
  const newestFirst = ended.toSorted((a, b) => b.ended_at - a.ended_at);
  const arrived = newestFirst.findIndex(({ attempt }) => attempt === 0);
  return arrived === -1 ? newestFirst.length : arrived;
}
