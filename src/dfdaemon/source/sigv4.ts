/**
 * AWS Signature Version 4, as every S3-compatible store reads it. Pure: the date comes in.
 * Rule: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
import { createHash, createHmac } from 'node:crypto';

export interface SigningKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  readonly region: string;
  readonly service: string;
}

export interface SignedRequest {
  readonly method: string;
  /** Its path is encoded as `encodePath` does it. */
  readonly url: URL;
  /** Lower-case names. All `x-amz-` fields are signed, and those named in `alsoSigned`. */
  readonly header: Readonly<Record<string, string>>;
  readonly alsoSigned?: readonly string[];
  readonly date: Date;
  /** Hex SHA-256 of the body, or UNSIGNED-PAYLOAD. */
  readonly payloadHash: string;
}

export const emptyPayloadHash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** The header with what proves who sends it: x-amz-date, x-amz-security-token when there is one, authorization. */
export function signV4(request: SignedRequest, key: SigningKey): Record<string, string> {
  const { method, url, payloadHash, alsoSigned = [] } = request;
  const time = request.date.toISOString().replace(/[-:]|\.\d{3}/g, '');
  const header: Record<string, string> = {
    ...request.header,
    'x-amz-date': time,
    ...(key.sessionToken !== undefined && { 'x-amz-security-token': key.sessionToken }),
  };
  const signable: Record<string, string> = { ...header, host: url.host };
  const names = Object.keys(signable)
    .filter((name) => name === 'host' || name.startsWith('x-amz-') || alsoSigned.includes(name))
    .sort();
  const canonicalHeader = names
    .map((name) => `${name}:${(signable[name] ?? '').trim().replace(/ +/g, ' ')}\n`)
    .join('');
  const signedHeaders = names.join(';');
  const canonicalRequest = [
    method,
    url.pathname,
    canonicalQuery(url),
    canonicalHeader,
    signedHeaders,
    payloadHash,
  ].join('\n');
  const scope = [time.slice(0, 8), key.region, key.service, 'aws4_request'];
  const stringToSign = ['AWS4-HMAC-SHA256', time, scope.join('/'), sha256(canonicalRequest)].join('\n');
  const signingKey = scope.reduce<string | Buffer>(
    (secret, part) => createHmac('sha256', secret).update(part).digest(),
    `AWS4${key.secretAccessKey}`,
  );
  const signature = createHmac('sha256', signingKey).update(stringToSign).digest('hex');
  const credential = `${key.accessKeyId}/${scope.join('/')}`;
  header['authorization'] =
    `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${signedHeaders}, Signature=${signature}`;
  return header;
}

/** A key as the path of a URL: everything but unreserved characters and the slashes between segments is escaped. */
export function encodePath(key: string): string {
  return key.split('/').map(encodeStrictly).join('/');
}

/** As the canonical query wants names and values. */
export function encodeStrictly(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function canonicalQuery(url: URL): string {
  return [...url.searchParams]
    .map(([name, value]) => `${encodeStrictly(name)}=${encodeStrictly(value)}`)
    .sort()
    .join('&');
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
