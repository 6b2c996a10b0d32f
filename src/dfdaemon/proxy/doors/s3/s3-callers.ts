/**
 * Identifies who sent an S3 request: the configured key whose signature (SigV4, in a header or in the URL) can be
 * recomputed from the request as it arrived.
 */
import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { AwsV4Signer } from 'aws4fetch';
import { isLoopbackAddress, namesLoopback } from '../../../../core/net/own-address.ts';
import type { S3BucketConfig, S3ClientConfig } from './s3-config.ts';
import { S3Refusal } from './s3-refusal.ts';
import type { ChunkSigning } from './s3-signed-chunks.ts';
import type { S3Target } from './s3-target.ts';

/** `client` is undefined for a program of this machine that does not sign. */
export interface S3Caller {
  readonly client: S3ClientConfig | undefined;
  /** Start of the signature chain of a body in signed chunks; undefined where the URL is signed, or nothing is. */
  readonly chunks?: ChunkSigning;
}

interface Claim {
  readonly accessKeyId: string;
  readonly region: string;
  /** As `20260102T030405Z`. */
  readonly date: string;
  readonly signedHeaders: string;
  readonly signature: string;
  /** For a signature in the URL: how long it is valid. */
  readonly expiresSec: number | undefined;
}

const clockSkewMs = 15 * 60_000;
const longestExpirySec = 7 * 24 * 3600;
const algorithm = 'AWS4-HMAC-SHA256';

export class S3Callers {
  readonly #clients: ReadonlyMap<string, S3ClientConfig>;

  constructor(clients: readonly S3ClientConfig[]) {
    this.#clients = new Map(clients.map((client) => [client.accessKeyID, client]));
  }

  /**
   * Throws S3Refusal for a signature that is wrong, expired or by an unknown key, and for an unsigned request that does
   * not come from this machine. @param overSocket the request came over the unix socket.
   */
  async callerOf(request: IncomingMessage, target: S3Target, overSocket: boolean): Promise<S3Caller> {
    const claim = claimOf(request, target);
    if (!claim) {
      requireOwnMachine(request, overSocket);
      return { client: undefined };
    }
    const client = this.#clients.get(claim.accessKeyId);
    if (!client)
      throw new S3Refusal('InvalidAccessKeyId', 'The AWS Access Key Id you provided does not exist in our records.');
    requireTimely(claim, Date.now());
    const expected = await signatureOf(request, target, claim, client);
    const [given, own] = [Buffer.from(claim.signature), Buffer.from(expected)];
    if (given.length === own.length && timingSafeEqual(given, own)) {
      const { signature, date, region, expiresSec } = claim;
      if (expiresSec !== undefined) return { client };
      return { client, chunks: { signature, date, region, secretKey: client.secretKey } };
    }
    throw new S3Refusal(
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
    );
  }
}

export function mayUseBucket({ client }: S3Caller, bucket: S3BucketConfig): boolean {
  if (!client) return bucket.anonymous;
  return client.buckets.length === 0 || client.buckets.includes(bucket.name);
}

/** @param prefix a key, or the common prefix of all keys concerned. */
export function mayUse(caller: S3Caller, bucket: S3BucketConfig, prefix: string): boolean {
  const { prefixes = [] } = caller.client ?? {};
  return mayUseBucket(caller, bucket) && (prefixes.length === 0 || prefixes.some((each) => prefix.startsWith(each)));
}

/** Throws S3Refusal unless the request comes from a program of this machine. */
export function requireOwnMachine(request: IncomingMessage, overSocket: boolean): void {
  if (!overSocket && !isLocal(request))
    throw new S3Refusal('AccessDenied', 'Anonymous access is forbidden for this operation');
}

/**
 * A web page is not a program of this machine: with DNS rebinding its requests carry its own host name, and browsers
 * say where a request comes from. Pages served from a bucket may have been written by anybody with write access to it.
 */
function isLocal({ socket, headers }: IncomingMessage): boolean {
  if (headers.origin !== undefined || headers['sec-fetch-site'] !== undefined) return false;
  return isLoopbackAddress(socket.remoteAddress ?? '') && namesLoopback(`http://${headers.host ?? ''}`);
}

function claimOf({ headers }: IncomingMessage, { signing, query }: S3Target): Claim | undefined {
  const { authorization } = headers;
  if (query.has('AWSAccessKeyId') || query.has('Signature')) throw notSupported();
  const inUrl = signing.has('algorithm') || signing.has('signature') || signing.has('credential');
  if (authorization !== undefined && inUrl)
    throw new S3Refusal('InvalidArgument', 'Only one auth mechanism allowed; a header or a signed URL.');
  if (inUrl) return claimInUrl(signing);
  return authorization === undefined ? undefined : claimInHeader(authorization, headers['x-amz-date']);
}

