/** The checks of `dragonfly doctor` on this node and around it. Every check is bounded in time and changes nothing. */
import { X509Certificate } from 'node:crypto';
import { accessSync, constants, existsSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { toDragonflyError } from '../../core/errors.ts';
import { formatBytes, formatDurationMs } from '../../core/units.ts';
import { version } from '../../core/version.ts';
import { hostPort } from '../../core/net/host-port.ts';
import type { Channels } from '../../rpc/channels.ts';
import { createClient } from '../../rpc/client.ts';
import { identityPath, type Identity } from '../../rpc/identity/identity-file.ts';
import { ListSchedulersRequest, ManagerDefinition, SourceType } from '../../../gen/manager/v2/manager.ts';

export interface Finding {
  /** What the check is about: `disk`, `scheduler`, … */
  readonly subject: string;
  readonly state: 'ok' | 'warning' | 'failure' | 'unchecked';
  /** One sentence. */
  readonly text: string;
  readonly hint?: string | undefined;
}

/** The part of the daemon's configuration that the doctor reads; the entry point provides the loader. */
export interface NodeConfig {
  readonly dataDir: string;
  readonly workHome: string;
  readonly storage: { readonly diskGCThresholdPercent: number };
  readonly health: { readonly path: string; readonly tcpListen: Listen };
  readonly scheduler: {
    readonly manager: { readonly enable: boolean; readonly netAddrs: readonly { readonly addr: string }[] };
    readonly netAddrs: readonly { readonly addr: string }[];
  };
  readonly download: {
    readonly downloadGRPC: { readonly unixListen: { readonly socket: string } };
    readonly peerGRPC: { readonly security: TlsFiles; readonly tcpListen: Listen };
    readonly sourceCA: readonly string[];
  };
  readonly upload: { readonly security: TlsFiles; readonly tcpListen: Listen };
  readonly proxy: {
    readonly enable: boolean;
    readonly tcpListen: { readonly listen?: string | undefined; readonly port?: Listen['port'] | undefined };
    readonly server: { readonly port?: Listen['port'] | undefined; readonly caCert?: string | undefined };
    readonly hijackHTTPS?: object | undefined;
    readonly security: TlsFiles;
    readonly proxies: readonly ProxyRule[];
    readonly rules: readonly ProxyRule[];
  };
  readonly doors: { readonly huggingface: { readonly enable: boolean; readonly endpoint: string } };
  readonly security: {
    readonly caCert: string;
    readonly autoIssueCert: boolean;
    readonly tlsPolicy: 'default' | 'prefer' | 'force';
  };
}

export interface Listen {
  readonly listen: string;
  readonly port: number | { readonly start: number; readonly end: number };
}

export interface ProxyRule {
  readonly regx?: string | undefined;
  readonly regex?: string | undefined;
  readonly direct: boolean;
}

interface TlsFiles {
  readonly caCert?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

const probeTimeoutMs = 3000;
const certificateWarningMs = 7 * 86_400_000;
const issuedWarningShare = 0.2;
const clockWarningMs = 5000;
const clockFailureMs = 60_000;

export async function checkPorts(config: NodeConfig, daemonAnswers: boolean, signal: AbortSignal): Promise<Finding[]> {
  const listeners = [
    ['pieces for other nodes', config.upload.tcpListen],
    ['gRPC for other nodes', config.download.peerGRPC.tcpListen],
    ['health', config.health.tcpListen],
    ...(config.proxy.enable ? [['proxy', proxyListen(config)] as const] : []),
  ] as const;
  return Promise.all(
    listeners.map(async ([name, { listen, port }]): Promise<Finding> => {
      const number = typeof port === 'number' ? port : port.start;
      const at = `${name} at port ${number}`;
      if (number === 0) return unchecked('port', `${name}: any free port, chosen at start`);
      const accepts = await accepting(reachable(listen), number, signal);
      if (daemonAnswers && accepts) return ok('port', `${at} accepts connections`);
      if (!daemonAnswers && !accepts) return ok('port', `${at} is free`);
      if (accepts) return failure('port', `${at} is taken by another program`, 'Stop it, or configure another port.');
      return failure(
        'port',
        `${at} accepts no connections though the dfdaemon runs`,
        'Check that --config names the file the dfdaemon runs with, and its log.',
      );
    }),
  );
}

export function proxyListen({ proxy }: NodeConfig): Listen {
  return { listen: proxy.tcpListen.listen ?? '127.0.0.1', port: proxy.tcpListen.port ?? proxy.server.port ?? 65_001 };
}

export function checkDisk({ dataDir, storage }: NodeConfig): Finding[] {
  if (!existsSync(dataDir)) {
    return [unchecked('disk', `the storage ${dataDir} does not exist yet; the dfdaemon makes it at its first start`)];
  }
  const { bsize, blocks, bavail, files, ffree } = statfsSync(dataDir);
  const usedPercent = Math.round(100 * (1 - bavail / Math.max(1, blocks)));
  const text = `${dataDir}: ${formatBytes(bavail * bsize)} of ${formatBytes(blocks * bsize)} free (${usedPercent} % used)`;
  const findings: Finding[] = [];
  const limit = storage.diskGCThresholdPercent;
  if (bavail * bsize < 64 * 2 ** 20)
    findings.push(failure('disk', `${text}: full`, 'Free space, or downloads will fail.'));
  else if (usedPercent >= limit) {
    findings.push(
      warning(
        'disk',
        `${text}: above the threshold of ${limit} %`,
        'Tasks are evicted early; give the storage more room.',
      ),
    );
  } else findings.push(ok('disk', text));
  if (files > 0 && ffree / files < 0.01) {
    findings.push(
      failure('disk', `${dataDir} has only ${ffree} inodes left`, 'Remove small files from this file system.'),
    );
  }
  const { uid, mode } = statSync(dataDir);
  if ((mode & 0o022) !== 0)
    findings.push(failure('disk', `${dataDir} may be written by other users`, `Run chmod go-w ${dataDir}.`));
  try {
    accessSync(dataDir, constants.W_OK);
  } catch {
    findings.push(
      warning(
        'disk',
        `${dataDir} belongs to user ${uid} and cannot be written by this one`,
        'Run the doctor as the user of the dfdaemon.',
      ),
    );
  }
  return findings;
}

export interface Around {
  readonly findings: readonly Finding[];
  /** The schedulers that answered. */
  readonly schedulers: readonly string[];
}

/** Checks the manager and the schedulers it names, each by a call of its own. */
export async function checkServices(config: NodeConfig, channels: Channels, signal: AbortSignal): Promise<Around> {
  const findings: Finding[] = [];
  const addresses = new Set(config.scheduler.netAddrs.map(({ addr }) => addr));
  const { enable, netAddrs } = config.scheduler.manager;
  if (!enable) findings.push(unchecked('manager', 'none is configured; schedulers come from the configuration file'));
  for (const { addr } of enable ? netAddrs : []) {
    const answer = await timed(async () => {
      await channels.ready(addr, { timeoutMs: probeTimeoutMs, signal });
      const request = ListSchedulersRequest.fromPartial({
        sourceType: SourceType.PEER_SOURCE,
        hostname: 'doctor',
        version,
        commit: 'none',
        ip: '127.0.0.1',
      });
      return createClient(ManagerDefinition, channels, addr).listSchedulers(request, {
        signal,
        timeoutMs: probeTimeoutMs,
      });
    });
    if ('error' in answer) {
      findings.push(
        failure('manager', `${addr}: ${answer.error.message}`, 'Check that it runs and that the address is right.'),
      );
      continue;
    }
    const active = answer.value.schedulers.filter(({ state }) => state === 'active');
    findings.push(
      ok('manager', `${addr} answers in ${formatDurationMs(answer.costMs)}; active schedulers: ${active.length}`),
    );
    for (const { ip, port } of active) addresses.add(hostPort(ip, port));
  }
  const schedulers: string[] = [];
  for (const address of addresses) {
    const answer = await timed(() => channels.ready(address, { timeoutMs: probeTimeoutMs, signal }));
    if ('error' in answer)
      findings.push(failure('scheduler', answer.error.message, 'Check that it runs and that this node can reach it.'));
    else {
      schedulers.push(address);
      findings.push(ok('scheduler', `${address} answers in ${formatDurationMs(answer.costMs)}`));
    }
  }
  if (addresses.size === 0) {
    findings.push(
      failure(
        'scheduler',
        'none is known: every download goes to the origin',
        'Configure scheduler.manager.netAddrs or scheduler.netAddrs.',
      ),
    );
  }
  return { findings, schedulers };
}

/** Checks whether a scheduler has accepted this node, as its own daemon reports. */
export async function checkAnnounced({ health }: NodeConfig, signal: AbortSignal): Promise<Finding> {
  const port = typeof health.tcpListen.port === 'number' ? health.tcpListen.port : health.tcpListen.port.start;
  if (port === 0) return unchecked('announced', 'the health port is not fixed, so the dfdaemon cannot be asked');
  const answer = await timed(() =>
    httpGet(`http://${hostPort(reachable(health.tcpListen.listen), port)}/readyz`, 'GET', signal),
  );
  if ('error' in answer) return unchecked('announced', `the health port does not answer: ${answer.error.message}`);
  const { statusCode, body } = answer.value;
  if (statusCode === 200 && body.includes('cannot reach')) {
    return warning(
      'announced',
      'a scheduler has taken this node in, but other nodes cannot connect to it: it takes from them and gives nothing',
      'Behind address translation set host.advertiseIP and host.advertisePort, or open the ports of download.peerGRPC and upload.',
    );
  }
  if (statusCode === 200) return ok('announced', 'a scheduler has taken this node in');
  return failure(
    'announced',
    'no scheduler has taken this node in: it gives nothing to others and gets nothing from them',
    'See the lines on schedulers above, and the log of the dfdaemon.',
  );
}

/** @param urls HTTP servers whose Date header serves as the reference clock; the first that answers is used. */
export async function checkClock(urls: readonly string[], signal: AbortSignal): Promise<Finding> {
  for (const url of urls) {
    const answer = await timed(() => httpGet(url, 'HEAD', signal));
    const date = 'value' in answer ? Date.parse(answer.value.date) : Number.NaN;
    if (Number.isNaN(date)) continue;
    const offsetMs = Math.abs(Date.now() - date);
    const text = `differs from ${new URL(url).host} by ${offsetMs < 1500 ? 'less than 2s' : formatDurationMs(offsetMs)}`;
    if (offsetMs >= clockFailureMs)
      return failure('clock', text, 'Set the clock; certificates and signed URLs depend on it.');
    return offsetMs >= clockWarningMs ? warning('clock', text, 'Let NTP set the clock.') : ok('clock', text);
  }
  return unchecked('clock', 'nothing that tells the time was reachable');
}

/** The manager's certificate is renewed long before it expires, so a short remaining lifetime means that renewal fails. */
function checkIssued({ certificate }: Identity): Finding {
  const [fromMs, untilMs] = [certificate.validFromDate.getTime(), certificate.validToDate.getTime()];
  const text = `the one of this node is valid until ${certificate.validToDate.toISOString()}`;
  if (Date.now() < untilMs - (untilMs - fromMs) * issuedWarningShare) return ok('certificate', text);
  return failure(
    'certificate',
    `${text} and was not renewed`,
    'See the lines on the manager, and the log of the dfdaemon.',
  );
}

/** @param identity issued by the manager, if there is one. */
export function checkCertificates(config: NodeConfig, identity: Identity | undefined): Finding[] {
  if (config.security.autoIssueCert) {
    if (identity) return [checkIssued(identity)];
    const where = identityPath(config.workHome);
    return [unchecked('certificate', `none was issued yet, or this user may not read ${where}`)];
  }
  const files = [
    ...config.download.sourceCA,
    config.security.caCert,
    ...[config.download.peerGRPC.security, config.upload.security, config.proxy.security].flatMap(
      ({ caCert, cert }) => [caCert, cert],
    ),
  ].filter((file): file is string => file !== undefined && file !== '');
  if (files.length === 0) return [unchecked('certificate', 'none is configured')];
  return [...new Set(files)].map((file) => checkCertificate(file));
}

function checkCertificate(file: string): Finding {
  const inline = file.includes('-----BEGIN');
  const name = inline ? 'the certificate in the configuration' : file;
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(inline ? file : readFileSync(file));
  } catch (error) {
    return failure(
      'certificate',
      `${name} cannot be read: ${(error as Error).message}`,
      'Check the path and that it is PEM.',
    );
  }
  const untilMs = certificate.validToDate.getTime() - Date.now();
  const until = certificate.validToDate.toISOString().slice(0, 10);
  if (untilMs < 0) return failure('certificate', `${name} has expired on ${until}`, 'Renew it.');
  if (certificate.validFromDate.getTime() > Date.now()) {
    return failure('certificate', `${name} is not valid yet`, 'Check the clock of this machine.');
  }
  if (untilMs < certificateWarningMs) return warning('certificate', `${name} expires on ${until}`, 'Renew it soon.');
  return ok('certificate', `${name} is valid until ${until}`);
}

function accepting(host: string, port: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, signal, timeout: probeTimeoutMs });
    const end = (accepted: boolean) => (): void => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once('connect', end(true)).once('error', end(false)).once('timeout', end(false));
  });
}

