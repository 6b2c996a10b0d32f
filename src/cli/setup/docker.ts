/**
 * Docker: as a mirror of Docker Hub (read again on reload, falls back by itself), or as the proxy for every registry
 * (needs a restart; TLS registries are accelerated only where the proxy intercepts them).
 */
import { join } from 'node:path';
import { DragonflyError } from '../../core/errors.ts';
import { readOrUndefined } from './journal.ts';
import type { SetupPlan, Takeover } from './plan.ts';
import type { SetupRegistry } from './registry.ts';

export interface DockerOptions {
  readonly proxyUrl: string;
  readonly method: 'mirror' | 'proxy';
  readonly registries: readonly SetupRegistry[];
  /** daemon.json. */
  readonly configPath: string;
  /** The directory in which Docker looks up trusted certificates per registry. */
  readonly certsDirectory: string;
  /** The certificate of the proxy's own authority; undefined when the proxy does not intercept. */
  readonly authorityPem: string | undefined;
  /** The major version of dockerd, if known: those before 23 refuse to start with `proxies` in daemon.json. */
  readonly majorVersion: number | undefined;
  /** Given when the user lets this machine trust the proxy's authority. */
  readonly systemTrust: SystemTrust | undefined;
  /** The systemd drop-in that sets the proxy for older versions. */
  readonly dropInPath: string;
  /** Makes this machine's dockerd reload the file without stopping anything; undefined when the user does that. */
  readonly reload: Takeover | undefined;
}

/** Where authorities are stored that the whole machine trusts, and the command that applies them. */
export interface SystemTrust {
  readonly directory: string;
  readonly takeover: Takeover;
}

const firstWithProxies = 23;
/** dockerd uses only the system's authorities for it, whatever its own certificate directory contains. */
const dockerHub = /(?:^|\.)docker\.(?:io|com)$/;

export async function planDocker(options: DockerOptions): Promise<SetupPlan> {
  const { configPath, proxyUrl, method, majorVersion } = options;
  if (method === 'proxy' && majorVersion !== undefined && majorVersion < firstWithProxies) return planDropIn(options);
  const before = await readOrUndefined(configPath);
  const config = parsed(before, configPath);
  const changed = method === 'mirror' ? withMirror(config, proxyUrl) : withProxy(config, proxyUrl);
  const indent = /\n([ \t]+)"/.exec(before ?? '')?.[1] ?? '  ';
  const after = changed === config && before !== undefined ? before : `${JSON.stringify(changed, undefined, indent)}\n`;
  const takeover = method === 'mirror' ? options.reload : options.systemTrust?.takeover;
  const authorities = method === 'mirror' ? [] : await planAuthorities(options);
  return {
    changes: [...(after === before ? [] : [{ path: configPath, before, after }]), ...authorities],
    ...(takeover && { takeover }),
    afterwards: method === 'mirror' ? reloadByHand(options) : [...tunnelledHub(options), restartByHand],
    registries: method === 'mirror' ? ['https://registry-1.docker.io'] : options.registries.map(({ url }) => url),
  };
}

const restartByHand =
  'Restart Docker (containers go on if live-restore is true in daemon.json): systemctl restart docker';

function reloadByHand({ reload }: DockerOptions): string[] {
  return reload ? [] : ['Let Docker read its configuration again, without a restart: systemctl reload docker'];
}

async function planDropIn(options: DockerOptions): Promise<SetupPlan> {
  const { dropInPath: path, proxyUrl, registries } = options;
  const before = await readOrUndefined(path);
  const after = `[Service]\nEnvironment="HTTP_PROXY=${proxyUrl}" "HTTPS_PROXY=${proxyUrl}" "NO_PROXY=localhost,127.0.0.0/8,::1"\n`;
  return {
    changes: [...(after === before ? [] : [{ path, before, after }]), ...(await planAuthorities(options))],
    ...(options.systemTrust && { takeover: options.systemTrust.takeover }),
    afterwards: [
      ...tunnelledHub(options),
      'Restart Docker (containers go on if live-restore is true in daemon.json): systemctl daemon-reload && systemctl restart docker',
    ],
    registries: registries.map(({ url }) => url),
  };
}

function tunnelledHub({ registries, systemTrust }: DockerOptions): string[] {
  if (systemTrust || !registries.some(({ url }) => dockerHub.test(new URL(url).hostname))) return [];
  return [
    'Docker Hub is only tunnelled, and nothing of it shared: dockerd asks it with the authorities of the system alone. With --system-trust this machine trusts the proxy too; or use --method mirror.',
  ];
}

/** The authority is added to Docker's own directory for that registry, and to the host's trust store only with the user's consent. */
async function planAuthorities({
  authorityPem,
  certsDirectory,
  registries,
  systemTrust,
}: DockerOptions): Promise<SetupPlan['changes']> {
  if (authorityPem === undefined) {
    if (!systemTrust) return [];
    throw new DragonflyError('INVALID_ARGUMENT', '--system-trust needs the certificate of the authority', {
      hint: "Name it with --ca, the daemon's <workHome>/proxy-ca/ca.crt.",
    });
  }
  const paths = registries
    .filter(({ url }) => !systemTrust || !dockerHub.test(new URL(url).hostname))
    .map(({ url }) => join(certsDirectory, new URL(url).host, 'dragonfly.crt'));
  if (systemTrust) paths.push(join(systemTrust.directory, 'dragonfly.crt'));
  const existing = await Promise.all(paths.map(readOrUndefined));
  return paths.flatMap((path, index) => {
    const before = existing[index];
    return before === authorityPem ? [] : [{ path, before, after: authorityPem }];
  });
}

type Json = Readonly<Record<string, unknown>>;

function parsed(text: string | undefined, path: string): Json {
  if (text === undefined || text.trim() === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Json;
  } catch (error) {
    throw new DragonflyError('FAILED_PRECONDITION', `${path} is not JSON: ${(error as Error).message}`, {
      cause: error,
    });
  }
  throw new DragonflyError('FAILED_PRECONDITION', `${path} does not hold an object`);
}

function withMirror(config: Json, proxyUrl: string): Json {
  const mirrors = Array.isArray(config['registry-mirrors']) ? (config['registry-mirrors'] as unknown[]) : [];
  if (mirrors.includes(proxyUrl)) return config;
  return { ...config, 'registry-mirrors': [proxyUrl, ...mirrors] };
}

function withProxy(config: Json, proxyUrl: string): Json {
  const proxies = (config['proxies'] ?? {}) as Json;
  if (proxies['http-proxy'] === proxyUrl && proxies['https-proxy'] === proxyUrl) return config;
  const noProxy = proxies['no-proxy'] ?? 'localhost,127.0.0.0/8,::1';
  return { ...config, proxies: { ...proxies, 'http-proxy': proxyUrl, 'https-proxy': proxyUrl, 'no-proxy': noProxy } };
}
