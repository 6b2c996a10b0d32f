/**
 * Decides what to do next for one account, from its desired and its actual state. No I/O: the caller carries the
 * actions out, and their results are seen in the next look. Carrying a plan out twice, or half of it, leads to the same
 * state.
 */
import { z } from 'zod';
import {
  componentLabel,
  components,
  componentsOf,
  desiredObjects,
  kindOf,
  namespaceObject,
  secretObject,
  type Component,
  type KubernetesObject,
} from './objects.ts';
import { finalizer, type Account } from './spec.ts';

/** An object as the API server returns it. */
export type ObservedObject = z.output<typeof observedSchema>;

const count = z.number().default(0);
export const observedSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().optional(),
    uid: z.string(),
    generation: z.number().default(0),
    deletionTimestamp: z.string().optional(),
    labels: z.record(z.string(), z.string()).default({}),
    ownerReferences: z.array(z.looseObject({ uid: z.string() })).default([]),
  }),
  spec: z.looseObject({ replicas: z.number().default(1) }).optional(),
  status: z
    .looseObject({
      observedGeneration: count,
      replicas: count,
      updatedReplicas: count,
      readyReplicas: count,
      desiredNumberScheduled: count,
      updatedNumberScheduled: count,
      numberReady: count,
      loadBalancer: z
        .object({
          ingress: z.array(z.object({ ip: z.string().optional(), hostname: z.string().optional() })).optional(),
        })
        .optional(),
    })
    .optional(),
});

export interface Observed {
  /** Found by its name, whoever created it. */
  readonly namespace: ObservedObject | undefined;
  /** The objects in it that carry this controller's label. */
  readonly objects: readonly ObservedObject[];
}

export type Action =
  | { readonly do: 'hold'; readonly finalizers: readonly string[] }
  | { readonly do: 'create' | 'apply'; readonly object: KubernetesObject }
  | { readonly do: 'delete'; readonly object: ObservedObject }
  | { readonly do: 'release'; readonly finalizers: readonly string[] };

export interface Plan {
  readonly actions: readonly Action[];
  /** Why nothing may be done. */
  readonly refusal?: { readonly reason: string; readonly message: string };
  /** Components that wait until the one before them runs the new version. */
  readonly waiting: readonly Component[];
}

export interface Circumstances {
  /** Something that this account asks for and another account has. */
  readonly conflict: { readonly reason: string; readonly message: string } | undefined;
  /** Values for a secret that has to be created. */
  readonly fresh: Readonly<Record<string, string>>;
}

export function plan(account: Account, observed: Observed, { conflict, fresh }: Circumstances): Plan {
  const { metadata, spec, fault } = account;
  const { namespace } = observed;
  const mine = namespace?.metadata.ownerReferences.some(({ uid }) => uid === metadata.uid) ?? false;
  if (metadata.deletionTimestamp !== undefined) return farewell(account, mine ? namespace : undefined);
  if (spec === undefined) return refused('InvalidSpec', fault ?? 'the spec cannot be carried out');
  if (conflict) return refused(conflict.reason, conflict.message);
  if (namespace && !mine)
    return refused('NamespaceTaken', `the namespace ${account.namespace} is not of this P2PManager`);
  if (namespace?.metadata.deletionTimestamp !== undefined)
    return refused('NamespaceTerminating', `the namespace ${account.namespace} is being deleted`);

  const actions: Action[] = [];
  if (!metadata.finalizers.includes(finalizer))
    actions.push({ do: 'hold', finalizers: [...metadata.finalizers, finalizer] });
  const owner = { metadata, namespace: account.namespace, spec };
  const space = namespaceObject(owner);
  if (!namespace) actions.push({ do: 'create', object: space });
  else if (!covers(space, namespace)) actions.push({ do: 'apply', object: space });
  const there = new Map(observed.objects.map((object) => [keyOf(object), object]));
  // Created before the first manager and never again, because another key could not decrypt what the first manager wrote.
  if (!observed.objects.some((object) => componentOf(object) === 'manager' && isWorkload(object)))
    actions.push({ do: 'create', object: secretObject(owner, fresh) });

  const waiting: Component[] = [];
  let isUpToDate = true;
  for (const component of componentsOf(spec)) {
    const desired = desiredObjects(owner).filter((object) => componentOf(object) === component);
    const workload = desired.find(isWorkload);
    const running = workload && there.get(keyOf(workload));
    const changed = desired.filter((object) => {
      const before = there.get(keyOf(object));
      return !before || !covers(object, before);
    });
    // Missing objects are created at once. A running component is changed only after the previous one was changed and is ready.
    const changesPods = running && workload && changed.includes(workload);
    if (changesPods && !isUpToDate) waiting.push(component);
    else actions.push(...changed.map((object) => ({ do: 'apply', object }) as const));
    isUpToDate &&= running !== undefined && !changesPods && isRolledOut(running);
  }
  const wanted = new Set(desiredObjects(owner).map(keyOf));
  for (const object of observed.objects)
    if (!wanted.has(keyOf(object)) && isWorkOf(object) && object.metadata.deletionTimestamp === undefined)
      actions.push({ do: 'delete', object });
  return { actions, waiting };
}

