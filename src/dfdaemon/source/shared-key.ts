/**
 * Signatures of Azure Storage by an account's key.
 * Rule: https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
 */
import { createHmac } from 'node:crypto';

export interface SharedKey {
  readonly account: string;
  /** In base64. */
  readonly key: string;
}

/** Header fields that have a line of their own in the signed text, even when empty. */
const lines = [
  'content-encoding',
  'content-language',
  'content-length',
  'content-md5',
  'content-type',
  'date',
  'if-modified-since',
  'if-match',
  'if-none-match',
  'if-unmodified-since',
  'range',
];

/** The Authorization value for a GET with this header, which has lower-case names and contains `x-ms-date`. */
export function sharedKeyAuthorization(
  url: URL,
  header: Readonly<Record<string, string>>,
  { account, key }: SharedKey,
): string {
  const own = Object.keys(header)
    .filter((name) => name.startsWith('x-ms-'))
    .sort()
    .map((name) => `${name}:${header[name]?.trim()}\n`)
    .join('');
  const query = [...new Set(url.searchParams.keys())]
    .sort()
    .map((name) => `\n${name.toLowerCase()}:${url.searchParams.getAll(name).sort().join(',')}`)
    .join('');
  const text = `GET\n${lines.map((name) => header[name] ?? '').join('\n')}\n${own}/${account}${url.pathname}${query}`;
  const signature = createHmac('sha256', Buffer.from(key, 'base64')).update(text).digest('base64');
  return `SharedKey ${account}:${signature}`;
}
