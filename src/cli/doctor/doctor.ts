/** `dragonfly doctor [URL]`: checks whether this node works, and explains why a download did not come from other nodes. */
import { Command as Parser, CommanderError } from 'commander';
import type { Command, CommandIo } from '../../core/process/command.ts';
import { toDragonflyError } from '../../core/errors.ts';
import { Channels } from '../../rpc/channels.ts';
import { clientMaterial, identityPath, loadIdentity } from '../../rpc/identity/identity-file.ts';
import { createClient } from '../../rpc/client.ts';
import { DfdaemonDownloadDefinition } from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import { findDaemon, requireDaemon, type DaemonEndpoint } from '../daemon-endpoint.ts';
import {
  checkAnnounced,
  checkCertificates,
  checkClock,
  checkDisk,
  checkPorts,
  checkServices,
  failure,
  ok,
  proxyListen,
  warning,
  type Finding,
  type NodeConfig,
} from './checks.ts';
import { explainUrl } from './url.ts';
import { checkWiring } from './wiring.ts';
import { usageError } from '../../core/usage-error.ts';

/** Reads a dfdaemon's configuration file in the way the dfdaemon does. */
export type LoadNodeConfig = (
  path: string,
  options: { readonly optional: boolean },
) => Promise<{ readonly config: NodeConfig; readonly warnings: readonly string[] }>;

const defaultConfigPath = '/etc/dragonfly/dfget.yaml';

interface Flags {
  readonly config?: string;
  readonly endpoint?: string;
  readonly tag?: string;
  readonly application?: string;
  readonly root: string;
  readonly json?: boolean;
}

/** The exit code is 0 when nothing failed, 1 otherwise. */
export function createDoctor(loadConfig: LoadNodeConfig): Command {
  return async (argv, io) => {
    const given = parse(argv, io);
    if (!given) return 0;
    const { url, flags } = given;
    const findings: Finding[] = [];
    const show = (...more: readonly Finding[]): void => {
      findings.push(...more);
      for (const finding of more) io.stdout.write(flags.json ? `${JSON.stringify(finding)}\n` : line(finding));
    };
    await examine(show, { loadConfig, url, flags, io });
    const failed = findings.filter(({ state }) => state === 'failure').length;
    const warned = findings.filter(({ state }) => state === 'warning').length;
    if (!flags.json)
      io.stdout.write(
        `\n${failed === 0 && warned === 0 ? 'All is well.' : `${failed} failed, ${warned} to look at.`}\n`,
      );
    return failed === 0 ? 0 : 1;
  };
}

interface Examination {
  readonly loadConfig: LoadNodeConfig;
  readonly url: string | undefined;
  readonly flags: Flags;
  readonly io: CommandIo;
}

async function examine(
  show: (...more: readonly Finding[]) => void,
  { loadConfig, url, flags, io }: Examination,
): Promise<void> {
  const { signal } = io;
  const explicit = flags.config ?? io.env['DFGET_CONFIG'];
  let config: NodeConfig;
  try {
    const loaded = await loadConfig(explicit ?? defaultConfigPath, { optional: explicit === undefined });
    ({ config } = loaded);
    show(...loaded.warnings.map((text) => warning('configuration', text, 'Correct the key; it has no effect.')));
    show(
      ok('configuration', `${explicit ?? defaultConfigPath} is read${explicit === undefined ? ' when it exists' : ''}`),
    );
  } catch (error) {
    const { message, hint } = toDragonflyError(error);
    return show(failure('configuration', message, hint ?? 'Correct the file.'));
  }
  const { autoIssueCert, tlsPolicy } = config.security;
  const identity = autoIssueCert ? await loadIdentity(identityPath(config.workHome)) : undefined;
  await using channels = new Channels({
    tls: identity && tlsPolicy !== 'default' ? clientMaterial(identity) : undefined,
  });
  const daemon = await findRunning(config, channels, flags, io);
  show(daemon.finding);
  show(...(await checkPorts(config, daemon.endpoint !== undefined, signal)));
  show(...checkDisk(config));
  const around = await checkServices(config, channels, signal);
  show(...around.findings);
  if (daemon.endpoint) show(await checkAnnounced(config, signal));
  const managerHosts = config.scheduler.manager.netAddrs.map(({ addr }) => addr.replace(/:\d+$/, ''));
  const clocks = [...managerHosts.map((host) => `http://${host}:8080/`), ...(url?.startsWith('http:') ? [url] : [])];
  show(await checkClock(clocks, signal));
  show(...checkCertificates(config, identity));
  const { port } = proxyListen(config);
  const { hijackHTTPS, server } = config.proxy;
  const intercepts = hijackHTTPS !== undefined || server.caCert !== undefined;
  show(...checkWiring({ proxyPort: typeof port === 'number' ? port : port.start, intercepts, root: flags.root }));
  if (url === undefined) return;
  const client = daemon.endpoint && createClient(DfdaemonDownloadDefinition, channels, daemon.endpoint.address);
  const { tag, application } = flags;
  const schedulers = around.schedulers.length;
  show(...(await explainUrl({ url, tag, application, config, client, schedulers, env: io.env, signal })));
}

async function findRunning(
  config: NodeConfig,
  channels: Channels,
  flags: Flags,
  io: CommandIo,
): Promise<{ endpoint: DaemonEndpoint | undefined; finding: Finding }> {
  try {
    const endpoint = findDaemon(
      flags.endpoint ?? (config.download.downloadGRPC.unixListen.socket || undefined),
      io.env,
    );
    await requireDaemon(channels, endpoint, io.signal);
    return { endpoint, finding: ok('dfdaemon', `answers at ${endpoint.path}`) };
  } catch (error) {
    const { message, hint } = toDragonflyError(error);
    return { endpoint: undefined, finding: failure('dfdaemon', message, hint ?? 'Start it.') };
  }
}

function parse(argv: readonly string[], io: CommandIo): { url: string | undefined; flags: Flags } | undefined {
  const parser = new Parser('doctor')
    .description('Examines this node; with a URL, tells why a download of it did not come from other nodes.')
    .argument('[url]', 'a URL whose download was expected to come from other nodes')
    .option('-c, --config <file>', `of the dfdaemon (default ${defaultConfigPath}, when it exists) [DFGET_CONFIG]`)
    .option('-e, --endpoint <path>', 'unix socket of the dfdaemon [DFGET_ENDPOINT]')
    .option('--tag <text>', 'the download had')
    .option('--application <name>', 'the download had')
    .option('--root <directory>', 'file system of the node, as seen from a container', '/')
    .option('--json', 'JSON, one finding per line')
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: () => undefined });
  try {
    parser.parse(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return undefined;
    throw usageError(error, 'Run "dragonfly doctor --help" for the flags.');
  }
  return { url: parser.args[0], flags: parser.opts<Flags>() };
}

const marks = { ok: 'ok  ', warning: 'LOOK', failure: 'FAIL', unchecked: '-   ' } as const;

function line({ subject, state, text, hint }: Finding): string {
  const advice = hint === undefined ? '' : `\n${' '.repeat(21)}${hint}`;
  return `${marks[state]}  ${subject.padEnd(13)}  ${text}${advice}\n`;
}
