/** `dfctl replication`: the rules by which clusters keep tags of registries, and what each cluster has proven to hold. */
import type { Command as Parser } from 'commander';
import { DragonflyError } from '../../core/errors.ts';
import type { CommandIo } from '../../core/process/command.ts';
import { formatBytes, formatDurationMs, parseBytes, parseDurationMs } from '../../core/units.ts';
import { ManagerApi, type ManagerFlags, type ReplicatedTag, type ReplicationRule } from './manager-api.ts';
import { atManager } from './node.ts';
import { shortened, textTable, type Column } from './text-table.ts';

type Run = (work: () => Promise<number>) => void;

interface AddFlags extends ManagerFlags {
  readonly tag?: string[];
  readonly cluster?: string[];
  readonly platform?: string;
  readonly scope?: string;
  readonly onPush?: boolean;
  readonly every?: string;
  readonly rate?: string;
  readonly concurrency?: string;
  readonly username?: string;
  readonly target?: string;
  readonly targetUsername?: string;
  readonly targetOnly?: boolean;
}

export function defineReplication(parser: Parser, io: CommandIo, run: Run): void {
  const rule = parser
    .command('replication')
    .description('rules by which clusters, and other registries, have tags of registries and revisions of models');
  const several = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];
  atManager(rule, 'ls', 'rules, and how far the clusters are').action((flags: ManagerFlags) =>
    run(() => listRules(flags, io)),
  );
  atManager(rule, 'show <name>', 'tags of a rule, and what each cluster and the target have proven').action(
    (name: string, flags: ManagerFlags) => run(() => showRule(name, flags, io)),
  );
  atManager(
    rule,
    'add <name> <source>',
    'a rule for registry.example/team/* or hf://owner/name; its tags are listed at once',
  )
    .option('--tag <pattern>', 'tags, or revisions of a model, * stands for anything; may be repeated', several)
    .option('--cluster <id>', 'a cluster that is to have them, all by default; may be repeated', several)
    .option('--platform <os/architecture>', 'of images, linux/amd64 by default')
    .option('--scope <scope>', 'single_seed_peer, all_seed_peers or all_peers')
    .option('--on-push', 'when the registry says that a tag was pushed')
    .option('--every <duration>', 'lists the tags so often, for example 1h')
    .option('--rate <size>', 'bytes a second to one cluster, on average, for example 100MiB')
    .option('--concurrency <1..64>', 'tags that one cluster gets at once')
    .option('--username <name>', 'for the registry; the password, or the token of a hub, is in DFCTL_REGISTRY_PASSWORD')
    .option('--target <registry>', 'a registry to which tags are pushed: registry.example/mirror')
    .option('--target-username <name>', 'for the target; the password is in DFCTL_TARGET_PASSWORD')
    .option('--target-only', 'brings nothing to clusters')
    .action((name: string, source: string, flags: AddFlags) => run(() => addRule(name, source, flags, io)));
  atManager(rule, 'run <name>', 'lists the tags now, and brings what is missing')
    .option('--prove-again', 'clusters prove what they have proven before, too')
    .action((name: string, flags: ManagerFlags & { readonly proveAgain?: boolean }) =>
      run(() =>
        withRule(name, flags, io, async (api, { id }) => {
          const { tag_count: count } = await api.runReplicationRule(id, { prove_again: flags.proveAgain === true });
          return `Asked for: ${name}, with ${count} tags so far.`;
        }),
      ),
    );
  for (const [verb, enabled, text] of [
    ['pause', false, 'begins nothing more by a rule'],
    ['resume', true, 'goes on with a rule'],
  ] as const)
    atManager(rule, `${verb} <name>`, text).action((name: string, flags: ManagerFlags) =>
      run(() =>
        withRule(name, flags, io, async (api, { id }) => {
          await api.changeReplicationRule(id, { enabled });
          return `${enabled ? 'Goes on' : 'Rests'}: ${name}.`;
        }),
      ),
    );
  atManager(
    rule,
    'secret <name>',
    'a new secret with which a registry tells of pushes; the one before counts no more',
  ).action((name: string, flags: ManagerFlags) =>
    run(() =>
      withRule(name, flags, io, async (api, { id }) => {
        const { secret } = await api.renewReplicationSecret(id);
        return `POST ${api.addressOf(`api/v1/replication-rules/${id}/notifications`)}\nAuthorization: Bearer ${secret}`;
      }),
    ),
  );
  atManager(rule, 'rm <name>', 'deletes a rule; clusters keep what they have').action(
    (name: string, flags: ManagerFlags) =>
      run(() =>
        withRule(name, flags, io, async (api, { id }) => {
          await api.deleteReplicationRule(id);
          return `Deleted: ${name}.`;
        }),
      ),
  );
}

async function withRule(
  name: string,
  flags: ManagerFlags,
  io: CommandIo,
  work: (api: ManagerApi, rule: ReplicationRule) => Promise<string>,
): Promise<number> {
  const api = new ManagerApi(flags, io);
  const text = await work(api, await api.replicationRule(name));
  io.stdout.write(flags.json ? `${JSON.stringify({ name, text })}\n` : `${text}\n`);
  return 0;
}

async function listRules(flags: ManagerFlags, io: CommandIo): Promise<number> {
  const rules = await new ManagerApi(flags, io).replicationRules();
  if (flags.json) for (const rule of rules) io.stdout.write(`${JSON.stringify(rule)}\n`);
  else if (rules.length === 0) io.stdout.write('There are no rules.\n');
  else io.stdout.write(textTable(rules, ruleColumns));
  return 0;
}

