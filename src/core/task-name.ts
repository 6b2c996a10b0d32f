/**
 * Texts from which task ids are computed (`contentForCalculatingTaskId`), and what they imply about the content. A
 * registration contains both a URL and such a text, so only these rules keep a node that may register from storing
 * other content under the id of another URL.
 */
import { createHash } from 'node:crypto';
import { blobDigest, canonicalUrl, taskId } from './ids.ts';
import { defaultFilteredQueryParams } from './net/signed-urls.ts';
import { redact } from './redact.ts';

/** The properties of a task in a registration. */
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
const bundleMark = 'bundle:';
const ofBundles = new RegExp(`^${boundPrefix}[0-9a-f]{32}:${bundleMark}([0-9a-f]{64}):`);
/** Content under such a name is verified against it when it is read. */
const ofBytes = /^dragonfly:(?:git-blob|sha256|xorb):/;
/** Endings of the texts from which ids of URLs are computed. */
const ofUrls = /(?:STANDARD|PERSISTENT)$/;

/** A text that only fits this URL. @param rest what else identifies the content, as a digest */
export function textForUrl(url: string, filteredQueryParams: readonly string[], rest: string): string {
  return `${boundPrefix}${markOf(url, filteredQueryParams)}:${rest}`;
}

/** As `textForUrl`, for the files of the URL's directory in a list with that SHA-256. */
export function textForBundle(
  url: string,
  filteredQueryParams: readonly string[],
  { listDigest, rest }: { readonly listDigest: string; readonly rest: string },
): string {
  return textForUrl(url, filteredQueryParams, `${bundleMark}${listDigest}:${rest}`);
}

/** The SHA-256 of the list, where the text is that of a bundle: whoever fetches it compares the list that comes with it. */
export function bundleNamedBy(text: string): string | undefined {
  return ofBundles.exec(text)?.[1];
}

/** Whether the text looks like one derived from a URL, or one of ours; users cannot choose such a text. */
export function isReserved(text: string): boolean {
  return ofUrls.test(text) || text.startsWith(ownPrefix);
}

/** Why the id cannot belong to the content; undefined where nothing contradicts it. */
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
 * Whether the requested content is the one that others know under the same id, as far as can be determined. Names
 * chosen by users, and the protocol's formula, which joins URL and tag without a separator, give different content the
 * same id.
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

/** Removes passwords and keys from what is stored and shared. */
function shownUrl(url: string, filteredQueryParams: readonly string[]): string {
  const params = filteredQueryParams.length > 0 ? filteredQueryParams : defaultFilteredQueryParams;
  return URL.canParse(url) ? redact(canonicalUrl(redact(url), params)) : url;
}

function markOf(url: string, filteredQueryParams: readonly string[]): string {
  return createHash('sha256').update(shownUrl(url, filteredQueryParams)).digest('hex').slice(0, 32);
}
