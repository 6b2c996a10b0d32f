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
    const { room, freeAtMs } = paceOf(pace, endedBy.get(clusterId) ?? [], running);
    if (nowMs < freeAtMs) return [];
    return copies
      .filter(({ state, retry_at: retryAt }) => state === 'waiting' && retryAt <= nowMs)
      .toSorted((a, b) => a.attempt - b.attempt || a.id - b.id)
      .slice(0, room)
      .map(({ id }) => id);
  });
}

/** What of a rule waits for a time, not for an event. */
export interface Rests {
  /** The first tag that may be asked after; undefined when there is none. */
  readonly tagsAtMs: number | undefined;
  /** By cluster: the first copy that waits. */
  readonly copies: ReadonlyMap<number, number>;
}

/** When the rule is to be looked at though nothing happens; undefined when only an event gives it something to do. */
export function nextLookMs(
  rule: RuleTimes & Pace,
  { tagsAtMs, copies }: Rests,
  { running, ended }: { readonly running: readonly CopyTimes[]; readonly ended: readonly CopyTimes[] },
): number | undefined {
  if (rule.enabled === 0) return undefined;
  const endedBy = Map.groupBy(ended, (copy) => copy.cluster_id);
  const begins = [...copies].flatMap(([clusterId, atMs]) => {
    const count = running.filter((copy) => copy.cluster_id === clusterId).length;
    const { room, freeAtMs } = paceOf(rule, endedBy.get(clusterId) ?? [], count);
    return room > 0 ? [Math.max(atMs, freeAtMs)] : [];
  });
  const lists = [
    rule.asked_at > rule.listed_at ? rule.retry_at : Infinity,
    rule.interval_ms > 0 ? Math.max(rule.retry_at, rule.listed_at + rule.interval_ms) : Infinity,
  ];
  const first = Math.min(...lists, ...begins, tagsAtMs ?? Infinity);
  return first === Infinity ? undefined : first;
}

/** How many copies a cluster has room for beside those that run, and from when on. */
function paceOf(
  { concurrency, rate_bytes_per_sec: rate }: Pace,
  ended: readonly CopyTimes[],
  running: number,
): { readonly room: number; readonly freeAtMs: number } {
  const alone = running === 0 ? 1 : 0;
  const failures = failuresInARow(ended);
  if (failures >= replicationFailuresInARow) {
    const lastMs = Math.max(...ended.map((copy) => copy.ended_at));
    return { room: alone, freeAtMs: lastMs + restMs(failures - replicationFailuresInARow + 1) };
  }
  if (rate === 0) return { room: Math.max(0, concurrency - running), freeAtMs: 0 };
  // One after the other: each has the time that its bytes take at the rate.
  return {
    room: alone,
    freeAtMs: Math.max(0, ...ended.map(({ started_at: start, bytes }) => start + (bytes / rate) * 1000)),
  };
}

function failuresInARow(ended: readonly CopyTimes[]): number {
  const newestFirst = ended.toSorted((a, b) => b.ended_at - a.ended_at);
  const arrived = newestFirst.findIndex(({ attempt }) => attempt === 0);
  return arrived === -1 ? newestFirst.length : arrived;
}
