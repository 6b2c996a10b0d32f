/** Decides which processes of one machine must be started, replaced or ended next. No I/O. */
import { createHash } from 'node:crypto';
import { componentsOf, imageOf, type Component } from './objects.ts';
import type { ComponentState } from './status.ts';
import type { Spec } from './spec.ts';

export interface WantedProcess {
  /** `scheduler-1` */
  readonly name: string;
  readonly component: Component;
  readonly image: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** A digest of everything that it is started with. */
  readonly digest: string;
}

export interface ObservedProcess {
  readonly name: string;
  readonly component: Component;
  readonly image: string;
  readonly digest: string;
  /** True when it has announced that it serves, and has not ended since. */
  readonly isReady: boolean;
}

export type ProcessAction =
  { readonly do: 'start' | 'replace'; readonly process: WantedProcess } | { readonly do: 'end'; readonly name: string };

export interface ProcessPlan {
  readonly actions: readonly ProcessAction[];
  readonly waiting: readonly Component[];
}

export function wantedProcesses(spec: Spec): WantedProcess[] {
  return componentsOf(spec).flatMap((component) => {
    const { replicas, config } = component === 'seed-peer' ? spec.seedPeer : spec[component];
    const image = imageOf(spec);
    const digest = createHash('sha256')
      .update(JSON.stringify([image, config]))
      .digest('hex');
    return Array.from({ length: replicas }, (_none, index) => ({
      name: `${component}-${index + 1}`,
      component,
      image,
      config,
      digest,
    }));
  });
}

/** Missing processes are started, the manager first, because all others need it. Running ones are replaced one at a time. */
export function planProcesses(wanted: readonly WantedProcess[], observed: readonly ObservedProcess[]): ProcessPlan {
  const there = new Map(observed.map((process) => [process.name, process]));
  const ends = observed.filter(({ name }) => wanted.every((process) => process.name !== name));
  const actions: ProcessAction[] = ends.toReversed().map(({ name }) => ({ do: 'end', name }));
  const waiting = new Set<Component>();
  let blocked: Component | undefined;
  for (const process of wanted) {
    const running = there.get(process.name);
    const managerIsReady = observed.some(({ component, isReady }) => component === 'manager' && isReady);
    const isCurrent = running?.digest === process.digest;
    if (!running?.isReady) {
      // A process that does not become ready is also replaced by the next version.
      if (process.component === 'manager' || managerIsReady) actions.push({ do: 'start', process });
      blocked ??= process.component;
    } else if (!isCurrent && blocked === undefined) {
      actions.push({ do: 'replace', process });
      blocked = process.component;
    } else if (!isCurrent && blocked !== process.component) waiting.add(process.component);
  }
  return { actions, waiting: [...waiting] };
}

export function processStates(
  wanted: readonly WantedProcess[],
  observed: readonly ObservedProcess[],
): ComponentState[] {
  return [...Map.groupBy(wanted, ({ component }) => component)].map(([component, all]) => {
    const own = observed.filter((process) => process.component === component);
    const updated = all.filter(({ name, digest }) =>
      own.some((one) => one.name === name && one.digest === digest),
    ).length;
    const ready = own.filter(({ isReady }) => isReady).length;
    const image = (own.find(({ digest }) => digest === all[0]?.digest) ?? own[0])?.image ?? '';
    const isRolledOut = updated === all.length && ready === all.length && own.length === all.length;
    return { component, progress: { desired: all.length, updated, ready }, image, isRolledOut };
  });
}
