/** Identifiers of tasks, hosts and peers. The formulas are those of the protocol, so ids agree across implementations. */
import { createHash, randomUUID } from 'node:crypto';
import { DragonflyError } from './errors.ts';

/** Query parameters that differ between signed URLs of one object and so must not enter the task id. */
export const defaultFilteredQueryParams: readonly string[] = [
  'X-Amz-Algorithm',
  'X-Amz-Credential',
  'X-Amz-Date',
  'X-Amz-Expires',
  'X-Amz-SignedHeaders',
  'X-Amz-Signature',
  'X-Amz-Security-Token',
  'X-Amz-User-Agent',
  'X-Goog-Algorithm',
  'X-Goog-Credential',
  'X-Goog-Date',
  'X-Goog-Expires',
  'X-Goog-SignedHeaders',
  'X-Goog-Signature',
  'OSSAccessKeyId',
  'Expires',
  'Signature',
  'SecurityToken',
  'AccessKeyId',
  'X-Obs-Date',
  'X-Obs-Security-Token',
  'q-sign-algorithm',
  'q-ak',
  'q-sign-time',
  'q-key-time',
  'q-header-list',
  'q-url-param-list',
  'q-signature',
  'x-cos-security-token',
  'ns',
];

export interface TaskIdentity {
  readonly url: string;
  readonly tag?: string | undefined;
  readonly application?: string | undefined;
  readonly revision?: string | undefined;
  readonly pieceLengthBytes?: number | undefined;
  readonly filteredQueryParams?: readonly string[] | undefined;
  /** When set, the id is the SHA-256 of this text and nothing else counts. */
  readonly contentForCalculatingTaskId?: string | undefined;
  /** Take the digest inside a registry blob URL as the id (default true). */
  readonly blobDigestAsId?: boolean | undefined;
}

/** 64 lower-case hex digits. Content-addressed for registry blobs, otherwise SHA-256 over the identity's parts in order. */
export function taskId(identity: TaskIdentity): string {
  if (identity.contentForCalculatingTaskId !== undefined) return sha256Hex(identity.contentForCalculatingTaskId);
  const blob = identity.blobDigestAsId === false ? undefined : blobDigest(identity.url);
  if (blob !== undefined && identity.tag === undefined && identity.application === undefined) return blob;
  const hash = createHash('sha256');
  hash.update(canonicalUrl(identity.url, identity.filteredQueryParams ?? defaultFilteredQueryParams));
  if (identity.tag) hash.update(identity.tag);
  if (identity.application) hash.update(identity.application);
  if (identity.revision) hash.update(identity.revision);
  if (identity.pieceLengthBytes !== undefined) hash.update(String(identity.pieceLengthBytes));
  return hash.update('STANDARD').digest('hex');
}

/** The SHA-256 in a registry blob URL (`…/v2/<name>/blobs/sha256:<hex>`), undefined for any other URL. */
export function blobDigest(url: string): string | undefined {
  return /\/v2\/.+\/blobs\/sha256:([0-9a-f]{64})(?:[?#]|$)/.exec(url)?.[1];
}

export function canonicalUrl(text: string, filteredQueryParams: readonly string[]): string {
  const url = parseUrl(text);
  url.hash = '';
  const filtered = new Set(filteredQueryParams);
  const kept = url.search
    .slice(1)
    .split('&')
    .filter((pair) => pair !== '' && !filtered.has(decodeName(pair)));
  url.search = kept.length === 0 ? '' : `?${kept.join('&')}`;
  return url.pathname === '/' && url.search === '' ? url.href.replace(/\/$/, '') : url.href;
}

export function parseUrl(text: string): URL {
  if (!URL.canParse(text)) {
    throw new DragonflyError('INVALID_ARGUMENT', `"${text}" is not a URL`, {
      hint: 'Write it in full with its scheme, for example https://host/path.',
    });
  }
  return new URL(text);
}

export function hostId(ip: string, hostname: string, seed: boolean): string {
  return `${ip}-${hostname}${seed ? '-seed' : ''}`;
}

export function peerId(ip: string, hostname: string, seed: boolean): string {
  return `${ip}-${hostname}-${randomUUID()}${seed ? '-seed' : ''}`;
}

export function isTaskId(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

function decodeName(pair: string): string {
  const name = pair.split('=', 1)[0] ?? '';
  try {
    return decodeURIComponent(name);
  } catch {
    return name; // a malformed escape is compared as written
  }
}

function sha256Hex(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
