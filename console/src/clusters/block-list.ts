/** Block lists as flat fields: what may not be downloaded or uploaded, by kind of task. */
import type { BlockList } from './cluster-queries.ts';

export const blockKinds = [
  'task.download',
  'persistent_task.download',
  'persistent_task.upload',
  'persistent_cache_task.download',
  'persistent_cache_task.upload',
] as const;
export type BlockKind = (typeof blockKinds)[number];

export const blockRules = ['applications', 'urls', 'tags', 'priorities'] as const;
export type BlockRule = (typeof blockRules)[number];

type RuleFields = Readonly<Record<BlockRule, readonly string[]>>;
export type BlockFields = Readonly<Record<BlockKind, RuleFields>>;

const noRules: RuleFields = { applications: [], urls: [], tags: [], priorities: [] };

export const emptyBlockFields = Object.fromEntries(blockKinds.map((kind) => [kind, noRules])) as BlockFields;

/** Uploads have no priority. */
export function rulesOf(kind: BlockKind): readonly BlockRule[] {
  return kind.endsWith('.upload') ? blockRules.filter((rule) => rule !== 'priorities') : blockRules;
}

type Rules = Readonly<Partial<Record<BlockRule, readonly (string | number)[] | undefined>>>;
type Nested = Readonly<Record<string, Readonly<Record<string, Rules | undefined>> | undefined>>;

export function blockFieldsOf(list: BlockList | undefined): BlockFields {
  const nested = (list ?? {}) as Nested;
  const entries = blockKinds.map((kind) => {
    const [task = '', way = ''] = kind.split('.');
    const rules = nested[task]?.[way] ?? {};
    return [kind, Object.fromEntries(blockRules.map((rule) => [rule, (rules[rule] ?? []).map(String)]))];
  });
  return Object.fromEntries(entries) as BlockFields;
}

export function blockListOf(fields: BlockFields): BlockList {
  const list: Record<string, Record<string, Record<string, readonly (string | number)[]>>> = {};
  for (const kind of blockKinds) {
    const [task = '', way = ''] = kind.split('.');
    for (const rule of rulesOf(kind)) {
      const values = fields[kind][rule];
      if (values.length === 0) continue;
      const rules = ((list[task] ??= {})[way] ??= {});
      rules[rule] = rule === 'priorities' ? values.map(Number) : values;
    }
  }
  return list;
}

export function countRules(fields: BlockFields): number {
  return blockKinds
    .flatMap((kind) => blockRules.map((rule) => fields[kind][rule].length))
    .reduce((sum, count) => sum + count, 0);
}
