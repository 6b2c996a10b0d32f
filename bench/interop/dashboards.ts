/**
 * Puts every query of the dashboards that the original publishes to a Prometheus that watches a busy cluster of ours.
 *
 *   node bench/interop/dashboards.ts --dashboards DIR [--binaries DIR --mix original,original,original,original] [--keep]
 *
 * DIR holds `client.json`, `manager.json`, `scheduler.json`, `seed-client.json`. What a query adds so that a panel is never
 * empty (`or vector(0)`) is left out. A query without an answer names a metric that nobody has, or an event that has not
 * happened here; both are printed.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { clusterDirectory } from './cluster-directory.ts';
import { makeBusy } from './busy.ts';
import { MixedCluster, parseMix } from './mixed-cluster.ts';
import { Prometheus } from './prometheus.ts';

interface Panel {
  readonly title?: string;
  readonly targets?: readonly { readonly expr?: string }[];
  readonly panels?: readonly Panel[];
}

interface Asked {
  readonly panel: string;
  readonly query: string;
}

const namespace = 'dragonfly-system';
const names = ['manager', 'scheduler', 'seed-client', 'client'] as const;

const { values } = parseArgs({
  options: {
    dashboards: { type: 'string' },
    binaries: { type: 'string', default: '' },
    mix: { type: 'string', default: 'ours,ours,ours,ours' },
    keep: { type: 'boolean', default: false },
  },
});
if (values.dashboards === undefined) throw new Error('--dashboards: the directory with the dashboards of the original');

await using directory = await clusterDirectory('df-dashboards-', values.keep);
await using cluster = await MixedCluster.start({
  mix: parseMix(values.mix),
  binaries: values.binaries,
  directory: directory.path,
});
await using prometheus = await Prometheus.start(join(directory.path, 'prometheus'), namespace, cluster.metrics);
await makeBusy(cluster);
for (const name of names) {
  const dashboard = JSON.parse(await readFile(join(values.dashboards, `${name}.json`), 'utf8')) as Panel;
  await report(name, queriesOf(dashboard));
}

async function report(name: string, asked: readonly Asked[]): Promise<void> {
  const empty: string[] = [];
  const unknown = new Set<string>();
  for (const { panel, query } of asked) {
    const samples = await prometheus.query(query);
    if (samples.some(({ value }) => Number.isFinite(value))) continue;
    const missing = await missingOf(query);
    for (const metric of missing) unknown.add(metric);
    if (missing.length === 0) empty.push(panel);
  }
  console.log(`${name}: ${asked.length} queries, ${asked.length - empty.length} about what there is`);
  if (unknown.size > 0) console.log(`  nobody has: ${[...unknown].sort().join(', ')}`);
  if (empty.length > 0) console.log(`  has not happened: ${[...new Set(empty)].join(', ')}`);
}

/** Metrics and labels of the query that match nothing at all. */
async function missingOf(query: string): Promise<string[]> {
  const missing: string[] = [];
  for (const [, metric = '', matchers = ''] of query.matchAll(/([a-z_]+)\s*\{([^}]*)\}/g)) {
    // Sizes of content that nobody has asked for here are no lack.
    const asked = matchers.replace(/task_size_level="\d+",?/, '');
    if ((await prometheus.query(`${metric}{${asked}}`)).length > 0) continue;
    const name = metric.replace(/_(bucket|sum|count)$/, '');
    // A counter with labels shows nothing before it has counted.
    const counted = (await prometheus.query(metric)).length > 0;
    if (counted || !(await prometheus.knows(name))) missing.push(`${name}{${labelsOf(asked)}}`);
  }
  return missing;
}

function labelsOf(matchers: string): string {
  return matchers
    .split(',')
    .map((matcher) => matcher.trim())
    .filter((matcher) => matcher !== '' && !/^(namespace|container)\b/.test(matcher))
    .join(', ');
}

function queriesOf({ title = '', targets = [], panels = [] }: Panel): Asked[] {
  const own = targets.flatMap(({ expr }) => (expr === undefined ? [] : [{ panel: title, query: filledIn(expr) }]));
  return [...own, ...panels.flatMap(queriesOf)];
}

function filledIn(expression: string): string {
  return expression
    .replaceAll(/\$\{?namespace\}?/g, namespace)
    .replaceAll('$__rate_interval', '30s')
    .replaceAll('$__range', '5m')
    .replaceAll(/\$\{?interval\}?/g, '1m')
    .replaceAll(/\bor\s+vector\(\d+\)/g, '');
}
