/** Ids of tasks, hosts and peers. The formulas are the protocol's, so ids agree across implementations. */
import { createHash, randomUUID } from 'node:crypto';
import { DragonflyError } from './errors.ts';
import { defaultFilteredQueryParams, signatureParams } from './net/signed-urls.ts';
import { withoutTrailing } from './text/linear-text.ts';

export interface TaskIdentity {
  readonly url: string;
  readonly tag?: string | undefined;
  readonly application?: string | undefined;
  readonly revision?: string | undefined;
  readonly pieceLengthBytes?: number | undefined;
  readonly filteredQueryParams?: readonly string[] | undefined;
  /** When set, the id is the SHA-256 of this text, and nothing else counts. */
  readonly contentForCalculatingTaskId?: string | undefined;
  /** Use the digest in a registry blob URL as the id (default true). */
  readonly blobDigestAsId?: boolean | undefined;
}

/** 64 lower-case hex digits: the digest of a registry blob, else the SHA-256 of the identity's parts in their order. */
export function taskId(identity: TaskIdentity): string {
  if (identity.contentForCalculatingTaskId !== undefined) return sha256Hex(identity.contentForCalculatingTaskId);
  const blob = identity.blobDigestAsId === false ? undefined : blobDigest(identity.url);
  if (blob !== undefined) return blob;
  const { tag = '', application = '', revision = '', pieceLengthBytes = '' } = identity;
  const url = canonicalUrl(identity.url, identity.filteredQueryParams ?? defaultFilteredQueryParams);
  return sha256Hex(`${url}${tag}${application}${revision}${pieceLengthBytes}STANDARD`);
}

const blobs = /\/blobs\/sha256:([0-9a-f]{64})(?:[?#]|$)/g;

/** The SHA-256 in a registry blob URL (`…/v2/<name>/blobs/sha256:<hex>`), undefined for any other URL. */
export function blobDigest(url: string): string | undefined {
  const named = url.indexOf('/v2/');
  if (named === -1) return undefined;
  // The last one, behind the name of a repository: names may have whatever looks like it.
  const found = [...url.slice(named + '/v2/'.length).matchAll(blobs)].findLast(({ index }) => index > 0);
  return found?.[1];
}

/**
 * The URL as it enters the id: without ignored and signing parameters, the rest of the query in form encoding (`/` is
 * %2F, a space is +), the fragment kept.
 */
export function canonicalUrl(text: string, filteredQueryParams: readonly string[]): string {
  const url = parseUrl(
    text.replace(behindHost, (_, host: string, path: string) => host + path.replaceAll('^', caretMark)),
  );
  const leftOut = new Set([...filteredQueryParams, ...signatureParams(url)]);
  url.search = new URLSearchParams([...url.searchParams].filter(([name]) => !leftOut.has(name))).toString();
  const href = url.href.replaceAll(caretMark, '^');
  return url.pathname === '/' ? withoutTrailing(href, '/') : href;
}

/** The original's URL parser keeps a `^` in a path, newer ones escape it. */
const behindHost = /^([^?#]*?:\/\/[^/?#]*\/)([^?#]*)/;
const caretMark = '~caret~';

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

function sha256Hex(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The id of a persistent task, computed from the name of its object. */
export function persistentTaskId({
  url,
  region,
  endpoint,
}: {
  readonly url: string;
  readonly region: string;
  readonly endpoint: string;
}): string {
  return sha256Hex(`${url}${region}${endpoint}PERSISTENT`);
}

/** Ids of persistent cache tasks: the SHA-256 of a text, or of the whole content followed by its properties. */
export const persistentCacheTaskId = {
  ofText: (text: string): string => sha256Hex(text),
  /** The text that is hashed after the content. */
  suffix: ({
    tag,
    application,
    pieceLengthBytes,
  }: Pick<TaskIdentity, 'tag' | 'application' | 'pieceLengthBytes'>): string =>
    `${tag ?? ''}${application ?? ''}${pieceLengthBytes ?? ''}PERSISTENT_CACHE`,
};
