/**
 * Converts rows of the original's database to ours. Pure.
 *
 * The columns are those of the original's versions 2.1.28 and 2.5.1: times are `datetime` or `timestamp`, flags are
 * numbers or booleans, maps and lists are JSON or text, depending on engine and version. A column that a version lacks
 * is undefined.
 */
import type { Insertable } from 'kysely';
import type { z } from 'zod';
import { objects } from '../access/objects.ts';
import { tokenScopes } from '../access/tokens.ts';
import {
  peerClusterConfigSchema,
  schedulerClusterConfigSchema,
  scopesSchema,
  seedPeerClusterConfigSchema,
} from '../clusters/types.ts';
import type { Schema } from '../db/schema.ts';

export type OriginalRow = Readonly<Record<string, unknown>>;

/** A row to be written with its original id, which others refer to, and which is in the schedulers' configuration. */
type Imported<T extends keyof Schema> = Insertable<Schema[T]>;

export function userRow(row: OriginalRow): Imported<'user'> {
  const email = text(row, 'email');
  return {
    ...stamps(row),
    name: text(row, 'name'),
    email: email === '' ? null : email,
    encrypted_password: text(row, 'encrypted_password'),
    avatar: text(row, 'avatar'),
    phone: text(row, 'phone'),
    state: text(row, 'state') === 'disable' ? 'disable' : 'enable',
    location: text(row, 'location'),
    bio: text(row, 'bio'),
    must_change_password: 0,
    failed_signins: 0,
    locked_until: 0,
  };
}

/** Undefined for a rule about an object that this manager does not have. */
export function ruleRow(row: OriginalRow): Imported<'casbin_rule'> | undefined {
  const ptype = text(row, 'ptype');
  const [v0, v1, v2] = [text(row, 'v0'), text(row, 'v1'), text(row, 'v2')];
  const known = ptype === 'g' || (ptype === 'p' && (objects as readonly string[]).includes(v1));
  return known ? { ptype, v0, v1, v2, v3: '', v4: '', v5: '' } : undefined;
}

/** @param seal encrypts the client secret, which the original stores in plain text. */
export function oauthRow(row: OriginalRow, seal: (secret: string) => string): Imported<'oauth'> {
  return {
    ...stamps(row),
    name: text(row, 'name'),
    client_id: text(row, 'client_id'),
    sealed_client_secret: seal(text(row, 'client_secret')),
    redirect_url: text(row, 'redirect_url'),
    issuer: '',
    bio: text(row, 'bio'),
  };
}

/** @param hash what is stored of a token, which the original stores in plain text. */
export function tokenRow(row: OriginalRow, hash: (token: string) => string): Imported<'personal_access_token'> {
  // "preheat" was a separate scope before there were other jobs.
  const scopes = strings(row['scopes']).map((scope) => (scope === 'preheat' ? 'job' : scope));
  return {
    ...stamps(row),
    name: text(row, 'name'),
    token_hash: hash(text(row, 'token')),
    scopes: JSON.stringify([...new Set(scopes)].filter((scope) => (tokenScopes as readonly string[]).includes(scope))),
    state: text(row, 'state') === 'active' ? 'active' : 'inactive',
    expired_at: time(row['expired_at']),
    bio: text(row, 'bio'),
    user_id: number(row, 'user_id'),
  };
}

export function schedulerClusterRow(row: OriginalRow): Imported<'scheduler_cluster'> {
  return {
    ...stamps(row),
    name: text(row, 'name'),
    bio: text(row, 'bio'),
    config: usable(schedulerClusterConfigSchema, row['config']),
    client_config: usable(peerClusterConfigSchema, row['client_config']),
    seed_client_config: usable(seedPeerClusterConfigSchema, row['seed_client_config']),
    scopes: usable(scopesSchema, row['scopes']),
    is_default: flag(row['is_default']),
  };
}

export function seedPeerClusterRow(row: OriginalRow): Imported<'seed_peer_cluster'> {
  const config = usable(seedPeerClusterConfigSchema, row['config']);
  return { ...stamps(row), name: text(row, 'name'), bio: text(row, 'bio'), config };
}

export function clusterLinkRow(row: OriginalRow): Imported<'seed_peer_cluster_scheduler_cluster'> {
  return {
    seed_peer_cluster_id: number(row, 'seed_peer_cluster_id'),
    scheduler_cluster_id: number(row, 'scheduler_cluster_id'),
  };
}

export function schedulerRow(row: OriginalRow): Imported<'scheduler'> {
  return {
    ...memberRow(row),
    features: JSON.stringify(strings(row['features'])),
    config: JSON.stringify(map(row['config'])),
    scheduler_cluster_id: number(row, 'scheduler_cluster_id'),
  };
}

export function seedPeerRow(row: OriginalRow): Imported<'seed_peer'> {
  return {
    ...memberRow(row),
    // The other types, strong and weak, were removed in 2.3.4.
    type: 'super',
    download_port: number(row, 'download_port'),
    object_storage_port: number(row, 'object_storage_port'),
    seed_peer_cluster_id: number(row, 'seed_peer_cluster_id'),
  };
}