function claimInHeader(authorization: string, date: string | string[] | undefined): Claim {
  const [, name, rest = ''] = /^(\S+)\s+(.*)$/.exec(authorization) ?? [];
  if (name !== algorithm) throw notSupported();
  const fields = new Map(
    rest.split(',').map((field) => {
      const [key = '', value = ''] = field.trim().split('=', 2);
      return [key, value] as const;
    }),
  );
  if (typeof date !== 'string')
    throw new S3Refusal('AccessDenied', 'AWS authentication requires a valid x-amz-date header');
  return claimFrom({
    credential: fields.get('Credential'),
    signedHeaders: fields.get('SignedHeaders'),
    signature: fields.get('Signature'),
    date,
    expiresSec: undefined,
    malformed: (what) =>
      new S3Refusal('AuthorizationHeaderMalformed', `The authorization header is malformed; ${what}.`),
  });
}

/** For version 2, which some clients still use for signed URLs by default, and for 4A. */
function notSupported(): S3Refusal {
  return new S3Refusal(
    'InvalidRequest',
    `The authorization mechanism you have provided is not supported. Please use ${algorithm}.`,
  );
}

function claimInUrl(signing: S3Target['signing']): Claim {
  const malformed = (what: string): S3Refusal => new S3Refusal('AuthorizationQueryParametersError', `${what}.`);
  if (signing.get('algorithm') !== algorithm) throw malformed(`X-Amz-Algorithm only supports "${algorithm}"`);
  const expires = signing.get('expires') ?? '';
  if (!/^\d{1,7}$/.test(expires) || Number(expires) > longestExpirySec)
    throw malformed('X-Amz-Expires must be a number of seconds, a week at most');
  return claimFrom({
    credential: signing.get('credential'),
    signedHeaders: signing.get('signedheaders'),
    signature: signing.get('signature'),
    date: signing.get('date'),
    expiresSec: Number(expires),
    malformed,
  });
}

function claimFrom(parts: {
  readonly credential: string | undefined;
  readonly signedHeaders: string | undefined;
  readonly signature: string | undefined;
  readonly date: string | undefined;
  readonly expiresSec: number | undefined;
  readonly malformed: (what: string) => S3Refusal;
}): Claim {
  const { credential = '', signedHeaders = '', signature = '', date = '', expiresSec, malformed } = parts;
  const [, accessKeyId, day, region] = /^(.+)\/(\d{8})\/([\w-]{1,64})\/s3\/aws4_request$/.exec(credential) ?? [];
  if (accessKeyId === undefined || region === undefined) throw malformed('the Credential is not one for s3');
  if (!/^\d{8}T\d{6}Z$/.test(date) || !date.startsWith(day ?? ''))
    throw malformed('the date is malformed, or another one than that of the Credential');
  if (!/^[0-9a-f]{64}$/.test(signature)) throw malformed('the Signature is malformed');
  return { accessKeyId, region, date, signedHeaders, signature, expiresSec };
}

function requireTimely({ date, expiresSec }: Claim, nowMs: number): void {
  const [, year, month, day, hour, minute, second] = /^(....)(..)(..)T(..)(..)(..)Z$/.exec(date) ?? [];
  const atMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  const early = !(atMs - nowMs <= clockSkewMs); // an invalid date compares as neither
  if (expiresSec === undefined) {
    if (!early && nowMs - atMs <= clockSkewMs) return;
    throw new S3Refusal(
      'RequestTimeTooSkewed',
      'The difference between the request time and the current time is too large.',
    );
  }
  if (early) throw new S3Refusal('AccessDenied', 'Request is not yet valid');
  if (nowMs > atMs + expiresSec * 1000) throw new S3Refusal('AccessDenied', 'Request has expired');
}

/** In hexadecimal digits. Throws S3Refusal when the caller did not sign what must be signed. */
async function signatureOf(
  { method = '', headers }: IncomingMessage,
  { url }: S3Target,
  { region, date, signedHeaders, expiresSec }: Claim,
  { accessKeyID, secretKey }: S3ClientConfig,
): Promise<string> {
  const names = signedHeaders.split(';');
  const inHeader = expiresSec === undefined;
  const unsigned = Object.keys(headers).find((name) => name.startsWith('x-amz-') && !names.includes(name));
  const sorted = names.every((name, index) => index === 0 || (names[index - 1] ?? '') < name);
  if (unsigned !== undefined || !sorted || !names.includes('host'))
    throw new S3Refusal('AccessDenied', 'There were headers present in the request which were not signed');
  if (inHeader && headers['x-amz-content-sha256'] === undefined)
    throw new S3Refusal('InvalidRequest', 'Missing required header for this request: x-amz-content-sha256');
  const header: Record<string, string> = {};
  for (const name of names) {
    if (name === 'host') continue;
    const value = headers[name];
    if (!/^[a-z0-9-]+$/.test(name)) return '';
    header[name] = Array.isArray(value) ? value.join(',') : (value ?? '');
  }
  const signer = new AwsV4Signer({
    method,
    url: url.href,
    headers: header,
    datetime: date,
    accessKeyId: accessKeyID,
    secretAccessKey: secretKey,
    region,
    service: 's3',
    signQuery: !inHeader,
    allHeaders: true,
  });
  return signer.signature();
}