async function showRule(name: string, flags: ManagerFlags, io: CommandIo): Promise<number> {
  const api = new ManagerApi(flags, io);
  const rule = await api.replicationRule(name);
  const tags = await api.replicatedTags(rule.id);
  if (flags.json) {
    for (const tag of tags) io.stdout.write(`${JSON.stringify(tag)}\n`);
    return 0;
  }
  const way = rule.target === '' ? rule.source : `${rule.source} to ${rule.target}`;
  io.stdout.write(`${rule.name}: ${way}, ${rule.tags.join(' ')}, ${triggerOf(rule)}\n`);
  if (rule.error !== '') io.stdout.write(`The tags could not be listed: ${rule.error}\n`);
  const places = placesOf(rule);
  if (places.length > 0) io.stdout.write(`\n${textTable(places, placeColumns)}`);
  const rows = tags.flatMap((tag) => [
    ...(tag.target ? [{ tag, place: 'target', copy: tag.target }] : []),
    ...tag.clusters.map((copy) => ({ tag, place: String(copy.scheduler_cluster_id), copy })),
  ]);
  if (rows.length > 0) io.stdout.write(`\n${textTable(rows, tagColumns)}`);
  return 0;
}

async function addRule(name: string, source: string, flags: AddFlags, io: CommandIo): Promise<number> {
  const { tag, cluster, platform, scope, every, rate, concurrency, username, target, targetUsername } = flags;
  const api = new ManagerApi(flags, io);
  const rule = await api.addReplicationRule({
    name,
    source,
    ...(tag && { tags: tag }),
    ...(cluster && { scheduler_cluster_ids: cluster.map((id) => whole(id, '--cluster')) }),
    ...(target !== undefined && { target }),
    ...(targetUsername !== undefined && {
      target_username: targetUsername,
      target_password: io.env['DFCTL_TARGET_PASSWORD'] ?? '',
    }),
    to_clusters: flags.targetOnly !== true,
    ...(platform !== undefined && { platform }),
    ...(scope !== undefined && { scope }),
    on_push: flags.onPush === true,
    ...(every !== undefined && { interval_seconds: Math.ceil(parseDurationMs(every) / 1000) }),
    ...(rate !== undefined && { rate_bytes_per_sec: parseBytes(rate) }),
    ...(concurrency !== undefined && { concurrency: whole(concurrency, '--concurrency') }),
    ...(username !== undefined && { username, password: io.env['DFCTL_REGISTRY_PASSWORD'] ?? '' }),
  });
  io.stdout.write(flags.json ? `${JSON.stringify(rule)}\n` : `Added: ${name}, ${triggerOf(rule)}.\n`);
  return 0;
}

function whole(text: string, flag: string): number {
  if (/^[1-9]\d{0,9}$/.test(text)) return Number(text);
  throw new DragonflyError('INVALID_ARGUMENT', `"${text}" is no number for ${flag}`, {
    hint: 'Run "dfctl cluster ls" for the numbers of clusters.',
  });
}

function triggerOf({ enabled, on_push: onPush, interval_seconds: seconds }: ReplicationRule): string {
  if (!enabled) return 'paused';
  const ways = [onPush ? 'on push' : '', seconds > 0 ? `every ${formatDurationMs(seconds * 1000)}` : ''];
  return ways.filter(Boolean).join(', ') || 'when asked';
}

type Place = NonNullable<ReplicationRule['target_copies']> & { readonly place: string };

/** Clusters by their numbers, and the target before them. */
function placesOf({ clusters, target_copies: target }: ReplicationRule): Place[] {
  return [
    ...(target ? [{ place: 'target', ...target }] : []),
    ...clusters.map((cluster) => ({ place: String(cluster.scheduler_cluster_id), ...cluster })),
  ];
}

const ruleColumns: readonly Column<ReplicationRule>[] = [
  { heading: 'RULE', cell: ({ name }) => shortened(name, 20) },
  { heading: 'SOURCE', cell: ({ source }) => shortened(source, 28) },
  { heading: 'WHEN', cell: (rule) => shortened(triggerOf(rule), 18) },
  { heading: 'TAGS', cell: ({ tag_count: count }) => String(count), right: true },
  { heading: 'PROVEN', cell: (rule) => provenText(placesOf(rule)), right: true },
];

const placeColumns: readonly Column<Place>[] = [
  { heading: 'CLUSTER', cell: ({ place }) => place, right: true },
  { heading: 'PROVEN', cell: ({ proven }) => String(proven), right: true },
  { heading: 'COPIED', cell: ({ copied }) => String(copied), right: true },
  { heading: 'RUNNING', cell: ({ running }) => String(running), right: true },
  { heading: 'WAITING', cell: ({ waiting }) => String(waiting), right: true },
  { heading: 'FAILED', cell: ({ failed }) => String(failed), right: true },
  { heading: 'SIZE', cell: ({ bytes }) => formatBytes(bytes), right: true },
];

const tagColumns: readonly Column<{
  readonly tag: ReplicatedTag;
  readonly place: string;
  readonly copy: NonNullable<ReplicatedTag['target']>;
}>[] = [
  { heading: 'TAG', cell: ({ tag }) => shortened(`${tag.repository}:${tag.tag}`, 28) },
  { heading: 'DIGEST', cell: ({ tag }) => tag.digest.slice(0, 19) },
  { heading: 'CLUSTER', cell: ({ place }) => place, right: true },
  {
    heading: 'STATE',
    cell: ({ copy: { state, error } }) => (error === '' ? state : shortened(`${state}: ${error}`, 22)),
  },
];

/** Of all clusters and the target together. */
function provenText(places: readonly Place[]): string {
  const all = places.reduce(
    (sum, { proven, copied, running, waiting, failed }) => sum + proven + copied + running + waiting + failed,
    0,
  );
  return `${places.reduce((sum, { proven }) => sum + proven, 0)} of ${all}`;
}
