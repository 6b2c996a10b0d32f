/** Whether the lives of processes grow: the median of the last quarter of each beside that of its second quarter. */
import { median } from './processes.ts';

export interface Sample {
  readonly atSeconds: number;
  /** A name and the how-manieth start of it, `peer-3#2`. */
  readonly life: string;
  readonly rssMib: number;
  readonly anonymousMib: number;
  readonly heapMib: number;
  /** What V8 has taken for the heap, in use or not. */
  readonly heapTotalMib: number;
  /** Of buffers and native objects that JavaScript holds. What is anonymous and neither of the two is the allocator's. */
  readonly externalMib: number;
  readonly files: number;
  /** p99 since the sample before, ms. */
  readonly loopDelayMs: number;
  /** Longest stall of the measuring process since the sample before, ms: what the machine, not the daemon, is to blame for. */
  readonly ownStallMs: number;
}

export interface Growth {
  readonly life: string;
  readonly samples: number;
  /** Of the second and of the last quarter. */
  readonly medians: Readonly<Record<Measured, readonly [early: number, late: number]>>;
  readonly loopDelayMs: number;
  readonly grew: readonly Measured[];
}

type Measured = 'rssMib' | 'anonymousMib' | 'heapMib' | 'files';

/** What a measure may gain and still count as its noise: a share of it, and an amount. */
const noise: Readonly<Record<Measured, readonly [share: number, amount: number]>> = {
  rssMib: [0.1, 12],
  anonymousMib: [0.1, 12],
  heapMib: [0.15, 8],
  files: [0.1, 8],
};
const leastSamples = 40;

/** Lives too short to tell are left out. */
export function growthOf(samples: readonly Sample[]): Growth[] {
  const lives = Map.groupBy(samples, ({ life }) => life);
  return [...lives].filter(([, own]) => own.length >= leastSamples).map(([life, own]) => growthOfLife(life, own));
}

function growthOfLife(life: string, samples: readonly Sample[]): Growth {
  const quarter = Math.floor(samples.length / 4);
  const second = samples.slice(quarter, 2 * quarter);
  const last = samples.slice(-quarter);
  const of = (key: Measured): readonly [number, number] => [
    median(second.map((sample) => sample[key])),
    median(last.map((sample) => sample[key])),
  ];
  const medians = {
    rssMib: of('rssMib'),
    anonymousMib: of('anonymousMib'),
    heapMib: of('heapMib'),
    files: of('files'),
  };
  const grew = (Object.keys(noise) as Measured[]).filter((key) => {
    const [early, late] = medians[key];
    const [share, amount] = noise[key];
    return late - early > Math.max(share * early, amount);
  });
  return {
    life,
    samples: samples.length,
    medians,
    loopDelayMs: median(samples.map((sample) => sample.loopDelayMs)),
    grew,
  };
}
