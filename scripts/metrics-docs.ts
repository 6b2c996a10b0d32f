/** docs/metrics.md, from the metrics that the services register. */
import { createRegistry, type Registry } from '../src/core/metrics.ts';
import { createHostIdentity } from '../src/dfdaemon/cluster/host-info.ts';
import { createDaemonMetrics } from '../src/dfdaemon/metrics.ts';
import { S3Metrics } from '../src/dfdaemon/proxy/doors/s3/s3-metrics.ts';
import { ProxyMetrics } from '../src/dfdaemon/proxy/proxy-metrics.ts';
import { ManagerMetrics } from '../src/manager/metrics.ts';
import { SchedulerMetrics } from '../src/scheduler/metrics.ts';

/** What the metrics library keeps of each metric. */
interface Registered {
  readonly name: string;
  readonly help: string;
  readonly labelNames?: readonly string[];
  readonly constructor: { readonly name: string };
}

function daemonRegistry(): Registry {
  const registry = createRegistry();
  const metrics = createDaemonMetrics(
    registry,
    createHostIdentity({
      hostname: 'node',
      ip: '127.0.0.1',
      isSeed: true,
      idc: '',
      location: '',
      schedulerClusterId: 0,
    }),
  );
  metrics.watchRunning(() => 0);
  metrics.client.watch('/', () => 0);
  new ProxyMetrics(registry);
  new S3Metrics(registry);
  return registry;
}

function schedulerRegistry(): Registry {
  const metrics = new SchedulerMetrics();
  metrics.observe(
    () => ({ hosts: 0, tasks: 0, peers: 0 }),
    () => 0,
  );
  return metrics.registry;
}

function managerRegistry(): Registry {
  const registry = createRegistry();
  const metrics = new ManagerMetrics(registry);
  metrics.countRows({ db: undefined } as never, registry); // the rows are read only when somebody asks
  return registry;
}

function table(registry: Registry): string {
  const rows = (registry.getMetricsAsArray() as unknown as Registered[])
    .filter(({ name }) => name.startsWith('dragonfly_'))
    .toSorted((a, b) => a.name.localeCompare(b.name))
    .map(({ name, help, labelNames = [], constructor }) => {
      const labels = labelNames.map((label) => `\`${label}\``).join(', ');
      return `| \`${name}\` | ${constructor.name.toLowerCase()} | ${labels} | ${help.replace(/\.$/, '')} |`;
    });
  return `| metric | kind | labels | meaning |\n| --- | --- | --- | --- |\n${rows.join('\n')}\n`;
}

export function metricsDocs(): string {
  return `# Metrics

Made from the code by \`npm run docs\`; do not edit. Every service also has the usual \`process_\` and \`nodejs_\` metrics of its runtime.
Metrics the original has carry its names, so its dashboards go on working.

## dfdaemon

At \`/metrics\` of the address in \`metrics\` of dfget.yaml. Those named \`seed_peer\` are of seed peers only.

${table(daemonRegistry())}
## scheduler

At \`/metrics\` of \`metrics.addr\` in scheduler.yaml, with \`metrics.enable\`.

${table(schedulerRegistry())}
## manager

At \`/metrics\` of \`metrics.addr\` in manager.yaml, with \`metrics.enable\`.

${table(managerRegistry())}`;
}
