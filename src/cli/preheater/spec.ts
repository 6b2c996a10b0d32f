/** The resource `Preheat`: content, and the nodes that shall hold it. No I/O. */
import { z } from 'zod';
import { placementSchema } from './placement.ts';

export const apiVersion = 'dragonfly.d7y.io/v1alpha1';
export const kind = 'Preheat';
export const preheatsPath = `/apis/${apiVersion}/preheats`;
export const fieldOwner = 'dragonfly-preheater';
export const managedBy = { 'app.kubernetes.io/managed-by': fieldOwner };

const contents = z.array(z.string().min(1).max(8192)).max(32).default([]);
export const specSchema = z.object({ images: contents, urls: contents, placement: placementSchema.prefault({}) });
export type PreheatSpec = z.output<typeof specSchema>;

const nodeStatusSchema = z.object({
  name: z.string(),
  /** The state at a node; NoDaemon means that no daemon runs there. */
  state: z.enum(['Holding', 'Waiting', 'Failed', 'NoDaemon']),
  message: z.string().optional(),
  /** Identifies the daemon and the content: a new daemon starts without it. */
  proof: z.string().optional(),
});
export type NodeStatus = z.output<typeof nodeStatusSchema>;

const conditionSchema = z.object({
  type: z.string(),
  status: z.string(),
  reason: z.string(),
  message: z.string().default(''),
  observedGeneration: z.number().optional(),
  lastTransitionTime: z.string(),
});
export type PreheatCondition = z.output<typeof conditionSchema>;

const statusSchema = z.looseObject({
  nodes: z.array(nodeStatusSchema).default([]),
  conditions: z.array(conditionSchema).default([]),
});

const preheatSchema = z.object({
  metadata: z.object({
    name: z.string(),
    namespace: z.string(),
    uid: z.string(),
    generation: z.number().default(0),
    labels: z.record(z.string(), z.string()).default({}),
    deletionTimestamp: z.string().optional(),
  }),
  spec: z.unknown(),
  status: statusSchema.optional().catch(undefined),
});

export interface Preheat extends Pick<z.output<typeof preheatSchema>, 'metadata' | 'status'> {
  /** Undefined, with the reason, when the spec is invalid. */
  readonly spec: PreheatSpec | undefined;
  readonly fault: string | undefined;
}

export function parsePreheat(object: unknown): Preheat {
  const { metadata, spec, status } = preheatSchema.parse(object);
  const parsed = specSchema.safeParse(spec ?? {});
  const issue = parsed.error?.issues[0];
  const fault = issue && `${['spec', ...issue.path].join('.')}: ${issue.message}`;
  return { metadata, status, spec: parsed.data, fault };
}
