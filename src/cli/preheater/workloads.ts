/** What a cluster's workloads will need on their nodes. No I/O. */
import { z } from 'zod';
import { placementSchema } from './placement.ts';
import { apiVersion, kind as preheatKind, managedBy, specSchema } from './spec.ts';

/** As a label on a namespace it selects all of its workloads; as an annotation on a workload it selects or excludes that one. */
export const optInKey = 'dragonfly.d7y.io/preheat';
const urlsKey = 'dragonfly.d7y.io/preheat-urls';

export const workloadPaths = {
  Deployment: '/apis/apps/v1/deployments',
  StatefulSet: '/apis/apps/v1/statefulsets',
  DaemonSet: '/apis/apps/v1/daemonsets',
  Job: '/apis/batch/v1/jobs',
  CronJob: '/apis/batch/v1/cronjobs',
} as const;
export type WorkloadKind = keyof typeof workloadPaths;

const containers = z.array(z.object({ image: z.string().default('') })).nullish();
const podSpecSchema = placementSchema.extend({
  initContainers: containers,
  containers,
  volumes: z.array(z.object({ image: z.object({ reference: z.string().default('') }).optional() })).nullish(),
});
const templateSchema = z.object({ spec: podSpecSchema });

const workloadSchema = z.object({
  metadata: z.object({
    name: z.string(),
    namespace: z.string(),
    uid: z.string(),
    annotations: z.record(z.string(), z.string()).default({}),
    ownerReferences: z.array(z.object({ controller: z.boolean().default(false) })).default([]),
    deletionTimestamp: z.string().optional(),
  }),
  spec: z.object({
    template: templateSchema.optional(),
    jobTemplate: z.object({ spec: z.object({ template: templateSchema }) }).optional(),
  }),
});

export interface Workload extends z.output<typeof workloadSchema> {
  readonly kind: WorkloadKind;
}

export function parseWorkload(kind: WorkloadKind, object: unknown): Workload {
  return { kind, ...workloadSchema.parse(object) };
}

/** A name like `deployment-web`, in the namespace of the workload. */
export function preheatName({ kind, metadata }: Workload): string {
  return `${kind.toLowerCase()}-${metadata.name}`;
}

/**
 * The resource for a workload. Undefined when nobody has requested it, and when another workload owns this one, because
 * that one has a resource itself. @param namespaceLabels of its namespace.
 */
export function preheatFor(workload: Workload, namespaceLabels: Readonly<Record<string, string>>): object | undefined {
  const { kind, metadata, spec } = workload;
  const asked = metadata.annotations[optInKey] ?? namespaceLabels[optInKey];
  const template = spec.template ?? spec.jobTemplate?.spec.template;
  const isMade = metadata.ownerReferences.some(({ controller }) => controller);
  if (asked !== 'enabled' || !template || isMade || metadata.deletionTimestamp !== undefined) return undefined;
  const { initContainers, containers: main, volumes, ...placement } = template.spec;
  const images = [
    ...[...(initContainers ?? []), ...(main ?? [])].map(({ image }) => image),
    ...(volumes ?? []).map(({ image }) => image?.reference ?? ''),
  ];
  const urls = (metadata.annotations[urlsKey] ?? '').split(/[\s,]+/);
  const { name, namespace, uid } = metadata;
  const owner = { apiVersion: kind.endsWith('Job') ? 'batch/v1' : 'apps/v1', kind, name, uid, controller: true };
  return {
    apiVersion,
    kind: preheatKind,
    metadata: { name: preheatName(workload), namespace, labels: managedBy, ownerReferences: [owner] },
    spec: specSchema.parse({
      images: distinct(images),
      urls: distinct(urls),
      placement: placementSchema.parse(placement),
    }),
  };
}

function distinct(texts: readonly string[]): string[] {
  return [...new Set(texts.filter((text) => text !== ''))].slice(0, 32);
}
