/** What is told of an account: how far its control plane is, in which version, and where it is found. No I/O. */
import { components, imageOf, ports, type Component } from './objects.ts';
import { findWorkload, isRolledOut, progressOf, type Observed, type ObservedObject, type Plan } from './plan.ts';
import { type Account, type Condition } from './spec.ts';

export interface AccountStatus {
  readonly observedGeneration: number;
  readonly namespace: string;
  /** Of the version that all components run; absent while some run another. */
  readonly version?: string;
  readonly ready: string;
  readonly endpoints: Readonly<Record<string, string>>;
  readonly components: Readonly<Record<string, { desired: number; updated: number; ready: number; image: string }>>;
  readonly conditions: readonly Condition[];
}

type News = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

/** @param failure why an action of the plan could not be carried out. */
export function statusOf(
  account: Account,
  { observed, planned, failure, now }: { observed: Observed; planned: Plan; failure: string | undefined; now: Date },
): AccountStatus {
  const { metadata, spec } = account;
  const workloads = components.flatMap((component) => {
    const workload = findWorkload(account, observed, component);
    return workload ? [{ component, workload }] : [];
  });
  const told = Object.fromEntries(
    workloads.map(({ component, workload }) => [component, { ...progressOf(workload), image: imageIn(workload) }]),
  );
  const images = new Set(Object.values(told).map(({ image }) => image));
  const isUpdated = Object.values(told).every(({ updated, desired }) => updated >= desired);
  const version = spec && isUpdated && images.size === 1 && images.has(imageOf(spec)) ? spec.version : undefined;
  const behind = workloads.filter(({ workload }) => !isRolledOut(workload)).map(({ component }) => component);
  const isReady = workloads.length > 0 && workloads.every(({ workload }) => isWell(workload));
  return {
    observedGeneration: metadata.generation,
    namespace: account.namespace,
    ...(version !== undefined && { version }),
    ready: `${workloads.filter(({ workload }) => isWell(workload)).length}/${workloads.length}`,
    endpoints: endpointsOf(account, observed),
    components: told,
    conditions: [
      reconciled(account, planned, failure),
      progressing(account, { planned, behind }),
      isReady
        ? {
            type: 'Ready',
            status: 'True' as const,
            reason: 'AllReady',
            message: 'all pods of the control plane are ready',
          }
        : { type: 'Ready', status: 'False' as const, reason: 'NotReady', message: notReady(workloads) },
    ].map((news) => dated(news, account, now)),
  };
}

function reconciled({ metadata }: Account, { refusal }: Plan, failure: string | undefined): News {
  const type = 'Reconciled';
  if (refusal) return { type, status: 'False', ...refusal };
  if (failure !== undefined) return { type, status: 'False', reason: 'ActionFailed', message: failure };
  if (metadata.deletionTimestamp !== undefined)
    return { type, status: 'False', reason: 'Deleting', message: 'waits until the namespace and all in it are gone' };
  return { type, status: 'True', reason: 'AsSpecified', message: 'what there is is what is specified' };
}

function progressing({ spec }: Account, { planned, behind }: { planned: Plan; behind: readonly Component[] }): News {
  const type = 'Progressing';
  if (planned.waiting.length === 0 && behind.length === 0 && planned.actions.length === 0)
    return { type, status: 'False', reason: 'Complete', message: '' };
  const waits = planned.waiting.length > 0 ? `; ${planned.waiting.join(', ')} after it` : '';
  const message = `${behind.join(', ') || 'objects'} to ${spec?.version ?? 'its end'}${waits}`;
  return { type, status: 'True', reason: planned.waiting.length > 0 ? 'Upgrading' : 'RollingOut', message };
}

/** As many pods as wanted are ready, of whatever version. */
function isWell(workload: ObservedObject): boolean {
  const { desired, ready } = progressOf(workload);
  return ready >= desired;
}

function notReady(workloads: readonly { component: Component; workload: ObservedObject }[]): string {
  const missing = workloads.filter(({ workload }) => !isWell(workload));
  if (missing.length === 0) return 'nothing runs yet';
  return missing
    .map(({ component, workload }) => `${component}: ${progressOf(workload).ready} of ${progressOf(workload).desired}`)
    .join(', ');
}

function imageIn({ spec }: ObservedObject): string {
  const pod = spec as { template?: { spec?: { containers?: readonly { image?: string }[] } } } | undefined;
  return pod?.template?.spec?.containers?.[0]?.image ?? '';
}

/** From elsewhere where a load balancer has an address, else in the cluster. */
function endpointsOf(account: Account, { objects }: Observed): Record<string, string> {
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

/** The time is that of the last change of state, not of wording. */
function dated(news: News, { metadata, status }: Account, now: Date): Condition {
  const before = status?.conditions.find(({ type }) => type === news.type);
  const lastTransitionTime =
    before?.status === news.status ? before.lastTransitionTime : now.toISOString().replace(/\.\d+Z$/, 'Z');
  return { ...news, observedGeneration: metadata.generation, lastTransitionTime };
}
