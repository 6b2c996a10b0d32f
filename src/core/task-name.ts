/**
 * Texts that ids of tasks are computed from (`contentForCalculatingTaskId`), and what they say of the content. Whoever registers a task names
 * its URL and such a text side by side, so nothing but these rules keeps one who may register from storing other content under the id of
 * somebody else's URL.
 */
import { createHash } from 'node:crypto';
import { blobDigest, canonicalUrl, taskId } from './ids.ts';
import { defaultFilteredQueryParams } from './net/signed-urls.ts';
import { redact } from './redact.ts';

/** What a registration says of a task. */
export interface NamedContent {
  readonly url: string;
  readonly tag?: string | undefined;
  readonly application?: string | undefined;
  readonly digest?: string | undefined;
  readonly filteredQueryParams: readonly string[];
  readonly contentForCalculatingTaskId?: string | undefined;
  readonly blobDigestAsId?: boolean | undefined;
}

const ownPrefix = 'dragonfly:';
const boundPrefix = `${ownPrefix}url:`;
/** Whoever reads such content compares it with its name. */
const ofBytes = /^dragonfly:(?:git-blob|sha256|xorb):/;
/** How the texts end that ids of URLs are computed from. */
const ofUrls = /(?:STANDARD|PERSISTENT)$/;

/** A text that is good for this URL only. @param rest what else tells the content apart, as a digest */
export function textForUrl(url: string, filteredQueryParams: readonly string[], rest: string): string {
  return `${boundPrefix}${markOf(url, filteredQueryParams)}:${rest}`;
}

/** Users cannot choose a text that reads like one that is made of a URL, or by us. */
export function isReserved(text: string): boolean {
  return ofUrls.test(text) || text.startsWith(ownPrefix);
}

/** Why the id cannot be that of the content; undefined where nothing speaks against it. */
export function misnomer(id: string | undefined, content: NamedContent): string | undefined {
  const { url, contentForCalculatingTaskId: text, filteredQueryParams } = content;
  if (text === undefined) return undefined;
  if (ofUrls.test(text)) return 'the text its id is computed from is that of a URL';
  if (id !== undefined && taskId({ url, contentForCalculatingTaskId: text }) !== id)
    return 'its id is not computed from the text that comes with it';
  if (text.startsWith(boundPrefix) && !text.startsWith(`${boundPrefix}${markOf(url, filteredQueryParams)}:`))
    return 'the text its id is computed from is that of another URL';
  return undefined;
}

/**
 * Whether what is asked for is what others know under the same id, as far as can be told. Names that users choose, and the protocol's
 * formula, which sets URL and tag side by side without a mark between them, give different content the same id.
 */
export function isSameContent(known: NamedContent, asked: NamedContent): boolean {
  const { contentForCalculatingTaskId: text = '', digest, blobDigestAsId } = asked;
  if (digest !== undefined || ofBytes.test(text) || text.startsWith(boundPrefix)) return true;
  if (text === '' && blobDigestAsId !== false && blobDigest(asked.url) !== undefined) return true;
  const params = asked.filteredQueryParams;
  if (text === '' && (!same(known.tag, asked.tag) || !same(known.application, asked.application))) return false;
  return shownUrl(known.url, params) === shownUrl(asked.url, params);
}

function same(a = '', b = ''): boolean {
  return a === b;
}

/** Passwords and keys are taken out of what is stored and told. */
function shownUrl(url: string, filteredQueryParams: readonly string[]): string {
  const params = filteredQueryParams.length > 0 ? filteredQueryParams : defaultFilteredQueryParams;
  return URL.canParse(url) ? redact(canonicalUrl(redact(url), params)) : url;
}

function markOf(url: string, filteredQueryParams: readonly string[]): string {
  return createHash('sha256').update(shownUrl(url, filteredQueryParams)).digest('hex').slice(0, 32);
}
