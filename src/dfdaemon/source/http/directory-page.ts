/**
 * Pages that servers make of a directory: as JSON (`autoindex_format json` of nginx), or as text in the way of nginx,
 * Apache and others. Only what such a page calls a name in this very directory is taken from it, never a link that
 * leads elsewhere. Pure.
 */
import { DragonflyError } from '../../../core/errors.ts';
import { maxPageLength } from '../limits.ts';
import type { SourceEntry } from '../source.ts';

export interface DirectoryPage {
  /** Without query, with a slash at its end. */
  readonly url: string;
  readonly contentType: string;
  readonly text: string;
}

/** One entry after the other, so that whoever has enough ends it. Throws UNSUPPORTED for any other page, and for one that is too long. */
export function* entriesOfPage({ url, contentType, text }: DirectoryPage): Generator<SourceEntry, void, undefined> {
  if (text.length > maxPageLength) {
    throw new DragonflyError(
      'UNSUPPORTED',
      `${url} cannot be listed: its page is longer than ${maxPageLength} characters`,
      {
        hint: 'List the directories below one by one, or use an object store, WebHDFS or a model hub.',
      },
    );
  }
  if (/^application\/json\b/i.test(contentType)) return yield* entriesOfJson(url, text);
  if (/^text\/html\b/i.test(contentType) && isListing(url, text)) return yield* entriesOfText(url, text);
  throw notListed(url);
}

/** Servers title such pages in their own ways: nginx, Apache and Python; Jetty; Caddy and IIS by the path; Go not at all. */
function isListing(url: string, text: string): boolean {
  const title = /<title>([^<]*)<\/title>/i.exec(text.slice(0, headLength))?.[1]?.trim();
  if (title === undefined) return /^\s*(?:<!doctype html>\s*)?(?:<meta[^<>]*>\s*)*<pre>/i.test(text);
  const { pathname } = new URL(url);
  const byPath = [pathname, unescaped(pathname)].some((path) => title === path || title.endsWith(` - ${path}`));
  return byPath || /^(?:Index of|Directory listing for|Directory:)/i.test(title);
}

/** The style sheets of some stand before the title. */
const headLength = 64 * 1024;

function* entriesOfJson(url: string, text: string): Generator<SourceEntry, void, undefined> {
  let listed: unknown;
  try {
    listed = JSON.parse(text);
  } catch (error) {
    throw notListed(url, error);
  }
  if (!Array.isArray(listed)) throw notListed(url);
  for (const one of listed as unknown[]) {
    const { name, type, size, mtime } = (one ?? {}) as Readonly<Record<string, unknown>>;
    if (typeof name !== 'string' || (type !== 'file' && type !== 'directory')) throw notListed(url);
    if (type === 'directory') {
      yield* entry(url, name, { isDirectory: true, lengthBytes: 0 });
      continue;
    }
    const lengthBytes = Number.isSafeInteger(size) ? Number(size) : 0;
    const validator = typeof mtime === 'string' && mtime.endsWith(' GMT') ? mtime : undefined;
    yield* entry(url, name, { isDirectory: false, lengthBytes, validator });
  }
}

/** The name is the link, not its text, which is cut; behind it stand time and size, exact to the byte or not a number. */
function* entriesOfText(url: string, text: string): Generator<SourceEntry, void, undefined> {
  const { pathname } = new URL(url);
  for (const [, href = '', size = ''] of text.matchAll(
    /<a href="([^"<>]*)"[^<>]*>(?:[^<>]*<\/a>[ \t]+\d\d-\w{3}-\d{4} \d\d:\d\d[ \t]+(\d+)\b)?/gi,
  )) {
    const isDirectory = href.endsWith('/');
    const name = nameIn({ url, pathname }, isDirectory ? href.slice(0, -1) : href);
    if (name !== undefined) yield* entry(url, name, { isDirectory, lengthBytes: Number(size) });
  }
}

function unescaped(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** Undefined for a link to anything else, as to the same page in another order. Throws UNSUPPORTED for a name that is none in UTF-8. */
function nameIn(
  { url, pathname }: { readonly url: string; readonly pathname: string },
  href: string,
): string | undefined {
  // Servers write `./` before what would look like a scheme.
  const link = href.replaceAll(/&(?:amp|#38);/g, '&').replaceAll(/&(?:#39|#x27|apos);/gi, "'");
  // Some write the whole path.
  const below = ['./', pathname].find((start) => link.startsWith(start));
  const isBelow = below !== undefined;
  const plain = link.slice(below?.length ?? 0);
  if (/[/?#]/.test(plain) || (!isBelow && /^[a-z][a-z\d+.-]*:/i.test(plain))) return undefined;
  try {
    return decodeURIComponent(plain);
  } catch (error) {
    // Left out, it would be missing without a word.
    throw new DragonflyError(
      'UNSUPPORTED',
      `${url} cannot be listed: the name ${JSON.stringify(plain)} there is not UTF-8`,
      {
        cause: error,
        hint: 'Give the file a name in UTF-8, or give the URLs of single files.',
      },
    );
  }
}

function entry(
  url: string,
  name: string,
  told: { readonly isDirectory: boolean; readonly lengthBytes: number; readonly validator?: string | undefined },
): SourceEntry[] {
  const { isDirectory, lengthBytes: contentLengthBytes, validator } = told;
  if (name === '' || name === '.' || name === '..' || /[/\\\0]/.test(name)) return [];
  const below = `${url}${encodeURIComponent(name)}${isDirectory ? '/' : ''}`;
  return [{ url: below, contentLengthBytes, isDirectory, ...(validator !== undefined && { validator }) }];
}

function notListed(url: string, cause?: unknown): DragonflyError {
  return new DragonflyError('UNSUPPORTED', `${url} cannot be listed: the server shows no directory there`, {
    cause,
    hint: 'Give the URLs of single files, or use a server that lists directories, an object store, WebHDFS or a model hub.',
  });
}
