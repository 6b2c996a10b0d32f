/** `dfctl node` and `dfctl cluster`: what the manager knows of nodes and clusters. */
import type { Command as Parser } from 'commander';
import type { CommandIo } from '../../core/process/command.ts';
import { DragonflyError } from '../../core/errors.ts';
import { formatBytes, formatDurationMs } from '../../core/units.ts';
import { ManagerApi, type ManagerFlags, type Node, type NodeWithLog } from './manager-api.ts';
import { shortened, textTable, type Column } from './text-table.ts';

interface NodeListFlags extends ManagerFlags {
  readonly state?: string;
  readonly search?: string;
  readonly sort: string;
}

type Run = (work: () => Promise<number>) => void;

export function defineNodes(parser: Parser, io: CommandIo, run: Run): void {
  const node = parser.command('node').description('nodes of all clusters, as the schedulers see them');
  atManager(node, 'ls', 'lists nodes, those that were lost within a day included')
    .option('--state <state>', 'only those that are online, silent, lost or left')
    .option('--search <text>', 'part of a name, an address, a data centre or a version')
    .option('--sort <order>', 'name, since or uploads', 'name')
    .action((flags: NodeListFlags) => run(() => listNodes(flags, io)));
  atManager(node, 'show <name>', 'one node, by its name, address or id: how it is, and what became of it').action(
    (name: string, flags: ManagerFlags) => run(() => showNode(name, flags, io)),
  );
  const cluster = parser.command('cluster').description('clusters of the manager');
  atManager(cluster, 'ls', 'lists clusters and how their nodes are').action((flags: ManagerFlags) =>
    run(() => listClusters(flags, io)),
  );
  atManager(parser, 'top', 'nodes and what wants attention, live; Ctrl-C ends it').action((flags: ManagerFlags) =>
    run(async () => (await import('./top.ts')).runTop(flags, io)),
  );
}

export function atManager(parent: Parser, spec: string, text: string): Parser {
  return parent
    .command(spec)
    .description(text)
    .option('-m, --manager <url>', 'address of the manager’s console; the token is in DFCTL_TOKEN [DFCTL_MANAGER]')
    .option('--json', 'JSON, one object per line');
}

async function listNodes({ state, search, sort, ...flags }: NodeListFlags, io: CommandIo): Promise<number> {
  const nodes = await new ManagerApi(flags, io).nodes({ state, search, sort });
  if (flags.json) for (const node of nodes) io.stdout.write(`${JSON.stringify(node)}\n`);
  else if (nodes.length === 0) io.stdout.write('There are no such nodes.\n');
  else io.stdout.write(textTable(nodes, nodeColumns(io.stdout.isTTY === true ? 24 : Infinity)));
  return 0;
}

async function showNode(name: string, flags: ManagerFlags, io: CommandIo): Promise<number> {
  const api = new ManagerApi(flags, io);
  const named = (await api.nodes({ search: name })).filter(({ id, host_name: host, ip }) =>
    [id, host, ip].includes(name),
  );
  if (named.length === 0)
    throw new DragonflyError('NOT_FOUND', `there is no node ${name}`, { hint: 'Run "dfctl node ls" for the names.' });
  if (named.length > 1)
    throw new DragonflyError('INVALID_ARGUMENT', `${named.length} nodes are called ${name}`, {
      hint: `Name one by its id: ${named.map(({ id }) => id).join(', ')}.`,
    });
  const node = await api.node(named[0]?.id ?? name);
  io.stdout.write(flags.json ? `${JSON.stringify(node)}\n` : nodeText(node));
  return 0;
}

