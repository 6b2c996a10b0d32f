/**
 * The `proxy` section of dfget.yaml. It accepts the keys of both generations of the original: `tcpListen`, `proxies`,
 * `hijackHTTPS` of the first and `server`, `rules`, `prefetch` of the second. `proxySettings` merges them into one
 * form.
 */
import { z } from 'zod';
import { emptyMeansNone } from '../../core/config/config-schema.ts';
import { bytes, durationMs, ignored, section } from '../../core/config/config.ts';
import { patternSchema } from '../../core/config/pattern-schema.ts';
import { proxyLimits } from './limits.ts';

const portNumber = z.int().min(0).max(65_535);
const port = z.union([
  portNumber,
  z
    .object({ start: z.int().min(1).max(65_535), end: z.int().min(1).max(65_535) })
    .refine((range) => range.start <= range.end, 'start is past end'),
]);

const pattern = patternSchema(proxyLimits.ruleLength);

const credentials = z.object({ username: z.string().min(1), password: z.string().min(1) });

const rule = z.object({
  regx: pattern
    .optional()
    .describe('URLs the rule is for; the first rule that matches wins. A rule without it matches nothing'),
  regex: pattern.optional().describe('the same as regx'),
  useHTTPS: z.boolean().default(false).describe('ask the origin over TLS'),
  useTLS: z.boolean().default(false).describe('the same as useHTTPS'),
  direct: z.boolean().default(false).describe('forward to the origin, not by way of the peers'),
  redirect: z.string().max(proxyLimits.ruleLength).optional().describe('host that is asked instead'),
  filteredQueryParams: z.array(z.string()).optional(),
});

const portList = z.array(
  z.union([
    z.string().regex(/^\d{1,5}(-\d{1,5})?$/, 'is not a port or a range of ports'),
    portNumber.transform(String),
  ]),
);

const listenAt = {
  port: port.optional().describe('default 65001'),
  listen: z.string().optional().describe('default 127.0.0.1'),
  namespace: z.string().optional().describe('path of a network namespace to listen in, such as /run/netns/NAME'),
};

export const proxyConfig = section({
  enable: z.boolean().default(true),
  tcpListen: section(listenAt),
  /** The second generation's name of the listener. */
  server: section({
    ip: z.string().optional(),
    port: port.optional(),
    requestRateLimit: z.int().min(0).default(0).describe('requests per second, more are answered 429; 0 sets no bound'),
    caCert: z.string().optional(),
    caKey: z.string().optional(),
    basicAuth: credentials.optional(),
  }),
  /** TLS of the proxy's own port. */
  security: section({
    insecure: z.boolean().default(true),
    tlsVerify: z.boolean().default(true),
    caCert: z.string().optional(),
    cert: z.string().optional(),
    key: z.string().optional(),
  }),
  basicAuth: credentials.optional(),
  allowedNetworks: z
    .array(z.union([z.cidrv4(), z.cidrv6()]))
    .default([])
    .describe('networks (CIDR) that may use the proxy besides this host'),
  defaultFilter: emptyMeansNone(
    z
      .string()
      .default('Expires&Signature&ns')
      .describe('query parameters that do not tell objects apart, `&` between them'),
  ),
  defaultTag: z.string().optional(),
  defaultApplication: z.string().optional(),
  defaultPriority: z.int().min(0).max(6).optional(),
  maxConcurrency: z.int().min(0).default(0).describe('requests worked on at once; 0 sets no bound'),
  keepPushes: z
    .boolean()
    .default(true)
    .describe('layers that clients push to registries stay in the cache, for the first nodes that pull them'),
  prefetch: z.boolean().default(false).describe('with a range: fetch the rest of the content in the background'),
  prefetchBandwidthLimit: bytes('10Gi'),
  readBufferSize: ignored,
  read_buffer_size: ignored,
  disableBackToSource: z
    .boolean()
    .default(false)
    .describe('never go to the origin with what a rule gives to the peers'),
  registryMirror: section({
    url: z.string().optional(),
    addr: z.string().optional(),
    dynamic: z
      .boolean()
      .optional()
      .describe('clients may name the registry of a request; by default those of this host may'),
    registries: z
      .array(z.string())
      .default([])
      .describe(
        'registries that are believed about what they have, and the only ones clients may name, if any is listed',
      ),
    certs: z.array(z.string()).default([]),
    cert: z.string().optional(),
    insecure: z.boolean().default(false),
    direct: z.boolean().default(false),
    useProxies: z.boolean().default(false),
    enableTaskIDBasedBlobDigest: z.boolean().default(true),
  }),
  proxies: z.array(rule).default([]),
  rules: z.array(rule).default([]),
  hijackHTTPS: z
    .object({
      cert: z.string().default(''),
      key: z.string().default(''),
      autoCert: z
        .boolean()
        .default(false)
        .describe('make and keep an authority of our own when no certificate is given'),
      hosts: z
        .array(
          z.object({ regx: pattern, insecure: z.boolean().default(false), certs: z.array(z.string()).default([]) }),
        )
        .default([]),
      sni: z
        .array(z.object({ ...listenAt, port: port.describe('which is also the port of the hosts') }))
        .default([])
        .describe('ports for TLS without CONNECT, where names of hosts are pointed at this node'),
    })
    .optional(),
  whiteList: z
    .array(z.object({ host: z.string().optional(), regx: pattern.optional(), ports: portList.default([]) }))
    .default([]),
  connectPorts: portList
    .default(['443', '5000', '5443', '8443'])
    .describe('ports CONNECT may reach when the white list does not say'),
  access: section({
    ttl: durationMs('5m').describe('how long an origin\'s "yes" for one caller and object holds'),
    whenOriginDown: z
      .enum(['deny', 'allow'])
      .default('deny')
      .describe('what callers without a valid "yes" get while the origin cannot be asked'),
    shareProofs: z
      .enum(['off', 'digests', 'all'])
      .default('digests')
      .describe(
        'what an origin told one node counts for the others with the same credential, where all have certificates: about what a digest names, or also about tags and objects, where every member is trusted',
      ),
  }),
  dumpHTTPContent: z.boolean().default(false).describe('has no effect: what clients send and get is nobody’s to log'),
  extraRegistryMirrors: ignored,
});

