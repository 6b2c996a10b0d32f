/**
 * What signing adds to a URL. Two signed URLs of one object differ in nothing else, so it is excluded from the task's
 * id. Whether a caller may have the object is a separate question, which its own signature answers at the origin.
 * Parameters that select a version, a part or a transformation select other bytes, and `response-content-*` another
 * answer: they stay in the id.
 */

/** The protocol's own list; these exact names are excluded from every URL. */
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

/** A signing scheme, recognised by names that occur together; all in lower case. */
interface SignatureShape {
  readonly all: readonly string[];
  /** Patterns for the values of names that are too common to identify a scheme. */
  readonly looks: Readonly<Record<string, RegExp>>;
  /** All names of the scheme, including those in `all`. */
  readonly names: ReadonlySet<string>;
  /** Names with this prefix belong to it as well. */
  readonly prefix: string | undefined;
}

interface ShapeOptions {
  readonly looks?: Readonly<Record<string, RegExp>>;
  readonly prefix?: string;
}

function shape(all: string, others = '', { looks = {}, prefix }: ShapeOptions = {}): SignatureShape {
  const required = all.split(' ');
  return { all: required, looks, names: new Set([...required, ...others.split(' ')]), prefix };
}

/** Version 4 signatures look alike in all clouds; parameters that process the object (`x-oss-process`) or select a version do not belong to them. */
function version4(vendor: string): SignatureShape {
  const own = ['algorithm', 'credential', 'date', 'expires', 'signedheaders', 'signature', 'signature-version'];
  const more = ['security-token', 's3session-token', 'region-set', 'user-agent', 'content-sha256', 'policy'];
  const rest = ['additional-headers', 'checksum-mode', 'access-key-id', 'traffic-limit', ...sourceLimits];
  return shape(
    `x-${vendor}-signature`,
    `x-id ${[...own, ...more, ...rest].map((name) => `x-${vendor}-${name}`).join(' ')}`,
    vendor === 'amz' ? { prefix: 'x-xet-' } : {},
  );
}

/** Restrictions of an OSS URL to certain callers. */
const sourceLimits = ['ac-source-ip', 'ac-subnet-mask', 'ac-vpc-id', 'ac-forward-allow'];

const seconds = /^\d{9,11}$/;
const md5 = /^[\da-f]{32}$/i;
/** Akamai's tokens: `exp=…~acl=…~hmac=…`. */
const edgeToken = /(?:^|~)exp=\d+~.*hmac=[\da-f]{32,}$/i;

const stores: readonly SignatureShape[] = [
  ...['amz', 'goog', 'oss', 'obs', 'tos', 'kss', 'cos', 'bce'].map(version4),
  // S3, OSS, OBS, GCS, KS3 before version 4, Google's CDNs, and those of Docker Hub
  shape(
    'expires signature',
    'awsaccesskeyid ossaccesskeyid accesskeyid kssaccesskeyid googleaccessid securitytoken keyname urlprefix ucloudpublickey',
  ),
  shape(
    'expires signature',
    `security-token x-amz-security-token x-obs-security-token x-kss-security-token x-oss-traffic-limit x-obs-traffic-limit ${sourceLimits.map((name) => `x-oss-${name}`).join(' ')}`,
  ),
  // Azure's shared access signatures of an account, a service, a user
  shape('sig sv', 'ss srt sp se st spr sip sr si sdd ses skoid sktid skt ske sks skv saoid suoid scid skdutid sduoid'),
  shape('q-signature', 'x-cos-security-token x-cos-traffic-limit', { prefix: 'q-' }),
  // older COS: everything in one value
  shape('sign', 'x-cos-security-token', { looks: { sign: /^q-sign-algorithm=/ } }),
  shape('authorization', 'x-bce-security-token', { looks: { authorization: /^bce-auth-v1\// } }), // BOS
  shape('e token', '', { looks: { e: seconds, token: /^[\w-]{20,}:[\w-]{20,}=*/ } }), // Kodo
  shape('temp_url_sig temp_url_expires', 'temp_url_prefix temp_url_ip_range'), // Swift
];

const networks: readonly SignatureShape[] = [
  // CloudFront, with a time or with a policy
  shape('signature key-pair-id', 'expires policy hash-algorithm'),
  shape('verify', '', { looks: { verify: /^\d{10}-\S{20,}$/ } }), // Cloudflare
  // Alibaba's, Huawei's, Volcengine's, Tencent's
  shape('auth_key', '', { looks: { auth_key: /^\d{10}-[\da-z]+-[\da-z]+-[\da-f]{32}$/i } }),
  shape('sign', '', { looks: { sign: /^\d{10}-[\da-z]+-[\da-z]+-[\da-f]{32}$/i } }),
  shape('sign t', '', { looks: { sign: md5, t: seconds } }),
  ...['hdnts', 'hdnea', 'hdntl', '__token__', 'edge-cache-token', 'akamai_signature'].map((name) =>
    shape(name, '', { looks: { [name]: edgeToken } }),
  ),
  shape('md5 expires', '', { looks: { md5: /^[\w-]{22}$/, expires: seconds } }), // nginx
  shape('token expires', 'token_path token_countries token_ver', {
    looks: { token: /^(?:HS256-)?[\w-]{22,}$/, expires: seconds },
  }), // Bunny
];

const shapes = [...stores, ...networks];

/** Parameters that some services add to a signature to know who asked. */
const besides: readonly (readonly [host: RegExp, names: readonly string[]])[] = [
  [/\.githubusercontent\.com$/, ['jwt', 'actor_id', 'key_id', 'repo_id', 'token']],
  [/\.quay\.io$/, ['username', 'namespace', 'repo_name', 'region', 'cf_sign', 'cf_expiry']],
  [/\.(?:hf|huggingface)\.co$/, ['user_id', 'repo_id', 'x-xet-session-id', 'x-xet-cas-uid']],
];

/** Services whose single own parameter is the whole signature. */
const alone: readonly (readonly [host: RegExp, names: readonly string[]])[] = [
  [/^(?:raw|media)\.githubusercontent\.com$|^codeload\.github\.com$/, ['token']],
  [/\.backblazeb2\.com$/, ['authorization']],
];

/** Names of the URL's signing parameters, as spelled in it. */
export function signatureParams(url: URL): string[] {
  if (url.search === '') return [];
  const values = new Map([...url.searchParams].map(([name, value]) => [name.toLowerCase(), value]));
  const found = shapes.filter(({ all, looks }) =>
    all.every((name) => {
      const value = values.get(name);
      return value !== undefined && (looks[name]?.test(value) ?? true);
    }),
  );
  const ofHost = new Set([...namesOf(alone, url), ...(found.length === 0 ? [] : namesOf(besides, url))]);
  return [...new Set(url.searchParams.keys())].filter((name) => {
    const lower = name.toLowerCase();
    return (
      ofHost.has(lower) ||
      found.some(({ names, prefix }) => names.has(lower) || (prefix !== undefined && lower.startsWith(prefix)))
    );
  });
}

function namesOf(list: typeof besides, { hostname }: URL): readonly string[] {
  return list.flatMap(([host, names]) => (host.test(hostname) ? names : []));
}
