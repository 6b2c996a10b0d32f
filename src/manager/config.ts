/** `manager.yaml`: the original's keys with the same meaning, and those that this manager adds. */
import { z } from 'zod';
import { durationMs, ignored, logRotationKeys, noted, section, timerMs } from '../core/config/config.ts';
import { outboundProxyConfig } from '../core/net/outbound-proxy.ts';

const port = z.int().min(0).max(65_535);
const text = z.string();
const pemFile = text.optional();

const mysql = z.object({
  user: text.default('dragonfly'),
  password: text.default(''),
  host: text.default('127.0.0.1'),
  port: port.default(3306),
  dbname: text.default('manager'),
  tls: z
    .object({
      caCert: pemFile,
      ca: pemFile,
      cert: pemFile,
      key: pemFile,
      insecureSkipVerify: z.boolean().default(false),
    })
    .optional(),
  tlsConfig: text.optional().describe('true, skip-verify, preferred or false; `tls` takes precedence'),
  migrate: z.boolean().default(true),
});

const postgres = z.object({
  user: text.default('dragonfly'),
  password: text.default(''),
  host: text.default('127.0.0.1'),
  port: port.default(5432),
  dbname: text.default('manager'),
  sslMode: z.enum(['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full']).default('disable'),
  caCert: pemFile,
  timezone: ignored,
  preferSimpleProtocol: ignored,
  migrate: z.boolean().default(true),
});

const database = z
  .object({
    type: z
      .enum(['sqlite', 'mysql', 'mariadb', 'postgres'])
      .optional()
      .describe('engine; by default the one configured'),
    sqlite: section({ path: text.default('/var/lib/dragonfly/manager/manager.db') }),
    mysql: mysql.optional(),
    postgres: postgres.optional(),
    poolSize: z.int().min(1).max(500).default(20).describe('connections kept to a database server'),
    redis: noted,
    polardb: ignored,
  })
  .prefault({});

const oauthProvider = z.object({
  name: z.string().min(1).max(64),
  issuer: z.url().optional().describe('OpenID Connect issuer; not needed for github and google'),
  clientID: text,
  clientSecret: text,
  redirectURL: z.url(),
});