async function listClusters(flags: ManagerFlags, io: CommandIo): Promise<number> {
  const api = new ManagerApi(flags, io);
  const [clusters, nodes] = await Promise.all([api.clusters(), api.nodes()]);
  const rows = clusters.map(({ id, name, is_default: isDefault, scheduler_cluster_id: clusterId }) => {
    const own = nodes.filter(({ scheduler_cluster_id: of }) => of === clusterId);
    const count = (state: string): number => own.filter((node) => node.state === state).length;
    const seeds = own.filter(({ type, state }) => type === 'seed' && state === 'online').length;
    return {
      id,
      name,
      default: isDefault,
      online: count('online'),
      seeds,
      silent: count('silent'),
      lost: count('lost'),
    };
  });
  if (flags.json) for (const row of rows) io.stdout.write(`${JSON.stringify(row)}\n`);
  else
    io.stdout.write(
      textTable(rows, [
        { heading: 'ID', cell: ({ id }) => String(id), right: true },
        { heading: 'CLUSTER', cell: (row) => `${row.name}${row.default ? ' (default)' : ''}` },
        { heading: 'ONLINE', cell: ({ online }) => String(online), right: true },
        { heading: 'SEEDS', cell: ({ seeds }) => String(seeds), right: true },
        { heading: 'HUNG', cell: ({ silent }) => String(silent), right: true },
        { heading: 'LOST', cell: ({ lost }) => String(lost), right: true },
      ]),
    );
  return 0;
}

/** Fits into 80 columns when names have at most 24. */
export function nodeColumns(nameColumns: number): readonly Column<Node>[] {
  return [
    { heading: 'NODE', cell: ({ host_name: name, ip }) => shortened(name || ip, nameColumns) },
    { heading: 'STATE', cell: (node) => (isStruckOff(node) ? 'struck off' : stateText(node.state)) },
    { heading: 'SINCE', cell: ({ since_ms: since }) => ago(since), right: true },
    { heading: 'TYPE', cell: ({ type }) => (type === 'seed' ? 'seed' : 'peer') },
    { heading: 'DISK', cell: (node) => usedText(node.disk_total, node.disk_free), right: true },
    { heading: 'MEM', cell: (node) => usedText(node.memory_total, node.memory_available), right: true },
    { heading: 'UP', cell: ({ uploads_running: running }) => String(running), right: true },
    { heading: 'GIVEN', cell: ({ uploads }) => String(uploads), right: true },
  ];
}

function nodeText(node: NodeWithLog): string {
  const free = (part: number, whole: number): string =>
    whole === 0 ? 'not known' : `${formatBytes(part)} free of ${formatBytes(whole)}`;
  const served = node.uploads + node.uploads_failed;
  const rows: readonly (readonly [string, string])[] = [
    ['node', node.host_name],
    ['state', `${stateText(node.state)}, ${ago(node.since_ms)} ago${node.reason === '' ? '' : ` (${node.reason})`}`],
    ...(isStruckOff(node) ? [['struck off', struckOffText(node)] as const] : []),
    ['joined', `${ago(node.joined_at_ms)} ago`],
    ...(node.state === 'online' ? [] : [['last word', `${ago(node.last_word_ms)} ago`] as const]),
    ['address', `${node.ip}:${node.port}${node.unreachable ? ', others cannot connect to it' : ''}`],
    ['type', node.type === 'seed' ? 'seed peer' : 'peer'],
    ['place', [node.idc, node.location].filter((part) => part !== '').join(', ') || '-'],
    ['version', [node.version || '-', node.platform].join(' ').trimEnd()],
    ['disk', free(node.disk_free, node.disk_total)],
    ['memory', free(node.memory_available, node.memory_total)],
    [
      'uploads',
      `${node.uploads_running} now, ${node.uploads} pieces given, ${node.uploads_failed} of ${served} failed`,
    ],
    ['tasks', String(node.tasks)],
    ['id', node.id],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const log = node.log.map(({ state, reason, at_ms: at }) => {
    return `  ${new Date(at).toISOString()}  ${stateText(state)}${reason === '' ? '' : ` (${reason})`}\n`;
  });
  return `${rows.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join('')}\nWhat became of it:\n${log.join('')}`;
}

function isStruckOff({ struck_off_until_ms: untilMs }: Node): boolean {
  return untilMs > Date.now();
}

function struckOffText({ struck_off_until_ms: untilMs, accusers }: Node): string {
  const by = accusers.length === 0 ? '' : `, by the word of ${accusers.join(', ')}`;
  return `for ${formatDurationMs(untilMs - Date.now())}: it gives or tells what is not so${by}`;
}

function stateText(state: string): string {
  return state === 'silent' ? 'hung' : state;
}

function ago(atMs: number): string {
  return formatDurationMs(Math.max(0, Date.now() - atMs));
}

function usedText(total: number, free: number): string {
  return total === 0 ? '-' : `${Math.round((1 - free / total) * 100)} %`;
}
