/** Which nodes pods may land on according to their template: selector, required node affinity, taints. No I/O. */
import { z } from 'zod';

const requirementSchema = z.object({
  key: z.string(),
  operator: z.string(),
  values: z.array(z.string()).nullish(),
});
type Requirement = z.output<typeof requirementSchema>;
const termSchema = z.object({
  matchExpressions: z.array(requirementSchema).nullish(),
  matchFields: z.array(requirementSchema).nullish(),
});
/** One of the terms. */
export const requiredNodesSchema = z.object({ nodeSelectorTerms: z.array(termSchema) });
const tolerationSchema = z.object({
  key: z.string().optional(),
  operator: z.string().optional(),
  value: z.string().optional(),
  effect: z.string().optional(),
});

/** The fields of a pod's spec that determine its node. */
export const placementSchema = z.object({
  nodeName: z.string().optional(),
  nodeSelector: z.record(z.string(), z.string()).nullish(),
  affinity: z
    .object({
      nodeAffinity: z
        .object({
          requiredDuringSchedulingIgnoredDuringExecution: requiredNodesSchema.nullish(),
        })
        .nullish(),
    })
    .nullish(),
  tolerations: z.array(tolerationSchema).nullish(),
});
export type Placement = z.output<typeof placementSchema>;

export const clusterNodeSchema = z.object({
  metadata: z.object({ name: z.string(), labels: z.record(z.string(), z.string()).default({}) }),
  spec: z
    .object({
      taints: z
        .array(z.object({ key: z.string(), value: z.string().default(''), effect: z.string() }))
        .nullish()
        .transform((taints) => taints ?? []),
    })
    .prefault({}),
});
export type ClusterNode = z.output<typeof clusterNodeSchema>;

/** Other constraints (free resources, other pods, volumes) change too quickly to be considered. */
export function mayLandOn(placement: Placement, node: ClusterNode): boolean {
  const { name, labels } = node.metadata;
  if (placement.nodeName !== undefined) return placement.nodeName === name;
  if (Object.entries(placement.nodeSelector ?? {}).some(([key, value]) => labels[key] !== value)) return false;
  const terms = placement.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  const fits = ({ matchExpressions, matchFields }: z.output<typeof termSchema>): boolean => {
    const all = [...(matchExpressions ?? []), ...(matchFields ?? [])];
    // A term without any requirement matches nothing.
    if (all.length === 0) return false;
    return (
      (matchExpressions ?? []).every((one) => holds(one, labels[one.key])) &&
      (matchFields ?? []).every((one) => one.key === 'metadata.name' && holds(one, name))
    );
  };
  if (terms && !terms.some(fits)) return false;
  return node.spec.taints.every((taint) => isTolerated(taint, placement.tolerations ?? []));
}

function holds({ operator, values }: Requirement, found: string | undefined): boolean {
  const all = values ?? [];
  const amount = (text: string | undefined): number => (/^-?\d+$/.test(text ?? '') ? Number(text) : Number.NaN);
  switch (operator) {
    case 'In':
      return found !== undefined && all.includes(found);
    case 'NotIn':
      return found === undefined || !all.includes(found);
    case 'Exists':
      return found !== undefined;
    case 'DoesNotExist':
      return found === undefined;
    case 'Gt':
      return amount(found) > amount(all[0]);
    case 'Lt':
      return amount(found) < amount(all[0]);
    default:
      return false;
  }
}

/** Taints that come and go, because a node is temporarily away or cordoned. */
const passing = /^node\.kubernetes\.io\//;

function isTolerated(
  taint: ClusterNode['spec']['taints'][number],
  tolerations: readonly z.output<typeof tolerationSchema>[],
): boolean {
  if (taint.effect === 'PreferNoSchedule' || passing.test(taint.key)) return true;
  return tolerations.some(
    ({ key, operator = 'Equal', value = '', effect }) =>
      (effect === undefined || effect === '' || effect === taint.effect) &&
      (operator === 'Exists'
        ? key === undefined || key === '' || key === taint.key
        : key === taint.key && value === taint.value),
  );
}
