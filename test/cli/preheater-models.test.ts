/** KServe's local model caches, as its custom resources are written, and the nodes that a plan chooses for them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  parseLocalModelCache,
  parseLocalModelNodeGroup,
  preheatForModel,
} from '../../src/cli/preheater/local-models.ts';
import { clusterNodeSchema } from '../../src/cli/preheater/placement.ts';
import { plan } from '../../src/cli/preheater/plan.ts';
import { parsePreheat, type PreheatSpec } from '../../src/cli/preheater/spec.ts';

const cacheOf = (sourceModelUri: string, ...nodeGroups: string[]) =>
  parseLocalModelCache({
    apiVersion: 'serving.kserve.io/v1alpha1',
    kind: 'LocalModelCache',
    metadata: { name: 'llama', uid: 'u1' },
    spec: { sourceModelUri, modelSize: '16Gi', nodeGroups },
  });
const groupOf = (name: string, gpu?: string) =>
  parseLocalModelNodeGroup({
    metadata: { name },
    spec: {
      storageLimit: '100Gi',
      persistentVolumeClaimSpec: {},
      persistentVolumeSpec: {
        local: { path: '/models' },
        ...(gpu !== undefined && {
          nodeAffinity: {
            required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'gpu', operator: 'In', values: [gpu] }] }] },
          },
        }),
      },
    },
  });
const nodes = [
  { name: 'a', gpu: 'h200' },
  { name: 'b', gpu: 'l4' },
  { name: 'c', gpu: 'none' },
].map(({ name, gpu }) =>
  clusterNodeSchema.parse({
    metadata: { name, labels: { gpu } },
    spec: { taints: [{ key: 'gpu', effect: 'NoSchedule' }] },
  }),
);
const daemons = nodes.map(({ metadata: { name } }, index) => ({ uid: name, node: name, ip: `10.0.0.${index}` }));
const contentOf = (uri: string): string | undefined =>
  (preheatForModel(cacheOf(uri, 'big'), [groupOf('big')], 'df') as { spec: PreheatSpec } | undefined)?.spec.urls[0];

test('models of a hub by their revision, and single files; nothing that would have to be listed', () => {
  for (const [uri, content] of [
    ['hf://meta/llama', 'hf://meta/llama'],
    ['hf://meta/llama:v1.0', 'hf://meta/llama@v1.0'],
    ['s3://models/llama/model.safetensors', 's3://models/llama/model.safetensors'],
    ['s3://models/llama', undefined],
    ['pvc://claim/model.bin', undefined],
    ['hf://meta/llama/extra', undefined],
    ['hf://meta/..', undefined],
  ] as const)
    assert.equal(contentOf(uri), content, uri);
});

test('a cache comes to the nodes of its groups as a model, whatever keeps other pods away, and goes with its resource', () => {
  const known = {
    workloads: [],
    namespaces: new Map(),
    nodeGroups: [groupOf('big', 'h200'), groupOf('small', 'l4'), groupOf('other', 'none')],
    models: [cacheOf('hf://meta/llama:v1', 'big', 'small')],
    ownNamespace: 'df',
    nodes,
    daemons,
    progress: () => undefined,
    maxNodes: 10,
    now: new Date(0),
  };
  const first = plan({ ...known, preheats: new Map() });
  const [object] = first.apply as { metadata: { name: string; namespace: string; ownerReferences: object[] } }[];
  assert.deepEqual([object?.metadata.namespace, object?.metadata.name], ['df', 'localmodelcache-llama']);
  assert.equal(object?.metadata.ownerReferences.length, 1);
  const written = parsePreheat({ ...object, metadata: { ...object?.metadata, uid: 'p1' } });
  const preheats = new Map([['df/localmodelcache-llama', written]]);
  const second = plan({ ...known, preheats });
  assert.deepEqual(second.apply, []);
  assert.deepEqual(
    second.wanted.map(({ kind, content, daemon }) => [kind, content, daemon.node]),
    ['a', 'b'].map((node) => ['model', 'hf://meta/llama@v1', node]),
  );
  assert.equal(plan({ ...known, models: [], preheats }).remove.length, 1);
});
