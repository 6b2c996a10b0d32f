/** AWS Signature Version 4 by aws4fetch, and the escaping of keys that signatures require. */
import { AwsV4Signer } from 'aws4fetch';

export interface SigningKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  readonly region: string;
  readonly service: string;
}

export interface SignedRequest {
  readonly method: string;
  /** Its path must be encoded by `encodePath`. */
  readonly url: URL;
  /** Lower-case names. `x-amz-content-sha256` says which part of the body is signed. */
  readonly header: Readonly<Record<string, string>>;
  readonly date: Date;
}

export const emptyPayloadHash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** The header with the fields that authenticate the sender: x-amz-date, authorization, and x-amz-security-token if there is one. */
export async function signV4(request: SignedRequest, key: SigningKey): Promise<Record<string, string>> {
  const { accessKeyId, secretAccessKey, sessionToken, region, service } = key;
  const signer = new AwsV4Signer({
    method: request.method,
    url: request.url.href,
    headers: request.header,
    datetime: request.date.toISOString().replace(/[-:]|\.\d{3}/g, ''),
    accessKeyId,
    secretAccessKey,
    region,
    service,
    ...(sessionToken !== undefined && { sessionToken }),
  });
  return Object.fromEntries((await signer.sign()).headers);
}

/** A key as the path of a URL: everything except unreserved characters and the slashes between segments is escaped. */
export function encodePath(key: string): string {
  return key.split('/').map(encodeStrictly).join('/');
}

/** The encoding that the canonical query requires for names and values. */
export function encodeStrictly(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
