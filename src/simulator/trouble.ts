/** A run with a random mixture of faults, all derived from one number, that checks the invariants on the way. */
import { assertInvariants } from '../swarm/scheduler/invariants.ts';
import { seededRandom } from '../swarm/shared/random.ts';
import { randomFaults } from './faults.ts';
import { defaultSimulation, type SimulationOptions } from './options.ts';
import { liarIndex } from './lies.ts';
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

export interface LiesResult {
  readonly isRight: boolean;
  readonly liarStruckOff: boolean;
  /** Honest hosts that were. */
  readonly struckOff: readonly string[];
  readonly liedTo: number;
  readonly unfinished: number;
  readonly originCopies: number;
  readonly avoidableCopies: number;
}

/** One seed and 20 members, one of which is hostile. Throws when an invariant breaks. */
export function runLies(seed: number): LiesResult {
  const random = seededRandom(seed * 104_729);
  const options: SimulationOptions = {
    ...defaultSimulation,
    seed,
    peers: 20,
    contentBytes: 2e7 + Math.floor(random() * 2e8),
    faults: { liar: true },
    arrivalsMs: random() < 0.5 ? random() * 2000 : 0,
    deadlineMs: 180_000,
  };
  const cluster = new SimulatedCluster(options);
  let events = 0;
  cluster.scheduler.onEvent = (swarm) => {
    events += 1;
    if (events % eventsPerCheck === 0) assertInvariants(swarm);
  };
  run(cluster);
  const liar = cluster.daemons[liarIndex(options)];
  const { originCopies, avoidableCopies } = summarise(cluster);
  const { struckOff, liedTo } = cluster.world;
  const liarStruckOff = liar !== undefined && struckOff.delete(liar.hostId);
  const honest = cluster.daemons.filter((daemon) => daemon !== liar && !daemon.setup.isSeed);
  const unfinished = honest.filter((daemon) => !daemon.isComplete).length;
  const found = liedTo.size < 2 || liarStruckOff;
  return {
    isRight: unfinished === 0 && struckOff.size === 0 && avoidableCopies <= 0.05 && found,
    liarStruckOff,
    struckOff: [...struckOff],
    liedTo: liedTo.size,
    unfinished,
    originCopies,
    avoidableCopies,
  };
}
