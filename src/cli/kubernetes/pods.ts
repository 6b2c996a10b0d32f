/** The fields of pods that controllers use. No I/O. */
import { z } from 'zod';

const labels = z.record(z.string(), z.string()).default({});

export const podSchema = z.object({
  metadata: z.object({
    name: z.string(),
    namespace: z.string().default(''),
    uid: z.string(),
    labels,
    deletionTimestamp: z.string().optional(),
    resourceVersion: z.string().default(''),
  }),
  spec: z.object({ nodeName: z.string().default('') }).default({ nodeName: '' }),
  status: z
    .object({
      podIP: z.string().default(''),
      conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]),
    })
    .default({ podIP: '', conditions: [] }),
});
export type Pod = z.output<typeof podSchema>;

/** The kubelet reports it as ready, and it is not being deleted. */
export function isReady({ metadata, status }: Pod): boolean {
  const ready = status.conditions.some(({ type, status: is }) => type === 'Ready' && is === 'True');
  return metadata.deletionTimestamp === undefined && status.podIP !== '' && ready;
}
