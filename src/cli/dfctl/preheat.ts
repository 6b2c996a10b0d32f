/** `dfctl task preheat URL`: has a scheduler bring a file or an image to nodes before anybody asks for it. */
import type { Command as Parser } from 'commander';
import type { CommandIo } from '../../core/process/command.ts';
import { DragonflyError } from '../../core/errors.ts';
import { parseBytes } from '../../core/units.ts';
import { maxTimeoutMs, parseTimeoutMs } from '../timeout-flag.ts';

const scopes = ['single_seed_peer', 'all_seed_peers', 'all_peers'];

interface PreheatFlags {
  readonly schedulerEndpoint?: string;
  readonly scope: string;
  readonly ip?: string[];
  readonly percentage?: string;
  readonly count?: string;
  readonly concurrentTaskCount: string;
  readonly concurrentPeerCount?: string;
  readonly platform?: string;
  readonly username?: string;
  readonly password?: string;
  readonly pieceLength?: string;
  readonly tag?: string;
  readonly application?: string;
  readonly filteredQueryParam?: string[];
  readonly header?: string[];
  readonly priority: string;
  readonly insecureSkipVerify?: boolean;
  readonly identity?: string;
  readonly timeout: string;
  readonly json?: boolean;
}

export function definePreheat(task: Parser, io: CommandIo, run: (work: () => Promise<number>) => void): void {
  const several = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];
  task
    .command('preheat <url>')
    .description('brings a file, or with oci://registry/repository:tag the layers of an image, to nodes')
    .option('--scheduler-endpoint <host:port>', 'scheduler that does it [DFCTL_TASK_PREHEAT_SCHEDULER_ENDPOINT]')
    .option('--scope <scope>', scopes.join(', '), 'single_seed_peer')
    .option('--ip <address>', 'only to this node; may be repeated', several)
    .option('--percentage <1..100>', 'of the nodes in scope')
    .option('--count <1..200>', 'of nodes in scope')
    .option('--concurrent-task-count <1..100>', 'files at once', '4')
    .option('--concurrent-peer-count <1..1000>', 'nodes at once')
    .option('--platform <os/architecture>', 'of an image, for example linux/amd64')
    .option('--username <name>', 'for the registry')
    .option('--password <password>', 'for the registry [DFCTL_TASK_PREHEAT_PASSWORD]')
    .option('--piece-length <size>', '4MiB or more')
    .option('--tag <text>', 'as dfget --tag')
    .option('--application <name>', 'as dfget --application')
    .option('--filtered-query-param <name>', 'as dfget; may be repeated', several)
    .option('-H, --header <name: value>', 'sent to the origin; may be repeated', several)
    .option('-p, --priority <0..6>', 'of the downloads', '6')
    .option('--insecure-skip-verify', 'do not verify the certificate of the origin')
    .option('--identity <file>', 'identity/node.pem of this node, where the scheduler speaks TLS [DFCTL_IDENTITY]')
    .option('--timeout <duration>', 'of the whole preheat, 0 for none', '2h')
    .option('--json', 'JSON, one object per line')
    .action((url: string, flags: PreheatFlags) => run(() => preheat(url, flags, io)));
}

async function preheat(url: string, flags: PreheatFlags, io: CommandIo): Promise<number> {
  const address = flags.schedulerEndpoint ?? io.env['DFCTL_TASK_PREHEAT_SCHEDULER_ENDPOINT'];
  if (!address)
    throw invalid('the scheduler is not named', 'Add --scheduler-endpoint host:port; the usual port is 8002.');
  if (!scopes.includes(flags.scope))
    throw invalid(`"${flags.scope}" is not a scope`, `Write one of ${scopes.join(', ')}.`);
  if (!URL.canParse(url)) throw invalid(`"${url}" is not a URL`, 'Write it with its scheme.');
  const { Channels } = await import('../../rpc/channels.ts');
  const { createClient } = await import('../../rpc/client.ts');
  const scheduler = await import('../../../gen/scheduler/v2/scheduler.ts');
  await using channels = new Channels({ tls: await ownIdentity(flags.identity ?? io.env['DFCTL_IDENTITY']) });
  await channels.ready(address, { signal: io.signal });
  const client = createClient(scheduler.SchedulerDefinition, channels, address);
  const timeoutMs = parseTimeoutMs(flags.timeout) ?? maxTimeoutMs;
  const request = requestOf(flags, timeoutMs);
  const options = { signal: io.signal, timeoutMs };
  const image = url.startsWith('oci://');
  const { outcomes } = image
    ? await client.preheatImage(
        scheduler.PreheatImageRequest.fromPartial({ ...request, ...registryOf(flags, io), url: manifestUrl(url) }),
        options,
      )
    : await client.preheatFile(scheduler.PreheatFileRequest.fromPartial({ ...request, url }), options);
  return tell(outcomes, flags.json === true, io);
}

