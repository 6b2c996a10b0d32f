/** `dfctl release`: shows published versions of directories, and which node has which. */
import type { Command as Parser } from 'commander';
import type { CommandIo } from '../../core/process/command.ts';
import { DragonflyError } from '../../core/errors.ts';
import { formatBytes, formatDurationMs } from '../../core/units.ts';
import { ManagerApi, type ManagerFlags, type Release, type ReleaseSubscriber } from './manager-api.ts';
import { atManager } from './node.ts';
import { shortened, textTable, type Column } from './text-table.ts';

type Run = (work: () => Promise<number>) => void;

export function defineReleases(parser: Parser, io: CommandIo, run: Run): void {
  const release = parser.command('release').description('versions of directories, and who follows them');
  atManager(release, 'ls [name]', 'published versions, the newest first')
    .option('--limit <number>', 'at most so many', '50')
    .action((name: string | undefined, flags: ManagerFlags & { readonly limit: string }) =>
      run(() => listReleases(name, flags, io)),
    );
  atManager(release, 'show <name>', 'the newest version of a name, and which one its subscribers have').action(
    (name: string, flags: ManagerFlags) => run(() => showRelease(name, flags, io)),
  );
}

async function listReleases(
  name: string | undefined,
  { limit, ...flags }: ManagerFlags & { readonly limit: string },
  io: CommandIo,
): Promise<number> {
  const releases = await new ManagerApi(flags, io).releases({ name, per_page: limit });
  if (flags.json) for (const each of releases) io.stdout.write(`${JSON.stringify(each)}\n`);
  else if (releases.length === 0) io.stdout.write('Nothing is published.\n');
  else io.stdout.write(textTable(releases, releaseColumns));
  return 0;
}

async function showRelease(name: string, flags: ManagerFlags, io: CommandIo): Promise<number> {
  const api = new ManagerApi(flags, io);
  const [newest] = await api.releases({ name, per_page: 1 });
  if (!newest)
    throw new DragonflyError('NOT_FOUND', `nothing is published as ${name}`, {
      hint: 'Run "dfctl release ls" for the names.',
    });
  const subscribers = await api.subscribers(name);
  if (flags.json) {
    io.stdout.write(`${JSON.stringify({ ...newest, subscribers })}\n`);
    return 0;
  }
  const { version, file_count: files, content_length: bytes, replicas, publisher, public_key: key } = newest;
  const signed = key === '' ? 'not signed' : `signed by ${key}`;
  io.stdout.write(
    `${name}@${version}, ${formatBytes(bytes)} in ${files} files on ${replicas} nodes, by ${publisher}, ${signed}\n`,
  );
  if (subscribers.length > 0) io.stdout.write(`\n${textTable(subscribers, subscriberColumns)}`);
  else io.stdout.write('Nobody follows it.\n');
  return 0;
}

const releaseColumns: readonly Column<Release>[] = [
  {
    heading: 'NAME',
    cell: ({ name, version, returns_to: old }) => shortened(`${name}@${version}${old === '' ? '' : ` = ${old}`}`, 32),
  },
  { heading: 'SIZE', cell: ({ content_length: bytes }) => formatBytes(bytes), right: true },
  { heading: 'NEW', cell: ({ new_length: bytes }) => formatBytes(bytes), right: true },
  { heading: 'REPLICAS', cell: ({ replicas }) => String(replicas), right: true },
  { heading: 'RUN BY', cell: ({ running_count: has, subscriber_count: all }) => `${has} of ${all}`, right: true },
  { heading: 'AGE', cell: ({ created_at: at }) => ageOf(at), right: true },
  { heading: 'SIGNED', cell: ({ public_key: key }) => (key === '' ? '-' : 'yes') },
];

const subscriberColumns: readonly Column<ReleaseSubscriber>[] = [
  { heading: 'NODE', cell: ({ host_id: id }) => shortened(id, 28) },
  { heading: 'VERSION', cell: ({ version }) => shortened(version, 16) },
  { heading: 'STATE', cell: ({ state, error }) => (error === '' ? state : shortened(`${state}: ${error}`, 22)) },
  { heading: 'SINCE', cell: ({ updated_at: at }) => ageOf(at), right: true },
];

function ageOf(at: string): string {
  return formatDurationMs(Math.max(0, Date.now() - Date.parse(at)));
}
