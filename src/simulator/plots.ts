/** The plots of a set of runs: when each peer was done, how far from the limit, what the origin sent, and how the links were used. */
import { chart, type Series } from './chart.ts';
import type { SimulationResult } from './simulation.ts';

export interface Curve {
  readonly arm: string;
  readonly peers: number;
  readonly contentBytes: number;
  /** 0: all peers may cross between zones. */
  readonly crossZonePeers: number;
  readonly result: SimulationResult;
}

/** What others measured in the same set-up, over the number of nodes. */
export interface Published {
  readonly seconds: readonly Series[];
  readonly copies: readonly Series[];
}

/** Keyed by file name. Plots over the number of peers exist only when there is more than one number. */
export function plots(title: string, curves: readonly Curve[], published?: Published): ReadonlyMap<string, string> {
  const pictures = new Map([
    [
      'completion.svg',
      chart({
        title: `${title}: who is done when`,
        x: 'time ÷ fluid limit',
        y: 'share of the peers',
        series: curves.map(({ result, ...curve }) => ({
          label: `${nameOf(curve)}: R ${result.r.toFixed(2)}`,
          points: [[0, 0], ...shares(result.completions.map((seconds) => seconds / result.fluidLimitSeconds))],
        })),
      }),
    ],
    [
      'links.svg',
      chart({
        title: `${title}: use of the peers’ uplinks`,
        x: 'share of what the uplink could have carried until the last peer was done',
        y: 'share of the peers',
        series: curves.map(({ result, ...curve }) => ({
          label: `${nameOf(curve)}: mean ${mean(result.uplinkUse).toFixed(2)}`,
          points: shares(result.uplinkUse),
        })),
      }),
    ],
  ]);
  const over = (value: (result: SimulationResult) => number): Series[] => overPeers(curves, value);
  if (new Set(curves.map(({ peers }) => peers)).size < 2) return pictures;
  const x = { x: 'peers', logX: true };
  pictures.set(
    'ratio.svg',
    chart({ ...x, title: `${title}: R`, y: 'time of the last peer ÷ fluid limit', series: over(({ r }) => r) }),
  );
  pictures.set(
    'seconds.svg',
    chart({
      ...x,
      title: `${title}: time of the last peer`,
      y: 'seconds',
      logY: true,
      series: [...over(({ timeToLastSeconds }) => timeToLastSeconds), ...(published?.seconds ?? [])],
    }),
  );
  pictures.set(
    'copies.svg',
    chart({
      ...x,
      title: `${title}: copies the origin sent`,
      y: 'bytes from the origin ÷ size',
      series: [...over(({ originCopies }) => originCopies), ...(published?.copies ?? [])],
    }),
  );
  for (const contentBytes of new Set(curves.map((curve) => curve.contentBytes))) {
    const size = megabytes(contentBytes);
    const ofSize = curves.filter((curve) => curve.contentBytes === contentBytes);
    const series = [
      ...overPeers(ofSize, ({ speed }) => speed.mean / 1e6, 'mean of '),
      ...overPeers(ofSize, ({ speed }) => speed.max / 1e6, 'fastest of ', true),
      ...overPeers(ofSize, ({ speed }) => speed.min / 1e6, 'slowest of ', true),
    ];
    pictures.set(
      `speed-${size.replace(' ', '')}.svg`,
      chart({ ...x, title: `${title}: download speed of a peer, ${size}`, y: 'MB/s', series }),
    );
  }
  return pictures;
}

/** One line for each arm and size. */
function overPeers(
  curves: readonly Curve[],
  value: (result: SimulationResult) => number,
  before = '',
  dashed = false,
): Series[] {
  const lines = new Map<string, [number, number][]>();
  for (const { arm, peers, contentBytes, result } of curves) {
    const label = `${before}${arm}, ${megabytes(contentBytes)}`;
    const line = lines.get(label);
    if (line) line.push([peers, value(result)]);
    else lines.set(label, [[peers, value(result)]]);
  }
  return Array.from(lines, ([label, points]) => ({ label, dashed, points: points.sort((a, b) => a[0] - b[0]) }));
}

export function nameOf({ arm, peers, contentBytes, crossZonePeers }: Omit<Curve, 'result'>): string {
  const run = `${arm}, ${megabytes(contentBytes)} to ${peers}`;
  return crossZonePeers > 0 ? `${run}, ${crossZonePeers} cross` : run;
}

function megabytes(bytes: number): string {
  return bytes >= 1e9 ? `${bytes / 1e9} GB` : `${bytes / 1e6} MB`;
}

function shares(ascending: readonly number[]): [number, number][] {
  return ascending.map((value, index) => [value, (index + 1) / ascending.length]);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}
