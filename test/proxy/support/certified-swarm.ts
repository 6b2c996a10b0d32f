/** A manager that issues certificates, a scheduler, and daemons that know each other by them. */
import { parseConfig } from '../../../src/core/config/config.ts';
import { silentLogger } from '../../../src/core/process/logger.ts';
import { schedulerConfigSchema } from '../../../src/scheduler/config.ts';
import { SchedulerService } from '../../../src/scheduler/scheduler-service.ts';
import { databaseConfig } from '../../manager/support/engines.ts';
import { rootOf, startManager } from '../../manager/support/manager-fixture.ts';
import { LocalSwarm, type Daemon } from '../../support/local-swarm.ts';
import { waitFor } from '../../support/wait-for.ts';

const loopback = '127.0.0.1';

export interface CertifiedSwarm extends AsyncDisposable {
  readonly swarm: LocalSwarm;
  /** Resolves when a scheduler has taken it in. */
  startDaemon(name: string, options: { readonly seed: boolean; readonly yaml: string }): Promise<Daemon>;
}

export async function startCertifiedSwarm(): Promise<CertifiedSwarm> {
  const owned = new AsyncDisposableStack();
  const swarm = owned.use(await LocalSwarm.create());
  const manager = owned.use(
    await startManager(databaseConfig({ sqlite: { path: swarm.directory.join('manager.db') } }), {
      security: { autoIssueCert: true, tlsPolicy: 'prefer' },
    }),
  );
  const root = await rootOf(manager);
  const wanted = { name: 'all', expired_at: '2099-01-01T00:00:00Z' };
  const { token } = await root.ok<{ token: string }>('POST', '/api/v1/join-tokens', wanted);
  const security = { autoIssueCert: true, tlsPolicy: 'prefer' as const, joinToken: token };
  const addr = `${loopback}:${manager.grpcPort}`;
  const yaml = JSON.stringify({
    server: { port: 0, listenIP: loopback, advertiseIP: loopback, cacheDir: swarm.directory.join('scheduler') },
    manager: { addr },
    security,
  });
  const { config: schedulerConfig } = parseConfig(schedulerConfigSchema, yaml, 'scheduler.yaml');
  const scheduler = owned.use(await SchedulerService.create(schedulerConfig, { logger: silentLogger }));
  await scheduler.start();
  return {
    swarm,
    startDaemon: async (name, { seed, yaml: more }) => {
      const daemon = await swarm.startDaemon(name, {
        seed,
        yaml: more,
        schedulers: [],
        adjust: (config) => ({
          ...config,
          workHome: swarm.directory.join(name),
          scheduler: {
            ...config.scheduler,
            manager: {
              ...config.scheduler.manager,
              enable: true,
              netAddrs: [{ type: 'tcp' as const, addr }],
              refreshInterval: 500,
            },
          },
          security: { ...config.security, ...security },
        }),
      });
      const ready = `http://${daemon.service.addresses['health']}/readyz`;
      await waitFor(`a scheduler to take ${name} in`, async () => (await fetch(ready)).status === 200);
      return daemon;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
