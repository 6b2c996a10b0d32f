/** The faults of a run, planned from its random seed before it starts. */
import type { Faults } from './options.ts';
import type { Random } from '../swarm/shared/random.ts';
import type { SimulatedDaemon } from './simulated-daemon.ts';
import { planLies } from './lies.ts';
import type { World } from './world.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';

const pauseMs = { least: 200, most: 3000 };

export function planFaults(cluster: SimulatedCluster): void {
  const { world, scheduler, daemons } = cluster;
  const { faults } = world.options;
  if (!faults) return;
  if (faults.liar === true) planLies(cluster);
  const spanMs = faults.spanMs ?? 5000;
  for (const daemon of daemons) {
    if (!daemon.setup.isSeed && world.random() < (faults.crashShare ?? 0)) {
      planCrash(world, daemon, world.random() * spanMs, world.random() < (faults.goneShare ?? 0));
    }
  }
  const [seed] = daemons;
  if (faults.seedCrashMs !== undefined && seed?.setup.isSeed === true)
    planCrash(world, seed, faults.seedCrashMs, false);
  if (faults.schedulerRestartMs !== undefined) world.at(faults.schedulerRestartMs, () => scheduler.restart());
  const { originDown } = faults;
  if (originDown) {
    world.at(originDown.fromMs, () => (world.originIsUp = false));
    world.at(originDown.untilMs, () => (world.originIsUp = true));
  }
}

function planCrash(world: World, daemon: SimulatedDaemon, atMs: number, gone: boolean): void {
  const silent = world.random() < 0.5;
  const backMs = atMs + pauseMs.least + world.random() * (pauseMs.most - pauseMs.least);
  world.at(atMs, () => {
    if (!daemon.alive || daemon.isComplete) return;
    daemon.crash(silent);
    if (gone) daemon.depart();
    else world.at(backMs, () => daemon.start());
  });
}

/** A random mixture, for runs that search for bugs. */
export function randomFaults(random: Random): Faults {
  const some = (share: number, value: number): number => (random() < share ? value * random() : 0);
  return {
    crashShare: some(0.7, 0.5),
    goneShare: some(0.5, 0.5),
    spanMs: 500 + random() * 5000,
    slowShare: some(0.4, 0.4),
    maliciousShare: some(0.4, 0.25),
    lossShare: some(0.4, 0.03),
    ...(random() < 0.3 ? { seedCrashMs: random() * 3000 } : {}),
    ...(random() < 0.3 ? { schedulerRestartMs: random() * 4000 } : {}),
    ...(random() < 0.2 ? { originDown: { fromMs: random() * 2000, untilMs: 2000 + random() * 4000 } } : {}),
  };
}