interface HttpAnswer {
  readonly statusCode: number;
  readonly date: string;
  readonly body: string;
}

function httpGet(url: string, method: 'GET' | 'HEAD', signal: AbortSignal): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const either = AbortSignal.any([signal, AbortSignal.timeout(probeTimeoutMs)]);
    request(url, { method, signal: either, agent: false }, (response) => {
      const blocks: Buffer[] = [];
      response.on('data', (block: Buffer) => blocks.length < 16 && blocks.push(block));
      response.once('error', reject).once('end', () => {
        const { statusCode = 0, headers } = response;
        resolve({ statusCode, date: headers.date ?? '', body: Buffer.concat(blocks).toString() });
      });
    })
      .once('error', reject)
      .end();
  });
}

async function timed<T>(work: () => Promise<T>): Promise<{ value: T; costMs: number } | { error: Error }> {
  const startedMs = performance.now();
  try {
    return { value: await work(), costMs: performance.now() - startedMs };
  } catch (error) {
    return { error: toDragonflyError(error) };
  }
}

/** An address to connect to, for a given listen address. */
function reachable(listen: string): string {
  return listen === '' || listen === '0.0.0.0' ? '127.0.0.1' : listen === '::' ? '::1' : listen;
}

export function ok(subject: string, text: string): Finding {
  return { subject, state: 'ok', text };
}

export function warning(subject: string, text: string, hint: string): Finding {
  return { subject, state: 'warning', text, hint };
}

export function failure(subject: string, text: string, hint: string): Finding {
  return { subject, state: 'failure', text, hint };
}

export function unchecked(subject: string, text: string): Finding {
  return { subject, state: 'unchecked', text };
}