function requestOf(flags: PreheatFlags, timeoutMs: number) {
  const count = between(flags.count, 1, 200, '--count');
  const percentage = between(flags.percentage, 1, 100, '--percentage');
  const concurrentPeerCount = between(flags.concurrentPeerCount, 1, 1000, '--concurrent-peer-count');
  return {
    scope: flags.scope,
    ips: flags.ip ?? [],
    ...(count !== undefined && { count }),
    ...(percentage !== undefined && { percentage }),
    ...(concurrentPeerCount !== undefined && { concurrentPeerCount }),
    concurrentTaskCount: between(flags.concurrentTaskCount, 1, 100, '--concurrent-task-count') ?? 4,
    ...(flags.pieceLength !== undefined && { pieceLength: parseBytes(flags.pieceLength) }),
    ...(flags.tag !== undefined && { tag: flags.tag }),
    ...(flags.application !== undefined && { application: flags.application }),
    filteredQueryParams: flags.filteredQueryParam ?? [],
    header: Object.fromEntries((flags.header ?? []).map(headerLine)),
    priority: (between(flags.priority, 0, 6, '--priority') ?? 6) as 0 | 1 | 2 | 3 | 4 | 5 | 6,
    insecureSkipVerify: flags.insecureSkipVerify === true,
    timeout: { seconds: Math.ceil(timeoutMs / 1000), nanos: 0 },
    waitForCompletion: true,
  };
}

function registryOf(flags: PreheatFlags, io: CommandIo) {
  const password = flags.password ?? io.env['DFCTL_TASK_PREHEAT_PASSWORD'];
  return {
    ...(flags.platform !== undefined && { platform: flags.platform }),
    ...(flags.username !== undefined && { username: flags.username }),
    ...(password !== undefined && { password }),
  };
}

/** Converts oci://registry/repository:tag, or @digest, to the URL of the manifest. */
function manifestUrl(reference: string): string {
  const match = /^oci:\/\/([^/]+)\/([^@]+?)(?::([\w.-]+))?(?:@(sha256:[0-9a-f]{64}))?$/.exec(reference);
  if (!match) throw invalid(`"${reference}" does not name an image`, 'Write oci://registry/repository:tag.');
  const [, registry, repository, tag, digest] = match;
  return `https://${registry}/v2/${repository}/manifests/${digest ?? tag ?? 'latest'}`;
}

function tell(
  outcomes: readonly { hostname: string; ip: string; url: string; error: string }[],
  json: boolean,
  io: CommandIo,
): number {
  const failed = outcomes.filter(({ error }) => error !== '');
  for (const { hostname, ip, url, error } of outcomes) {
    const node = hostname || ip;
    io.stdout.write(
      json
        ? `${JSON.stringify({ hostname, ip, url, error: error || undefined })}\n`
        : `${error === '' ? 'done' : 'FAILED'}  ${node}  ${url}${error === '' ? '' : `: ${error}`}\n`,
    );
  }
  if (failed.length > 0) {
    throw new DragonflyError('UNAVAILABLE', `${failed.length} of ${outcomes.length} preheats failed`, {
      hint: 'The lines above say where and why.',
    });
  }
  // A scheduler of the original answers once the preheat has begun, without outcomes.
  if (outcomes.length === 0 && !json) io.stdout.write('The preheat is accepted.\n');
  return 0;
}

function between(text: string | undefined, least: number, most: number, flag: string): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw invalid(`"${text}" is not a valid value of ${flag}`, `Write a whole number from ${least} to ${most}.`);
}

function headerLine(line: string): [string, string] {
  const [, name, value] = /^([^:\s]+)\s*:\s*(.*)$/.exec(line) ?? [];
  if (name === undefined || value === undefined)
    throw invalid(`the header "${line.slice(0, 40)}" is malformed`, 'Write "Name: value".');
  return [name, value];
}

function invalid(message: string, hint: string): DragonflyError {
  return new DragonflyError('INVALID_ARGUMENT', message, { hint });
}

/** Throws INVALID_ARGUMENT for a file without an identity. */
async function ownIdentity(path: string | undefined) {
  if (path === undefined || path === '') return undefined;
  const { clientMaterial, loadIdentity } = await import('../../rpc/identity/identity-file.ts');
  const identity = await loadIdentity(path);
  if (identity) return clientMaterial(identity);
  throw new DragonflyError('INVALID_ARGUMENT', `${path} is not readable, or holds no certificate of this node`, {
    hint: 'It is identity/node.pem in the workHome of the dfdaemon; run as its user.',
  });
}
