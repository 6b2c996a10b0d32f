/** A rule as the database has it. */
import type { Selectable } from 'kysely';
import { parseJson } from '../clusters/types.ts';
import type { ReplicationRuleTable } from '../db/replication-schema.ts';

export type RuleRow = Selectable<ReplicationRuleTable>;

/** How the target stands among clusters, whose ids begin with 1. */
export const targetId = 0;

export function tagPatternsOf({ tags }: Pick<RuleRow, 'tags'>): string[] {
  return parseJson<string[]>(tags, []);
}

export function clusterIdsOf({ cluster_ids: ids }: RuleRow): number[] {
  return parseJson<number[]>(ids, []);
}
