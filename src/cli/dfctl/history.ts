/** `dfctl traffic`, `dfctl distribution` and `dfctl report`: the manager's records of who got how much. */
import type { Command as Parser } from 'commander';
import type { CommandIo } from '../../core/process/command.ts';
import { DragonflyError } from '../../core/errors.ts';
import { formatBytes, formatDurationMs, parseDurationMs } from '../../core/units.ts';
import {
  ManagerApi,
  type Distribution,
  type Figures,
  type HotTask,
  type ManagerFlags,
  type Report,
  type Share,
} from './manager-api.ts';
import { atManager } from './node.ts';
import { shortened, textTable, type Column } from './text-table.ts';

interface TimeFlags extends ManagerFlags {
  readonly since: string;
  readonly cluster?: string;
}

interface ShareFlags extends TimeFlags {
  readonly by: string;
  readonly sort: string;
  readonly limit: string;
  readonly name?: string;
}

interface DistributionFlags extends TimeFlags {
  readonly sort: string;
  readonly limit: string;
  readonly task?: string;
  readonly url?: string;
  readonly application?: string;
}

type Run = (work: () => Promise<number>) => void;

/** A line has 80 columns; the name in the last column gets the rest. */
const nameColumns = 24;
const urlColumns = 34;

export function defineHistory(parser: Parser, io: CommandIo, run: Run): void {
  const overTime = (parent: Parser, spec: string, text: string): Parser =>
    atManager(parent, spec, text)
      .option('--since <duration>', 'how far back: 12h, 7d, 365d', '7d')
      .option('--cluster <id>', 'only this cluster');
  const traffic = parser.command('traffic').description('who got how much, beside the time before');
  overTime(traffic, 'ls', 'applications, tags, zones, nodes or origins, the largest first')
    .option('--by <kind>', 'application, tag, zone, node or origin', 'application')
    .option('--name <name>', 'only the one of this name')
    .option('--sort <order>', 'bytes, given or failures', 'bytes')
    .option('--limit <number>', 'at most so many', '20')
    .action((flags: ShareFlags) => run(() => listShares(flags, io)));
  const distribution = parser.command('distribution').description('what was distributed, and how that went');
  overTime(distribution, 'ls', 'distributions that have ended')
    .option('--sort <order>', 'ended, slowest, bytes, origin, downloads or failures', 'ended')
    .option('--task <id>', 'of this task; its first digits are enough')
    .option('--url <text>', 'whose URL has this in it')
    .option('--application <name>', 'of this application')
    .option('--limit <number>', 'at most so many', '20')
    .action((flags: DistributionFlags) => run(() => listDistributions(flags, io)));
  overTime(distribution, 'top', 'content that was asked for most')
    .option('--limit <number>', 'at most so many', '20')
    .action((flags: TimeFlags & { readonly limit: string }) => run(() => listHotTasks(flags, io)));
  atManager(parser, 'report', 'a month: what was saved, for whom, by whom, and what failed')
    .option('--month <month>', 'like 2026-11; by default the one that is now')
    .action((flags: ManagerFlags & { readonly month?: string }) => run(() => showReport(flags, io)));
}

async function listShares({ by, name, sort, limit, ...flags }: ShareFlags, io: CommandIo): Promise<number> {
  const query = { ...timeOf(flags), by, name, order: sort, limit };
  const { shares, total, before } = await new ManagerApi(flags, io).shares(query);
  if (flags.json) {
    for (const share of shares) io.stdout.write(`${JSON.stringify(share)}\n`);
    io.stdout.write(`${JSON.stringify({ total, before })}\n`);
    return 0;
  }
  io.stdout.write(`${totalText(total, before)}\n`);
  if (shares.length > 0) io.stdout.write(`\n${textTable(shares, shareColumns(by))}`);
  return 0;
}

async function listDistributions(flags: DistributionFlags, io: CommandIo): Promise<number> {
  const { sort, task, url, application, limit } = flags;
  const query = { ...timeOf(flags), sort, task_id: task, url, application, per_page: limit };
  const distributions = await new ManagerApi(flags, io).distributions(query);
  if (flags.json) for (const row of distributions) io.stdout.write(`${JSON.stringify(row)}\n`);
  else if (distributions.length === 0) io.stdout.write('Nothing was distributed in this time.\n');
  else io.stdout.write(textTable(distributions, distributionColumns));
  return 0;
}

async function listHotTasks(flags: TimeFlags & { readonly limit: string }, io: CommandIo): Promise<number> {
  const tasks = await new ManagerApi(flags, io).hotTasks({ ...timeOf(flags), limit: flags.limit });
  if (flags.json) for (const row of tasks) io.stdout.write(`${JSON.stringify(row)}\n`);
  else if (tasks.length === 0) io.stdout.write('Nothing was distributed in this time.\n');
  else io.stdout.write(textTable(tasks, hotTaskColumns));
  return 0;
}

