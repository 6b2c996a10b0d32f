/** A run with a random mixture of faults, all of it from one number, with the invariants checked on the way. */
import { assertInvariants } from '../swarm/scheduler/invariants.ts';
import { seededRandom } from '../swarm/shared/random.ts';
import { randomFaults } from './faults.ts';
import { defaultSimulation, type SimulationOptions } from './options.ts';
import { run, type SimulationResult, summarise } from './simulation.ts';
import { SimulatedCluster } from './simulated-cluster.ts';

/** Checking after every event would make long runs quadratic. */
const eventsPerCheck = 20;

export function randomTrouble(seed: number): SimulationOptions {
  const random = seededRandom(seed * 7919);
  return {
    ...defaultSimulation,
    seed,
    peers: 3 + Math.floor(random() * 25),
    contentBytes: 4e6 + Math.floor(random() * 2e8),
    faults: randomFaults(random),
    seeds: random() < 0.2 ? 0 : 1,
    arrivalsMs: random() < 0.5 ? random() * 3000 : 0,
    deadlineMs: 180_000,
  };
}

/** Throws when an invariant breaks. */
export function runTrouble(options: SimulationOptions): SimulationResult {
  const cluster = new SimulatedCluster(options);
  let events = 0;
  cluster.scheduler.onEvent = (swarm) => {
    events += 1;
    if (events % eventsPerCheck === 0) assertInvariants(swarm);
  };
  run(cluster);
  return summarise(cluster);
}
