/**
 * Pages that servers make of a directory: as JSON (`autoindex_format json` of nginx), or as text in the way of nginx and Apache. Only what such a
 * page calls a name in this very directory is taken from it, never a link that leads elsewhere. Pure.
 */
import { DragonflyError } from '../../../core/errors.ts';
import type { SourceEntry } from '../source.ts';

export interface DirectoryPage {
  /** Without query, with a slash at its end. */
  readonly url: string;
  readonly contentType: string;
  readonly text: string;
}

/** Throws UNSUPPORTED for any other page. */
export function entriesOfPage({ url, contentType, text }: DirectoryPage): SourceEntry[] {
  if (/^application\/json\b/i.test(contentType)) return entriesOfJson(url, text);
  if (/^text\/html\b/i.test(contentType) && /<title>\s*(?:Index of|Directory listing for)\b/i.test(text))
    return entriesOfText(url, text);
  throw notListed(url);
}

function entriesOfJson(url: string, text: string): SourceEntry[] {
  let listed: unknown;
  try {
    listed = JSON.parse(text);
  } catch (error) {
    throw notListed(url, error);
  }
  if (!Array.isArray(listed)) throw notListed(url);
  return listed.flatMap((one: unknown) => {
    const { name, type, size, mtime } = (one ?? {}) as Readonly<Record<string, unknown>>;
    if (typeof name !== 'string' || (type !== 'file' && type !== 'directory')) throw notListed(url);
    if (type === 'directory') return entry(url, name, { isDirectory: true, lengthBytes: 0 });
    const lengthBytes = Number.isSafeInteger(size) ? Number(size) : 0;
    const validator = typeof mtime === 'string' && mtime.endsWith(' GMT') ? mtime : undefined;
    return entry(url, name, { isDirectory: false, lengthBytes, validator });
  });
}

/** The name is the link, not its text, which is cut; behind it stand time and size, exact to the byte or not a number. */
function entriesOfText(url: string, text: string): SourceEntry[] {
  const found: SourceEntry[] = [];
  for (const [, href = '', size = ''] of text.matchAll(
    /<a href="([^"<>]*)"[^<>]*>[^<>]*<\/a>(?:[ \t]+\d\d-\w{3}-\d{4} \d\d:\d\d[ \t]+(\d+)\b)?/gi,
  )) {
    const isDirectory = href.endsWith('/');
    const name = nameIn(isDirectory ? href.slice(0, -1) : href);
    if (name !== undefined) found.push(...entry(url, name, { isDirectory, lengthBytes: Number(size) }));
  }
  return found;
}

/** Undefined for a link to anything else, as to the same page in another order. */
function nameIn(href: string): string | undefined {
  const plain = href.replace(/^\.\//, '').replaceAll('&amp;', '&');
  if (/[/?#]|^[a-z][a-z\d+.-]*:/i.test(plain)) return undefined;
  try {
    return decodeURIComponent(plain);
  } catch {
    return undefined;
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
