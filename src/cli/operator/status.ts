/** The reported status of an account: how far its control plane is, its version, and its addresses. No I/O. */
import { components, imageOf, ports, type Component } from './objects.ts';
import {
  findWorkload,
  isRolledOut,
  progressOf,
  type Observed,
  type ObservedObject,
  type Plan,
  type Progress,
} from './plan.ts';
import { type Account, type Condition } from './spec.ts';

export interface AccountStatus {
  readonly observedGeneration: number;
  readonly namespace: string;
  /** The version that all components run; absent while they differ. */
  readonly version?: string;
  readonly ready: string;
  readonly endpoints: Readonly<Record<string, string>>;
  readonly components: Readonly<Record<string, { desired: number; updated: number; ready: number; image: string }>>;
  readonly conditions: readonly Condition[];
}

type News = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

/** The running part of one component, in whatever way it runs. */
export interface ComponentState {
  readonly component: Component;
  readonly progress: Progress;
  /** The image of its newest pod. */
  readonly image: string;
  readonly isRolledOut: boolean;
}

export interface Outcome {
  readonly states: readonly ComponentState[];
  readonly endpoints: Readonly<Record<string, string>>;
  readonly planned: {
    readonly actions: readonly unknown[];
    readonly waiting: Plan['waiting'];
    readonly refusal?: Plan['refusal'] | undefined;
  };
  /** Why an action of the plan failed. */
  readonly failure: string | undefined;
  readonly now: Date;
}

export function statusOf(account: Account, { states, endpoints, planned, failure, now }: Outcome): AccountStatus {
  const { metadata, spec } = account;
  const told = Object.fromEntries(states.map(({ component, progress, image }) => [component, { ...progress, image }]));
  const images = new Set(states.map(({ image }) => image));
  const isUpdated = states.every(({ progress: { updated, desired } }) => updated >= desired);
  const version = spec && isUpdated && images.size === 1 && images.has(imageOf(spec)) ? spec.version : undefined;
  const behind = states.filter(({ isRolledOut: done }) => !done).map(({ component }) => component);
  const well = states.filter(isWell);
  return {
    observedGeneration: metadata.generation,
    namespace: account.namespace,
    ...(version !== undefined && { version }),
    ready: `${well.length}/${states.length}`,
    endpoints,
    components: told,
    conditions: [
      reconciled(account, planned, failure),
      progressing(account, planned, behind),
      states.length > 0 && well.length === states.length
        ? { type: 'Ready', status: 'True' as const, reason: 'AllReady', message: 'all of the control plane is ready' }
        : { type: 'Ready', status: 'False' as const, reason: 'NotReady', message: notReady(states) },
    ].map((news) => dated(news, account, now)),
  };
}

export function componentStates(account: Account, observed: Observed): ComponentState[] {
  return components.flatMap((component) => {
    const workload = findWorkload(account, observed, component);
    if (!workload) return [];
    return [
      { component, progress: progressOf(workload), image: imageIn(workload), isRolledOut: isRolledOut(workload) },
    ];
  });
}

function reconciled({ metadata }: Account, { refusal }: Outcome['planned'], failure: string | undefined): News {
  const type = 'Reconciled';
  if (refusal) return { type, status: 'False', ...refusal };
  if (failure !== undefined) return { type, status: 'False', reason: 'ActionFailed', message: failure };
  if (metadata.deletionTimestamp !== undefined)
    return { type, status: 'False', reason: 'Deleting', message: 'waits until all of it is gone' };
  return { type, status: 'True', reason: 'AsSpecified', message: 'what there is is what is specified' };
}

function progressing({ spec }: Account, planned: Outcome['planned'], behind: readonly Component[]): News {
  const type = 'Progressing';
  if (planned.waiting.length === 0 && behind.length === 0 && planned.actions.length === 0)
    return { type, status: 'False', reason: 'Complete', message: '' };
  const waits = planned.waiting.length > 0 ? `; ${planned.waiting.join(', ')} after it` : '';
  const message = `${behind.join(', ') || 'objects'} to ${spec?.version ?? 'its end'}${waits}`;
  return { type, status: 'True', reason: planned.waiting.length > 0 ? 'Upgrading' : 'RollingOut', message };
}

/** True when as many are ready as wanted, of whatever version. */
function isWell({ progress: { desired, ready } }: ComponentState): boolean {
  return ready >= desired;
}

function notReady(states: readonly ComponentState[]): string {
  if (states.length === 0) return 'nothing runs yet';
  const missing = states.filter((state) => !isWell(state));
  return missing.map(({ component, progress }) => `${component}: ${progress.ready} of ${progress.desired}`).join(', ');
}

function imageIn({ spec }: ObservedObject): string {
  const pod = spec as { template?: { spec?: { containers?: readonly { image?: string }[] } } } | undefined;
  return pod?.template?.spec?.containers?.[0]?.image ?? '';
}

/** The external address if a load balancer has one, otherwise the address inside the cluster. */
export function endpointsOf(account: Account, { objects }: Observed): Record<string, string> {
  const address = (component: Component, port: number): string | undefined => {
    const service = objects.find(({ kind, metadata }) => kind === 'Service' && metadata.name === component);
    if (!service) return undefined;
    const [outside] = service.status?.loadBalancer?.ingress ?? [];
    return `${outside?.hostname ?? outside?.ip ?? `${component}.${account.namespace}.svc`}:${port}`;
  };
  const rest = address('manager', ports.manager.rest);
  const all = {
    console: rest && `http://${rest}`,
    manager: address('manager', ports.manager.grpc),
    scheduler: address('scheduler', ports.scheduler.grpc),
    proxy: address('client', ports.client.proxy),
  };
  return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** The time is that of the last change of state, not of the message. */
function dated(news: News, { metadata, status }: Account, now: Date): Condition {
  const before = status?.conditions.find(({ type }) => type === news.type);
  const lastTransitionTime =
    before?.status === news.status ? before.lastTransitionTime : now.toISOString().replace(/\.\d+Z$/, 'Z');
  return { ...news, observedGeneration: metadata.generation, lastTransitionTime };
}