export function peerRow(row: OriginalRow): Imported<'peer'> {
  return {
    ...stamps(row),
    host_name: text(row, 'host_name'),
    type: text(row, 'type'),
    idc: text(row, 'idc'),
    location: text(row, 'location'),
    ip: text(row, 'ip'),
    port: number(row, 'port'),
    download_port: number(row, 'download_port'),
    proxy_port: number(row, 'proxy_port'),
    object_storage_port: number(row, 'object_storage_port'),
    state: text(row, 'state'),
    os: text(row, 'os'),
    platform: text(row, 'platform'),
    platform_family: text(row, 'platform_family'),
    platform_version: text(row, 'platform_version'),
    kernel_version: text(row, 'kernel_version'),
    git_version: text(row, 'git_version'),
    git_commit: text(row, 'git_commit'),
    build_platform: text(row, 'build_platform'),
    scheduler_cluster_id: number(row, 'scheduler_cluster_id'),
  };
}

export function applicationRow(row: OriginalRow): Imported<'application'> {
  return {
    ...stamps(row),
    name: text(row, 'name'),
    url: text(row, 'url'),
    bio: text(row, 'bio'),
    priority: JSON.stringify(map(row['priority'])),
    user_id: number(row, 'user_id'),
  };
}

export function configRow(row: OriginalRow): Imported<'config'> {
  const [name, value, bio] = [text(row, 'name'), text(row, 'value'), text(row, 'bio')];
  return { ...stamps(row), name, value, bio, user_id: number(row, 'user_id') };
}

/** @param protect splits the arguments into those people may see and all of them, sealed. */
export function jobRow(
  row: OriginalRow,
  protect: (args: Record<string, unknown>) => { args: string; sealed_args: string },
): Imported<'job'> {
  const state = text(row, 'state');
  // The column was named `result` before 2.2.
  const result = map(row['task_result'] ?? row['result']);
  return {
    ...stamps(row),
    ...protect(map(row['args'])),
    task_id: text(row, 'task_id'),
    bio: text(row, 'bio'),
    type: text(row, 'type'),
    // Unfinished jobs of the original are not continued, but can be run again here.
    state: state === 'SUCCESS' ? 'SUCCESS' : 'FAILURE',
    task_result: Object.keys(result).length === 0 ? null : JSON.stringify(result),
    user_id: number(row, 'user_id'),
    lease_owner: '',
    lease_expires_at: 0,
    attempt: 0,
    cancel_requested: 0,
  };
}

export function jobLinkRow(row: OriginalRow): Imported<'job_scheduler_cluster'> {
  return { job_id: number(row, 'job_id'), scheduler_cluster_id: number(row, 'scheduler_cluster_id') };
}

/** Longer than the original takes to stop: it deactivates members when their streams to it end. */
const recentMs = 5 * 60_000;

/**
 * Members active when the original stopped stay active until this manager has waited long enough for them: daemons that
 * learn of some schedulers only would choose different ones for the same task.
 */
function memberRow(row: OriginalRow) {
  const heardMs = time(row['last_keep_alive_at']);
  const present = text(row, 'state') === 'active' || Date.now() - heardMs < recentMs;
  return {
    ...stamps(row),
    host_name: text(row, 'host_name'),
    ip: text(row, 'ip'),
    port: number(row, 'port'),
    idc: text(row, 'idc'),
    location: text(row, 'location'),
    state: present ? 'active' : 'inactive',
    last_keep_alive_at: heardMs,
    keep_alive_owner: '',
  };
}

function stamps(row: OriginalRow): { id: number; created_at: number; updated_at: number } {
  return { id: number(row, 'id'), created_at: time(row['created_at']), updated_at: time(row['updated_at']) };
}

function text(row: OriginalRow, column: string): string {
  const value = row[column];
  return typeof value === 'string' ? value : '';
}

function number(row: OriginalRow, column: string): number {
  const value = Number(row[column] ?? 0);
  return Number.isSafeInteger(value) ? value : 0;
}

function flag(value: unknown): 0 | 1 {
  return value === true || Number(value) === 1 ? 1 : 0;
}

/** Milliseconds since 1970; 0 for the zero date of MySQL and for null. */
function time(value: unknown): number {
  const ms = value instanceof Date ? value.getTime() : Number.NaN;
  return Number.isFinite(ms) && ms > 0 ? ms : 0;
}

/** A JSON column arrives parsed or as text, depending on engine and driver. */
function json(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}

function map(value: unknown): Record<string, unknown> {
  const parsed = json(value);
  return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
    ? (parsed as Record<string, unknown>)
    : {};
}

function strings(value: unknown): string[] {
  const parsed = json(value);
  return Array.isArray(parsed) ? parsed.filter((item) => typeof item === 'string') : [];
}

/** The settings that this manager knows and accepts, each checked separately. */
function usable(schema: z.ZodObject, value: unknown): string {
  const accepted = Object.entries(map(value)).filter(
    ([name, setting]) => setting !== null && name in schema.shape && schema.shape[name]?.safeParse(setting).success,
  );
  return JSON.stringify(Object.fromEntries(accepted));
}
