/** What KServe's local model caches will want on the nodes of their groups. No I/O. */
import { z } from 'zod';
import { parseHubUrl } from '../../rpc/registry/model-hub.ts';
import { placementSchema, requiredNodesSchema } from './placement.ts';
import { apiVersion, kind as preheatKind, managedBy, specSchema } from './spec.ts';

const kserve = 'serving.kserve.io/v1alpha1';
export const localModelCachesPath = `/apis/${kserve}/localmodelcaches`;
export const localModelNodeGroupsPath = `/apis/${kserve}/localmodelnodegroups`;

const cacheSchema = z.object({
  metadata: z.object({ name: z.string(), uid: z.string(), deletionTimestamp: z.string().optional() }),
  spec: z.object({ sourceModelUri: z.string(), nodeGroups: z.array(z.string()).default([]) }),
});
const groupSchema = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    persistentVolumeSpec: z
      .object({ nodeAffinity: z.object({ required: requiredNodesSchema.nullish() }).nullish() })
      .prefault({}),
  }),
});

export type LocalModelCache = z.output<typeof cacheSchema>;
export type LocalModelNodeGroup = z.output<typeof groupSchema>;

export function parseLocalModelCache(object: unknown): LocalModelCache {
  return cacheSchema.parse(object);
}

export function parseLocalModelNodeGroup(object: unknown): LocalModelNodeGroup {
  return groupSchema.parse(object);
}

export function localModelPreheatName({ metadata }: LocalModelCache): string {
  return `localmodelcache-${metadata.name}`;
}

/**
 * The resource for it, in the daemons' namespace since a cache has none; undefined where it is no model of a hub and no single file,
 * and while none of its groups is known.
 */
export function preheatForModel(
  { metadata, spec }: LocalModelCache,
  groups: readonly LocalModelNodeGroup[],
  namespace: string,
): object | undefined {
  const own = groups.filter((group) => spec.nodeGroups.includes(group.metadata.name));
  const url = contentOf(spec.sourceModelUri);
  if (own.length === 0 || url === undefined || metadata.deletionTimestamp !== undefined) return undefined;
  const required = own.map((group) => group.spec.persistentVolumeSpec.nodeAffinity?.required?.nodeSelectorTerms);
  // One group whose volume may lie anywhere, and it may be any node. Whatever keeps other pods away, KServe's job gets there.
  const terms = required.some((one) => one === undefined) ? undefined : required.flatMap((one) => one ?? []);
  const placement = placementSchema.parse({
    ...(terms && {
      affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } } },
    }),
    tolerations: [{ operator: 'Exists' }],
  });
  const { name, uid } = metadata;
  return {
    apiVersion,
    kind: preheatKind,
    metadata: {
      name: `localmodelcache-${name}`,
      namespace,
      labels: managedBy,
      ownerReferences: [{ apiVersion: kserve, kind: 'LocalModelCache', name, uid, controller: true }],
    },
    spec: specSchema.parse({ urls: [url], placement }),
  };
}

/** KServe writes `hf://owner/name:revision`. Directories of object stores would have to be listed first. */
function contentOf(uri: string): string | undefined {
  const [, base = '', revision] = /^(hf:\/\/[^:@]+)(?::(.+))?$/.exec(uri) ?? [];
  if (base !== '') {
    const url = revision === undefined ? base : `${base}@${revision}`;
    return parseHubUrl(url) ? url : undefined;
  }
  return /^(?:https?|s3|gs|abfs|abs):\/\/.+\/[^/]*\.[A-Za-z0-9]+$/.test(uri) ? uri : undefined;
}
