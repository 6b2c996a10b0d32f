/** The digest by which a registry names a manifest: of its bytes, or of the signed payload for schema 1. Pure. */
import { createHash } from 'node:crypto';

const signed = 'application/vnd.docker.distribution.manifest.v1+prettyjws';

/** @param digest complete, `sha256:…` or `sha512:…` */
export function hasDigest(body: Buffer, contentType: string, digest: string): boolean {
  const [algorithm = '', expected] = digest.split(':');
  const is = (content: Buffer): boolean => createHash(algorithm).update(content).digest('hex') === expected;
  if (is(body)) return true;
  const payload = contentType.startsWith(signed) ? signedPayload(body) : undefined;
  return payload !== undefined && is(payload);
}

/**
 * A signed manifest of schema 1 is its payload with the signatures inserted before its end. The protected part of each
 * signature says how long the payload is up to there, and what follows. Undefined when no signature can be parsed.
 */
export function signedPayload(body: Buffer): Buffer | undefined {
  try {
    const { signatures } = JSON.parse(body.toString('utf8')) as { signatures?: { protected?: unknown }[] };
    const text = signatures?.[0]?.protected;
    if (typeof text !== 'string') return undefined;
    const { formatLength, formatTail } = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as {
      formatLength?: unknown;
      formatTail?: unknown;
    };
    if (!Number.isSafeInteger(formatLength) || typeof formatTail !== 'string') return undefined;
    const length = formatLength as number;
    if (length < 0 || length > body.length) return undefined;
    return Buffer.concat([body.subarray(0, length), Buffer.from(formatTail, 'base64url')]);
  } catch {
    return undefined;
  }
}
