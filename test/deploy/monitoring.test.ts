// needs: promtool
/** Dashboards and alerts ask for metrics and labels that exist; Prometheus takes the rules, and fires and clears them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { alerts } from '../../scripts/monitoring/alerts.ts';
import { dashboards } from '../../scripts/monitoring/panels.ts';
import { root } from '../house/repository.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const rulesFile = join(root, 'deploy/chart/files/alerts.yaml');
const queries = [
  ...dashboards.flatMap(({ panels }) => panels.flatMap((panel) => Object.values(panel.queries))),
  ...alerts.map(({ expr }) => expr),
];

/** Metric → its labels, of docs/metrics.md. */
function catalogue(): Map<string, readonly string[]> {
  const rows = readFileSync(join(root, 'docs/metrics.md'), 'utf8').matchAll(/^\| `(\w+)` \| (\w+) \| ([^|]*) \|/gm);
  return new Map(
    [...rows].map(([, name = '', , labels = '']) => [
      name,
      [...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label ?? ''),
    ]),
  );
}

test('every metric of a query is in the catalogue, with the labels that are asked for', () => {
  const known = catalogue();
  const names = new Set(queries.flatMap((query) => query.match(/\bdragonfly_\w+/g) ?? []));
  assert.ok(names.size > 40);
  const unknown = [...names].filter((name) => !known.has(name.replace(/_bucket$/, '')));
  assert.deepEqual(unknown, []);
  const wrongLabels = queries.flatMap((query) => {
    const asked = [...query.matchAll(/by \(([\w, ]+)\)|[{,] ?(\w+)=/g)].flatMap(([, by = '', selector = '']) => [
      ...by.split(', '),
      selector,
    ]);
    const has = (query.match(/\bdragonfly_\w+/g) ?? []).flatMap(
      (name) => known.get(name.replace(/_bucket$/, '')) ?? [],
    );
    const always = ['', 'instance', 'job', 'le', 'grpc_method', 'grpc_code'];
    return asked
      .filter((label) => !always.includes(label) && !has.includes(label))
      .map((label) => `${label} in ${query}`);
  });
  assert.deepEqual(wrongLabels, []);
});

/** A minute of each series is one value. */
const incidents: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  DragonflyServiceDown: { 'up{job="dragonfly-client",instance="a"}': '1x5 0x20 1x30' },
  DragonflyMemberInactive: { 'dragonfly_manager_members{kind="seed_peer",state="inactive"}': '0x5 1x20 0x30' },
  DragonflyNoScheduler: { dragonfly_manager_search_scheduler_cluster_failure_total: '0x5 0+10x20 200x30' },
  DragonflyDownloadsFail: {
    'dragonfly_client_download_task_failure_total{type="1"}': '0x5 0+5x20 100x30',
    'dragonfly_client_download_task_total{type="1"}': '0+10x55',
  },
  DragonflyOriginFails: {
    'dragonfly_client_backend_request_failure_total{scheme="https",method="GET"}': '0x5 0+5x20 100x30',
    'dragonfly_client_backend_request_total{scheme="https",method="GET"}': '0+10x55',
  },
  DragonflyFallsBackToOrigin: {
    'dragonfly_dfdaemon_proxy_fallback_total{reason="failed"}': '0x5 0+5x20 100x30',
    'dragonfly_dfdaemon_proxy_request_total{method="GET"}': '0+10x55',
  },
  DragonflyDiskFull: {
    dragonfly_client_disk_usage_space_total: '50x5 99x20 50x30',
    dragonfly_client_disk_space_total: '100x55',
  },
  DragonflyBufferMemoryFull: {
    'dragonfly_dfdaemon_buffer_memory_bytes{use="upload"}': '10x5 100x20 10x30',
    'dragonfly_dfdaemon_buffer_memory_limit_bytes{use="upload"}': '100x55',
  },
  DragonflySeedsFail: {
    'dragonfly_scheduler_seed_download_total{result="failure"}': '0x5 0+5x20 100x30',
    'dragonfly_scheduler_seed_download_total{result="success"}': '0+10x55',
  },
  DragonflyHostStruckOff: { dragonfly_scheduler_hosts_struck_off_total: '0x5 1x90' },
  DragonflySchedulerSlow: {
    'dragonfly_scheduler_decision_duration_seconds_bucket{le="0.1"}': '0x5 0x20 0+10x60',
    'dragonfly_scheduler_decision_duration_seconds_bucket{le="1"}': '0x5 0+10x20 200+10x60',
    'dragonfly_scheduler_decision_duration_seconds_bucket{le="+Inf"}': '0x5 0+10x20 200+10x60',
  },
};

test('each alert fires in its incident, and clears after it', async () => {
  assert.deepEqual(Object.keys(incidents).sort(), alerts.map(({ name }) => name).sort());
  await using directory = await temporaryDirectory();
  const tests = alerts.map(({ name }) => ({
    interval: '1m',
    input_series: Object.entries(incidents[name] ?? {}).map(([series, values]) => ({ series, values })),
    // How many alerts of the name there are, quiet before, loud in the incident, quiet an hour later.
    promql_expr_test: [
      {
        expr: `count(ALERTS{alertname="${name}",alertstate="firing"}) or vector(0)`,
        eval_time: '4m',
        exp_samples: [{ labels: '{}', value: 0 }],
      },
      {
        expr: `count(ALERTS{alertname="${name}",alertstate="firing"}) or vector(0)`,
        eval_time: '24m',
        exp_samples: [{ labels: '{}', value: 1 }],
      },
      {
        expr: `count(ALERTS{alertname="${name}",alertstate="firing"}) or vector(0)`,
        eval_time: '80m',
        exp_samples: [{ labels: '{}', value: 0 }],
      },
    ],
  }));
  const file = directory.join('tests.yaml');
  await writeFile(file, JSON.stringify({ rule_files: [rulesFile], evaluation_interval: '1m', tests }));
  const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', file], { encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
});
