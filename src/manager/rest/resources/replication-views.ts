/** Rules of replication as REST takes and shows them. */
import { z } from 'zod';
import { parseRegistryPlace } from '../../../core/oci/reference.ts';
import { preheatScopes } from '../../jobs/job-types.ts';
import { isSettled, type CopyCounts, type CopyRow, type TagWithCopies } from '../../replication/copy-store.ts';
import type { Replication } from '../../replication/replication.ts';
import { parseRuleSource } from '../../replication/rule-source.ts';
import { clusterIdsOf, tagPatternsOf, targetId, type RuleRow } from '../../replication/rule-row.ts';
import type { RuleWish } from '../../replication/rule-store.ts';
import { bio, reference, stamps, time, timestamps } from '../schemas.ts';

const minIntervalSeconds = 60;
const glob = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[A-Za-z0-9_.*/-]+$/, 'is no tag, and no pattern with *');

const fields = {
  name: z
    .string()
    .min(1)
    .max(128)
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'has letters, digits, dots and dashes'),
  bio,
  source: z
    .string()
    .max(512)
    .refine(
      (text) => parseRuleSource(text) !== undefined,
      'is no registry.example/repository and no hf://owner/name; * stands for anything',
    )
    .describe('repositories of a registry: registry.example/team/*; or of a model hub: hf://owner/name'),
  tags: z.array(glob).min(1).max(20).describe('patterns, one of which a tag, or a revision of a model, matches'),
  scheduler_cluster_ids: z.array(reference).max(1_000).describe('all clusters when there are none'),
  to_clusters: z.boolean().describe('false: tags are pushed to the target alone'),
  target: z
    .string()
    .max(512)
    .refine((text) => text === '' || parseRegistryPlace(text) !== undefined, 'is no registry.example/mirror')
    .describe(
      'a registry to which tags are pushed, and a place in it, below which repositories keep their names; empty for none',
    ),
  platform: z.string().regex(/^(?:[a-z0-9]+\/[a-z0-9_]+(?:\/[a-z0-9.]+)?)?$/, 'is no platform'),
  scope: z.enum(preheatScopes),
  on_push: z.boolean().describe('notifications of the registry are heard'),
  interval_seconds: z
    .int()
    .max(366 * 86_400)
    .refine((seconds) => seconds === 0 || seconds >= minIntervalSeconds, `is 0 or at least ${minIntervalSeconds}`)
    .describe('tags are listed so often; 0 for never'),
  rate_bytes_per_sec: z.int().min(0).describe('to one cluster, on average; 0 without a bound'),
  concurrency: z.int().min(1).max(64).describe('tags that one cluster gets at once'),
  enabled: z.boolean(),
};
const login = { username: z.string().max(1024), password: z.string().max(16_384) };
const targetLogin = { target_username: z.string().max(512), target_password: z.string().max(4096) };
const halfLogin = { error: 'goes with the other half of the login; both empty take it away', path: ['password'] };

const halfTargetLogin = { ...halfLogin, path: ['target_password'] };

export const createBody = z
  .object({
    ...z.object({ ...fields, ...login, ...targetLogin }).partial().shape,
    name: fields.name,
    source: fields.source,
  })
  .refine(isWholeLogin, halfLogin)
  .refine(isWholeTargetLogin, halfTargetLogin)
  .meta({ id: 'NewReplicationRule' });
export const changeBody = z
  .object({ ...fields, ...login, ...targetLogin })
  .partial()
  .refine(isWholeLogin, halfLogin)
  .refine(isWholeTargetLogin, halfTargetLogin);

const counts = {
  proven: z.int(),
  copied: z.int().describe('there, but the nodes cannot prove it'),
  running: z.int(),
  waiting: z.int(),
  failed: z.int().describe('waiting for another try'),
  bytes: z.int(),
};
const clusterSchema = z.object({ scheduler_cluster_id: z.int(), ...counts });

export const ruleSchema = z
  .object({
    ...timestamps,
    ...fields,
    username: z.string(),
    target_username: z.string(),
    has_secret: z.boolean().describe('a registry can prove itself'),
    tag_count: z.int(),
    listed_at: z.iso.datetime().nullable(),
    error: z.string().describe('why the tags could not be listed'),
    clusters: z.array(clusterSchema),
    target_copies: z.object(counts).nullable().describe('what the target has; null without one'),
  })
  .meta({ id: 'ReplicationRule' });

const copyFields = {
  state: z.enum(['waiting', 'running', 'proven', 'copied', 'failed']),
  digest: z.string().describe('what has been proven last'),
  bytes: z.int(),
  proven_at: z.iso.datetime().nullable(),
  error: z.string(),
};