export type ProxyConfig = z.output<typeof proxyConfig>;
export type Port = z.output<typeof port>;
export type RuleConfig = z.output<typeof rule>;
export type WhiteListEntry = ProxyConfig['whiteList'][number];
export type InterceptedHost = NonNullable<ProxyConfig['hijackHTTPS']>['hosts'][number];

export interface Listen {
  /** An address; with a namespace it must be numeric. */
  readonly host: string;
  readonly port: Port;
  /** The path of a network namespace; `ip netns` keeps them below /run/netns. */
  readonly namespace: string | undefined;
}

export interface ProxySettings {
  readonly listen: Listen;
  readonly basicAuth: { readonly username: string; readonly password: string } | undefined;
  /** Infinity sets no bound. */
  readonly requestsPerSec: number;
  readonly rules: readonly RuleConfig[];
  readonly mirror: {
    readonly url: string;
    /** Undefined means: for clients on this host. */
    readonly dynamic: boolean | undefined;
    readonly registries: readonly string[];
    readonly certs: readonly string[];
    readonly insecure: boolean;
    readonly direct: boolean;
    readonly useRules: boolean;
    readonly blobDigestAsId: boolean;
  };
  readonly interception:
    | {
        readonly cert: string;
        readonly key: string;
        readonly hosts: readonly InterceptedHost[];
        readonly sni: readonly Listen[];
      }
    | undefined;
}

/** Merges both generations into one form; where both are given the first generation's key wins, because it is the documented one. */
export function proxySettings(config: ProxyConfig): ProxySettings {
  const { registryMirror, server, hijackHTTPS } = config;
  return {
    listen: {
      host: config.tcpListen.listen ?? server.ip ?? '127.0.0.1',
      port: config.tcpListen.port ?? server.port ?? 65_001,
      namespace: config.tcpListen.namespace,
    },
    basicAuth: config.basicAuth ?? server.basicAuth,
    requestsPerSec: server.requestRateLimit === 0 ? Infinity : server.requestRateLimit,
    rules: [...config.proxies, ...config.rules],
    mirror: {
      url: registryMirror.url ?? registryMirror.addr ?? 'https://registry-1.docker.io',
      dynamic: registryMirror.dynamic,
      registries: registryMirror.registries,
      certs: registryMirror.cert === undefined ? registryMirror.certs : [...registryMirror.certs, registryMirror.cert],
      insecure: registryMirror.insecure,
      direct: registryMirror.direct,
      useRules: registryMirror.useProxies,
      blobDigestAsId: registryMirror.enableTaskIDBasedBlobDigest,
    },
    interception: interceptionOf(hijackHTTPS, server),
  };
}

function interceptionOf(
  hijack: ProxyConfig['hijackHTTPS'],
  server: ProxyConfig['server'],
): ProxySettings['interception'] {
  const sni = (hijack?.sni ?? []).map(({ port, listen = '127.0.0.1', namespace }) => ({
    host: listen,
    port,
    namespace,
  }));
  if (hijack && (hijack.cert !== '' || hijack.autoCert)) {
    return { cert: hijack.cert, key: hijack.key, hosts: hijack.hosts, sni };
  }
  if (server.caCert === undefined || server.caKey === undefined) return undefined;
  // the second generation intercepts every CONNECT once an authority is configured
  const everyHost = { regx: '.*', insecure: false, certs: [] };
  return { cert: server.caCert, key: server.caKey, hosts: hijack?.hosts.length ? hijack.hosts : [everyHost], sni };
}