async function showReport(flags: ManagerFlags & { readonly month?: string }, io: CommandIo): Promise<number> {
  const report = await new ManagerApi(flags, io).report({ month: flags.month });
  io.stdout.write(flags.json ? `${JSON.stringify(report)}\n` : reportText(report));
  return 0;
}

function timeOf({ since, cluster }: TimeFlags): {
  readonly from_ms: number;
  readonly scheduler_cluster_id: string | undefined;
} {
  const ms = parseDurationMs(since);
  if (ms > 0) return { from_ms: Math.max(0, Date.now() - ms), scheduler_cluster_id: cluster };
  throw new DragonflyError('INVALID_ARGUMENT', `"${since}" is no time back from now`, { hint: 'Write it like 7d.' });
}

function reportText(report: Report): string {
  const parts: (readonly [string, string])[] = [
    ['By application', textTable(report.applications, shareColumns('application'))],
    ['By zone', textTable(report.zones, shareColumns('zone'))],
    ['Asked for most', textTable(report.tasks, hotTaskColumns)],
    ['Slowest', textTable(report.slowest, distributionColumns)],
    ['Nodes that gave most', textTable(report.nodes, shareColumns('node'))],
  ];
  if (report.dragging.length > 0)
    parts.push(['Nodes that failed most', textTable(report.dragging, shareColumns('node'))]);
  if (report.failing_origins.length > 0)
    parts.push(['Origins that failed', textTable(report.failing_origins, shareColumns('origin'))]);
  const tables = parts.map(([title, table]) => `\n${title}\n${table}`).join('');
  return `${report.month}: ${totalText(report.total, report.before)}\n${tables}`;
}

function totalText(total: Figures, before: Figures): string {
  const got = total.origin_bytes + total.peer_bytes;
  if (got === 0) return 'Nothing was downloaded in this time.';
  const saved = `${formatBytes(total.peer_bytes)} saved of ${formatBytes(got)} (${share(total)})`;
  const earlier = before.origin_bytes + before.peer_bytes === 0 ? 'nothing' : share(before);
  return `${saved}, ${total.downloads} downloads; before: ${earlier}`;
}

function share({ origin_bytes: origin, peer_bytes: peers }: Pick<Figures, 'origin_bytes' | 'peer_bytes'>): string {
  return origin + peers === 0 ? '-' : `${Math.round((100 * peers) / (origin + peers))} %`;
}

function shareColumns(kind: string): readonly Column<Share>[] {
  return [
    {
      heading: kind.toUpperCase(),
      cell: ({ name }) => (name === '*' ? '(all others)' : shortened(name || '(none)', nameColumns)),
    },
    { heading: 'FROM NODES', cell: ({ peer_bytes: bytes }) => formatBytes(bytes), right: true },
    { heading: 'FROM ORIGIN', cell: ({ origin_bytes: bytes }) => formatBytes(bytes), right: true },
    ...(kind === 'origin' ? [] : [{ heading: 'SAVED', cell: share, right: true }]),
    ...(kind === 'node'
      ? [{ heading: 'GAVE', cell: ({ given_bytes: bytes }: Share) => formatBytes(bytes), right: true }]
      : []),
    { heading: 'FAILED', cell: ({ failures }) => String(failures), right: true },
  ];
}

const distributionColumns: readonly Column<Distribution>[] = [
  { heading: 'CONTENT', cell: ({ url, task_id: id }) => shortened(url || id, urlColumns) },
  { heading: 'NODES', cell: ({ downloads }) => String(downloads), right: true },
  { heading: 'TOOK', cell: ({ started_at_ms: from, ended_at_ms: to }) => formatDurationMs(to - from), right: true },
  { heading: 'COPIES', cell: ({ copies }) => (copies === 0 ? '-' : String(copies)), right: true },
  { heading: 'FAILED', cell: ({ failures }) => String(failures), right: true },
  { heading: 'LAST', cell: ({ last_node: node }) => shortened(node, 14) },
];

const hotTaskColumns: readonly Column<HotTask>[] = [
  { heading: 'CONTENT', cell: ({ url, task_id: id }) => shortened(url || id, urlColumns) },
  { heading: 'DOWNLOADS', cell: ({ downloads }) => String(downloads), right: true },
  { heading: 'FROM NODES', cell: ({ peer_bytes: bytes }) => formatBytes(bytes), right: true },
  { heading: 'FROM ORIGIN', cell: ({ origin_bytes: bytes }) => formatBytes(bytes), right: true },
];
