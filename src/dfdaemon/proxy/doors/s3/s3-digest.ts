/** What a store's answer says about the bytes of an object, so that they can be verified whoever sends them. Pure. */
import { flat, type AnswerHeader } from '../../proof/answer-header.ts';
import type { S3Store } from './s3-store.ts';

const base64Sha256 = /^[A-Za-z0-9+/]{43}=$/;
/** An upload may consist of a single part of any length, since the last part may be arbitrarily short. */
const leastPartBytes = 2 ** 20;

/**
 * In the form of core/digest. Entity tags of Amazon S3, and of stores that follow it to the letter, are MD5s, unless
 * the object is encrypted with a customer key or lies in a directory bucket. @param partLength of the parts it was
 * written in, 0 where unknown
 */
export function digestOf(
  store: S3Store,
  { header, lengthBytes }: { readonly header: AnswerHeader; readonly lengthBytes: number },
  partLength: number,
): string | undefined {
  const told = flat(header);
  const sha256 = told['x-amz-checksum-sha256'] ?? '';
  if (base64Sha256.test(sha256) && (told['x-amz-checksum-type'] ?? 'FULL_OBJECT') === 'FULL_OBJECT')
    return `sha256:${Buffer.from(sha256, 'base64').toString('hex')}`;
  if (!tagsAreMd5(store) || isEncrypted(told)) return undefined;
  const [, md5, parts] = /^"([0-9a-f]{32})(-[1-9]\d{0,4})?"$/.exec(told['etag'] ?? '') ?? [];
  if (md5 === undefined) return undefined;
  if (parts === undefined) return `md5:${md5}`;
  const partBytes = Math.max(partLength, leastPartBytes);
  const count = Math.max(1, Math.ceil(lengthBytes / partBytes));
  return partLength > 0 && `-${count}` === parts ? `md5x${partBytes}:${md5}${parts}` : undefined;
}

/** Whether the entity tag returned for a write proves what the store has taken. */
export function tagsAreMd5({ config: { scheme }, name }: S3Store): boolean {
  return scheme === 's3' && !name.endsWith('--x-s3');
}

function isEncrypted(told: Readonly<Record<string, string>>): boolean {
  return (
    told['x-amz-server-side-encryption']?.startsWith('aws:') === true ||
    told['x-amz-server-side-encryption-customer-algorithm'] !== undefined
  );
}