/** The namespace is deleted with everything in it, volumes included, and the account once nothing is left. */
function farewell({ metadata }: Account, namespace: ObservedObject | undefined): Plan {
  if (!metadata.finalizers.includes(finalizer)) return { actions: [], waiting: [] };
  if (namespace?.metadata.deletionTimestamp !== undefined) return { actions: [], waiting: [] };
  if (namespace) return { actions: [{ do: 'delete', object: namespace }], waiting: [] };
  const finalizers = metadata.finalizers.filter((name) => name !== finalizer);
  return { actions: [{ do: 'release', finalizers }], waiting: [] };
}

function refused(reason: string, message: string): Plan {
  return { actions: [], refusal: { reason, message }, waiting: [] };
}

export interface Progress {
  readonly desired: number;
  readonly updated: number;
  readonly ready: number;
}

export function progressOf({ kind, spec, status }: ObservedObject): Progress {
  const pods = status ?? observedSchema.shape.status.unwrap().parse({});
  if (kind !== 'DaemonSet')
    return { desired: spec?.replicas ?? 1, updated: pods.updatedReplicas, ready: pods.readyReplicas };
  return { desired: pods.desiredNumberScheduled, updated: pods.updatedNumberScheduled, ready: pods.numberReady };
}

/** True when all of its pods have the newest template and are ready. */
export function isRolledOut(object: ObservedObject): boolean {
  const { desired, updated, ready } = progressOf(object);
  const seen = (object.status?.observedGeneration ?? 0) >= object.metadata.generation;
  return (
    seen &&
    updated >= desired &&
    ready >= desired &&
    (object.kind === 'DaemonSet' || (object.status?.replicas ?? 0) <= desired)
  );
}

export function findWorkload(account: Account, observed: Observed, component: Component): ObservedObject | undefined {
  const kind = account.spec && kindOf(account.spec, component);
  return observed.objects.find(
    (object) => componentOf(object) === component && isWorkload(object) && (kind === undefined || object.kind === kind),
  );
}

export function componentOf({ metadata }: Pick<KubernetesObject, 'metadata'>): Component | undefined {
  return components.find((component) => component === metadata.labels?.[componentLabel]);
}

/** True for a component's own object, not for those that a StatefulSet or a Service creates with the same labels. */
function isWorkOf(object: ObservedObject): boolean {
  return componentOf(object) !== undefined && object.metadata.name === componentOf(object);
}

function isWorkload({ kind }: { readonly kind: string }): boolean {
  return kind === 'Deployment' || kind === 'StatefulSet' || kind === 'DaemonSet';
}

export function keyOf({
  kind,
  metadata,
}: {
  readonly kind: string;
  readonly metadata: { readonly name: string };
}): string {
  return `${kind}/${metadata.name}`;
}

/** True when everything wanted is there; additions by the server or by others do not matter. */
export function covers(wanted: unknown, there: unknown, isAmount = false): boolean {
  if (Array.isArray(wanted))
    return (
      Array.isArray(there) && wanted.length === there.length && wanted.every((item, at) => covers(item, there[at]))
    );
  if (typeof wanted !== 'object' || wanted === null)
    return wanted === there || (isAmount && amountOf(wanted) === amountOf(there));
  // Servers omit empty values.
  if (typeof there !== 'object' || there === null) return Object.keys(wanted).length === 0;
  return Object.entries(wanted).every(([key, value]) =>
    value === undefined
      ? true
      : covers(value, (there as Readonly<Record<string, unknown>>)[key], /^(?:requests|limits)$/.test(key) || isAmount),
  );
}

/** Servers normalise amounts: 1000m becomes 1, 1024Mi becomes 1Gi. */
function amountOf(text: unknown): number {
  const [, digits, unit = ''] = /^([\d.]+)([mkMGTPE]|[KMGTPE]i)?$/.exec(String(text)) ?? [];
  if (digits === undefined) return Number.NaN;
  if (unit === 'm') return Number(digits) / 1000;
  const power = 'kMGTPE'.indexOf(unit.charAt(0).replace('K', 'k'));
  return Number(digits) * (unit === '' ? 1 : (unit.endsWith('i') ? 1024 : 1000) ** (power + 1));
}
