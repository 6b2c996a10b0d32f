/**
 * What signing adds to a URL. Two signed URLs of one object differ in nothing else, so it stays out of the task's id.
 * Whether a caller may have the object is another question, which its own signature answers at the origin.
 * A version, a part and what processes the object name other bytes, `response-content-*` another answer: they stay in.
 */

/** The protocol's own list, left out of every URL by exactly these names. */
export const defaultFilteredQueryParams: readonly string[] = [
  'X-Amz-Algorithm',
  'X-Amz-Credential',
  'X-Amz-Date',
  'X-Amz-Expires',
  'X-Amz-SignedHeaders',
  'X-Amz-Signature',
  'X-Amz-Security-Token',
  'X-Amz-User-Agent',
  'X-Goog-Algorithm',
  'X-Goog-Credential',
  'X-Goog-Date',
  'X-Goog-Expires',
  'X-Goog-SignedHeaders',
  'X-Goog-Signature',
  'OSSAccessKeyId',
  'Expires',
  'Signature',
  'SecurityToken',
  'AccessKeyId',
  'X-Obs-Date',
  'X-Obs-Security-Token',
  'q-sign-algorithm',
  'q-ak',
  'q-sign-time',
  'q-key-time',
  'q-header-list',
  'q-url-param-list',
  'q-signature',
  'x-cos-security-token',
  'ns',
];

/** A way to sign, recognised by names that occur together; all names in lower case. */
interface SignatureShape {
  readonly all: readonly string[];
  /** Names that belong to it, those of `all` included. */
  readonly names: ReadonlySet<string>;
  /** Names that begin so belong to it too. */
  readonly prefix?: string;
}

function shape(all: string, others = '', prefix?: string): SignatureShape {
  const required = all.split(' ');
  return {
    all: required,
    names: new Set([...required, ...others.split(' ')]),
    ...(prefix !== undefined && { prefix }),
  };
}

/** Version 4 signatures look alike in all clouds; what processes the object (`x-oss-process`) or names a version is none of it. */
function version4(vendor: string): SignatureShape {
  const own = ['algorithm', 'credential', 'date', 'expires', 'signedheaders', 'signature', 'signature-version'];
  const more = ['security-token', 'user-agent', 'content-sha256', 'additional-headers', 'policy', 'checksum-mode'];
  return shape(
    `x-${vendor}-signature`,
    `x-id ${[...own, ...more].map((name) => `x-${vendor}-${name}`).join(' ')}`,
    vendor === 'amz' ? 'x-xet-' : undefined,
  );
}

const shapes: readonly SignatureShape[] = [
  ...['amz', 'goog', 'oss', 'obs', 'tos', 'kss', 'cos', 'bce'].map(version4),
  // S3, OSS, OBS, GCS, KS3 before version 4, and the CDNs of Docker Hub
  shape('expires signature', 'awsaccesskeyid ossaccesskeyid accesskeyid kssaccesskeyid googleaccessid securitytoken'),
  shape('expires signature', 'security-token x-amz-security-token x-obs-security-token x-kss-security-token'),
  // CloudFront, with a time or with a policy
  shape('signature key-pair-id', 'expires policy hash-algorithm'),
  // Azure's shared access signatures of an account, a service, a user
  shape('sig sv', 'ss srt sp se st spr sip sr si sdd ses skoid sktid skt ske sks skv saoid suoid scid skdutid sduoid'),
  shape('q-signature', 'x-cos-security-token', 'q-'),
  shape('verify', ''), // Cloudflare, where the value says so
  shape('auth_key', ''), // Alibaba's CDN
];

/** Of shapes whose one name is too common to stand for itself: what its value must look like. */
const telling: Readonly<Record<string, RegExp>> = {
  verify: /^\d{10}-\S{20,}$/,
  auth_key: /^\d{10}-[\da-z]+-[\da-z]+-[\da-f]{32}$/i,
};

/** What some services add to a signature to know who asked. */
const hosts: readonly (readonly [RegExp, readonly string[]])[] = [
  [/\.githubusercontent\.com$/, ['jwt', 'actor_id', 'key_id', 'repo_id']],
  [/\.quay\.io$/, ['username', 'namespace', 'repo_name', 'region']],
];

/** Names of parameters in this URL, as written there, that sign it. */
export function signatureParams(url: URL): string[] {
  if (url.search === '') return [];
  const values = new Map([...url.searchParams].map(([name, value]) => [name.toLowerCase(), value]));
  const found = shapes.filter(({ all }) =>
    all.every((name) => {
      const value = values.get(name);
      return value !== undefined && (telling[name]?.test(value) ?? true);
    }),
  );
  if (found.length === 0) return [];
  const ofHost = new Set(hosts.flatMap(([host, names]) => (host.test(url.hostname) ? names : [])));
  return [...new Set(url.searchParams.keys())].filter((name) => {
    const lower = name.toLowerCase();
    return (
      ofHost.has(lower) ||
      found.some(({ names, prefix }) => names.has(lower) || (prefix !== undefined && lower.startsWith(prefix)))
    );
  });
}