export const managerConfigSchema = z.object({
  server: section({
    name: ignored,
    workHome: ignored,
    cacheDir: ignored,
    pluginDir: text.optional().describe('directory of plug-ins; default /usr/local/dragonfly/plugins'),
    logDir: text.optional().describe('directory of manager.log; standard error when absent'),
    logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
    ...logRotationKeys,
    grpc: section({
      advertiseIP: text.optional(),
      advertisePort: ignored,
      listenIP: text.optional().describe('default 0.0.0.0, or :: with network.enableIPv6'),
      port: section({ start: port.default(65_003), end: ignored }),
      tls: z
        .object({
          caCert: text,
          cert: text,
          key: text,
          members: z
            .boolean()
            .default(true)
            .describe('reach schedulers and daemons over TLS with it, too; false where they speak plain text'),
        })
        .optional(),
      requestRateLimit: z.int().min(1).default(4000).describe('calls and new streams per second'),
    }),
    rest: section({
      addr: text.default(':8080'),
      tls: z.object({ cert: text, key: text }).optional(),
      allowedOrigins: z.array(text).default([]).describe('other origins whose pages may call the API with credentials'),
      trustedProxies: z.array(text).default([]).describe('addresses whose X-Forwarded-* headers are believed'),
      prefix: text.default('').describe('path prefix under which the console is served behind a proxy'),
      consoleDir: text.optional().describe('built console; by default the one shipped beside the program'),
      requestRateLimit: z.int().min(1).default(1000).describe('requests per second and client address'),
    }),
    encryptionKeyFile: text
      .optional()
      .describe(
        'file with 32 random bytes in base64 that encrypt secrets in the database, the same for all managers of one database',
      ),
  }),
  auth: section({
    jwt: section({
      realm: text.default('Dragonfly'),
      key: text.optional().describe('base64 signing key; generated and kept in the database when absent'),
      timeout: durationMs('336h'),
      maxRefresh: durationMs('168h'),
    }),
    signUp: z.boolean().default(false).describe('let strangers create guest accounts'),
    secureCookie: z
      .enum(['auto', 'always'])
      .default('auto')
      .describe('auto: Secure exactly when the request came over TLS'),
    oauth: z.array(oauthProvider).default([]),
  }),
  database,
  cache: noted,
  job: section({
    preheat: section({
      tls: section({ caCert: pemFile, insecureSkipVerify: z.boolean().default(false) }),
      registryTimeout: timerMs('1m'),
      outboundProxy: outboundProxyConfig,
      allowCIDRs: z.array(text).default([]).describe('networks outbound requests may reach although denied by default'),
      denyCIDRs: z.array(text).default([]).describe('further networks outbound requests must not reach'),
      insecureHosts: z
        .array(text)
        .default([])
        .describe(
          'registries, host or host:port, whose certificate is not verified, and to which rules may push without TLS',
        ),
      hubEndpoint: text
        .default('https://huggingface.co')
        .describe('of the hub that hf:// stands for in preheats and rules of replication'),
    }),
    syncPeers: section({
      interval: timerMs('24h'),
      timeout: timerMs('10m'),
      batchSize: ignored,
    }),
    gc: ignored,
    rateLimit: ignored,
  }),
  security: section({
    autoIssueCert: z.boolean().default(false).describe('run the certificate authority'),
    registerFromAnyAddress: z
      .boolean()
      .default(false)
      .describe(
        'members without certificates may register addresses they do not call from, as behind address translation',
      ),
    newMembers: z
      .enum(['any', 'certified'])
      .optional()
      .describe(
        'who may register as a scheduler or seed peer that is not known: whoever calls from the address, or members with a certificate, beside rows made by hand; by default `certified` where certificates are issued and tlsPolicy is not default, unless registerFromAnyAddress is set; `any` else',
      ),
    caCert: text.optional(),
    caKey: text.optional(),
    tlsPolicy: z.enum(['default', 'prefer', 'force']).default('prefer'),
    certSpec: section({
      dnsNames: z.array(text).default([]),
      ipAddresses: z.array(text).default([]),
      validityPeriod: durationMs('24h'),
    }),
    joinToken: text.optional().describe('secret with which services prove that they belong; DRAGONFLY_JOIN_TOKEN'),
  }),
  metrics: section({ enable: z.boolean().default(false), addr: text.default(':8000'), enablePeerGauge: ignored }),
  network: section({ enableIPv6: z.boolean().default(false) }),
  searcher: z
    .enum(['default', 'v2.5', 'v2.1.28', 'plugin'])
    .default('default')
    .describe(
      'how a daemon finds its cluster: by the weights of the original of that version, or searcher.mjs of pluginDir',
    ),
  liveness: section({
    timeout: durationMs('15s').describe('a member whose last keepalive is older is inactive'),
    forgetAfter: durationMs('30m').describe('an inactive member is deleted after this time'),
  }),
  concerns: section({
    webhooks: z
      .array(
        z.object({
          url: z.url({ protocol: /^https?$/ }).max(512),
          secret: text
            .optional()
            .describe('signs what is sent: X-Dragonfly-Signature is sha256= and the HMAC of the body'),
          severity: z.enum(['warning', 'error']).default('warning').describe('error: warnings are not sent'),
        }),
      )
      .max(10)
      .default([])
      .describe('addresses that are told what wants attention and what is over, as chats and programs read it'),
  }),
  objectStorage: noted,
  trainer: noted,
  tracing: noted,
  console: z.boolean().default(false).describe('log to standard error rather than to server.logDir'),
  verbose: z.boolean().default(false).describe('log debug messages'),
  jaeger: ignored,
  'service-name': ignored,
  pprofPort: ignored,
  'pprof-port': ignored,
});

export type ManagerConfig = z.output<typeof managerConfigSchema>;
export type DatabaseConfig = ManagerConfig['database'];

/** The configured engine: the named one, else the one with settings, else embedded SQLite. */
export function databaseEngine(config: DatabaseConfig): 'sqlite' | 'mysql' | 'postgres' {
  if (config.type !== undefined) return config.type === 'mariadb' ? 'mysql' : config.type;
  if (config.mysql) return 'mysql';
  return config.postgres ? 'postgres' : 'sqlite';
}

/** Notes about keys that load but have no effect. */
export function configNotes(config: ManagerConfig): string[] {
  const notes: string[] = [];
  if (config.database.redis !== undefined)
    notes.push('database.redis is ignored: jobs and caches live in the SQL database');
  if (config.objectStorage !== undefined)
    notes.push('objectStorage is ignored: daemons are configured with their own storage');
  if (config.tracing !== undefined)
    notes.push('tracing is ignored: set OTEL_EXPORTER_OTLP_ENDPOINT and the other OTEL_* variables');
  if (config.trainer !== undefined) notes.push('trainer is ignored: there is no trainer');
  if (config.cache !== undefined) notes.push('cache is ignored: replicas tell each other about changes');
  return notes;
}

/** `:8080`, `0.0.0.0:8080`, `[::]:8080` → host and port. */
export function parseListenAddress(address: string, enableIPv6 = false): { host: string; port: number } {
  const match = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:]*)):(?<port>\d{1,5})$/.exec(address);
  const host = match?.groups?.['v6'] ?? match?.groups?.['host'] ?? '';
  return {
    host: host === '' ? (enableIPv6 ? '::' : '0.0.0.0') : host,
    port: Number(match?.groups?.['port'] ?? address),
  };
}