export const tagSchema = z
  .object({
    repository: z.string(),
    tag: z.string(),
    digest: z.string().describe('what the source said last'),
    error: z.string(),
    clusters: z.array(
      z.object({
        scheduler_cluster_id: z.int(),
        ...copyFields,
        job_id: z.int(),
      }),
    ),
    target: z.object(copyFields).nullable().describe('what the target has; null without one'),
  })
  .meta({ id: 'ReplicatedTag' });

function isWholeLogin(login: { username?: string | undefined; password?: string | undefined }): boolean {
  return isWhole(login.username, login.password);
}

function isWholeTargetLogin(login: {
  target_username?: string | undefined;
  target_password?: string | undefined;
}): boolean {
  return isWhole(login.target_username, login.target_password);
}

function isWhole(username: string | undefined, password: string | undefined): boolean {
  return (username === undefined) === (password === undefined) && (username === '') === (password === '');
}

export function toWish(body: z.output<typeof changeBody>): RuleWish {
  const { name, source, tags, target, platform, scope, concurrency, enabled } = body;
  return {
    name,
    bio: body.bio,
    source,
    tags,
    target,
    platform,
    scope,
    concurrency,
    enabled,
    clusterIds: body.scheduler_cluster_ids,
    toClusters: body.to_clusters,
    onPush: body.on_push,
    intervalMs: body.interval_seconds === undefined ? undefined : body.interval_seconds * 1000,
    rateBytesPerSec: body.rate_bytes_per_sec,
    login: toLogin(body.username, body.password),
    targetLogin: toLogin(body.target_username, body.target_password),
  };
}

function toLogin(username: string | undefined, password = ''): RuleWish['login'] {
  if (username === undefined) return undefined;
  return username === '' ? null : { username, password };
}

export function toRule(
  row: RuleRow,
  { rules, counts, tags }: { rules: Replication['rules']; counts: readonly CopyCounts[]; tags: number },
): z.output<typeof ruleSchema> {
  const byCluster = Map.groupBy(counts, (count) => count.cluster_id);
  const clusters = [...byCluster].flatMap(([id, own]) =>
    id === targetId ? [] : [{ scheduler_cluster_id: id, ...totals(own) }],
  );
  return {
    ...stamps(row),
    name: row.name,
    bio: row.bio,
    source: row.source,
    tags: tagPatternsOf(row),
    scheduler_cluster_ids: clusterIdsOf(row),
    platform: row.platform,
    scope: row.scope as (typeof preheatScopes)[number],
    on_push: row.on_push === 1,
    interval_seconds: row.interval_ms / 1000,
    rate_bytes_per_sec: row.rate_bytes_per_sec,
    concurrency: row.concurrency,
    enabled: row.enabled === 1,
    username: rules.login(row)?.username ?? '',
    to_clusters: row.to_clusters === 1,
    target: row.target,
    target_username: rules.targetLogin(row)?.username ?? '',
    has_secret: row.secret_hash !== '',
    tag_count: tags,
    listed_at: row.listed_at === 0 ? null : time(row.listed_at),
    error: row.error,
    clusters,
    target_copies: row.target === '' ? null : totals(byCluster.get(targetId) ?? []),
  };
}

function totals(own: readonly CopyCounts[]) {
  const sum = (wanted: (count: CopyCounts) => boolean): number =>
    own.filter(wanted).reduce((total, { count }) => total + count, 0);
  return {
    proven: sum(({ state }) => state === 'proven'),
    copied: sum(({ state }) => state === 'copied'),
    running: sum(({ state }) => state === 'running'),
    waiting: sum(({ state, failed }) => state === 'waiting' && !failed),
    failed: sum(({ state, failed }) => state === 'waiting' && failed),
    bytes: own.filter(isSettled).reduce((total, { bytes }) => total + bytes, 0),
  };
}

export function toTag({ repository, tag, digest, error, copies }: TagWithCopies): z.output<typeof tagSchema> {
  const target = copies.find((copy) => copy.cluster_id === targetId);
  return {
    repository,
    tag,
    digest,
    error,
    clusters: copies.flatMap((copy) =>
      copy === target ? [] : [{ scheduler_cluster_id: copy.cluster_id, job_id: copy.job_id, ...toCopy(copy) }],
    ),
    target: target ? toCopy(target) : null,
  };
}

function toCopy(copy: CopyRow) {
  return {
    state:
      copy.state === 'waiting' && copy.attempt > 0
        ? ('failed' as const)
        : (copy.state as 'waiting' | 'running' | 'proven' | 'copied'),
    digest: copy.digest,
    bytes: copy.bytes,
    proven_at: copy.proven_at === 0 ? null : time(copy.proven_at),
    error: copy.error,
  };
}
