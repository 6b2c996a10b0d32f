/** A scheduler and its daemons in a world of their own, before the run begins. */
import { liarIndex } from './lies.ts';
import { Link } from './fluid-network.ts';
import type { SimulationOptions } from './options.ts';
import { type DaemonSetup, SimulatedDaemon } from './simulated-daemon.ts';
import { SimulatedScheduler } from './simulated-scheduler.ts';
import { World } from './world.ts';

/** A slow uplink has this share of its normal capacity. */
const slowed = 1 / 20;

export class SimulatedCluster {
  readonly world: World;
  readonly scheduler: SimulatedScheduler<SimulatedDaemon>;
  /** Seeds first. */
  readonly daemons: readonly SimulatedDaemon[];

  constructor(options: SimulationOptions) {
    this.world = new World(options);
    this.scheduler = new SimulatedScheduler(this.world);
    this.daemons = Array.from({ length: options.seeds + options.peers }, (_, index) => {
      const daemon = new SimulatedDaemon(this.world, this.scheduler, this.#setup(index));
      this.scheduler.connect(daemon);
      return daemon;
    });
  }

  #setup(index: number): DaemonSetup {
    const { random, options } = this.world;
    const { faults } = options;
    const isSeed = index < options.seeds;
    const hostClass = isSeed ? options.seedPeer : options.peer;
    const slow = !isSeed && random() < (faults?.slowShare ?? 0);
    const whole = 1 + (options.headShare ?? 0);
    return {
      index,
      isSeed,
      zone: index % (options.zones ?? options.sites ?? { count: 1 }).count,
      up: new Link((hostClass.upBytesPerSec * (slow ? slowed : 1)) / whole),
      down: new Link(hostClass.downBytesPerSec / whole),
      loadLimit: hostClass.loadLimit,
      malicious:
        (!isSeed && random() < (faults?.maliciousShare ?? 0)) ||
        (faults?.liar === true && index === liarIndex(options)),
    };
  }
}
