/** What workloads will want is on their nodes: real daemons, scheduler, manager and registry, and an API server that is told of them. */
// needs: docker-registry, openssl
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { DfdaemonLocalDefinition } from '../../gen/dfdaemon/v2/local.ts';
import { programExists } from '../../scripts/debian-packages.ts';
import { Preheater } from '../../src/cli/preheater/controller.ts';
import { mayLandOn, clusterNodeSchema, placementSchema } from '../../src/cli/preheater/placement.ts';
import { runPreheater } from '../../src/cli/preheater/preheater.ts';
import { parseWorkload, preheatFor } from '../../src/cli/preheater/workloads.ts';
import { silentLogger } from '../../src/core/process/logger.ts';
import { createClient } from '../../src/rpc/client.ts';
import { databaseConfig } from '../manager/support/engines.ts';
import { rootOf, startManager } from '../manager/support/manager-fixture.ts';
import { registryLogin, TokenRegistry } from '../manager/support/token-registry.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { LocalSwarm } from '../support/local-swarm.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';
import { KubernetesApiServer } from './kubernetes-api.ts';
import { runTool } from './tool-io.ts';

interface Told {
  readonly ready: string;
  readonly nodes: readonly { readonly name: string; readonly state: string; readonly message?: string }[];
  readonly conditions: readonly { readonly status: string; readonly reason: string; readonly message: string }[];
}

const optIn = 'dragonfly.d7y.io/preheat';
const namespace = 'dragonfly';

test(
  'images and files of workloads come to the nodes they may land on, once, also to nodes that come later',
  { skip: !programExists('docker-registry') && 'docker-registry is not installed', timeout: 240_000 },
  async () => {
    await using owned = new AsyncDisposableStack();
    const directory = owned.use(await temporaryDirectory('df-pre-'));
    const origin = owned.use(await HttpOrigin.start());
    const registry = owned.use(await TokenRegistry.start());
    const manager = owned.use(
      await startManager(databaseConfig({ sqlite: { path: ':memory:' } }), {
        job: { preheat: { allowCIDRs: ['127.0.0.0/8'] } },
      }),
    );
    const swarm = owned.use(await LocalSwarm.create());
    await swarm.startScheduler(0, `{addr: "127.0.0.1:${manager.grpcPort}", keepAlive: {interval: 500ms}}`);
    const api = owned.use(await KubernetesApiServer.start());
    api.create('namespaces', { metadata: { name: namespace } });
    api.create('namespaces', { metadata: { name: 'shop', labels: { [optIn]: 'enabled' } } });
    api.create('namespaces', { metadata: { name: 'plain' } });
    const addNode = async (index: number, spec: object = {}): Promise<void> => {
      const name = `node-${index}`;
      const ip = `127.0.30.${index}`;
      api.create('nodes', { metadata: { name, labels: { 'kubernetes.io/arch': 'amd64' } }, spec });
      await swarm.startDaemon(name, {
        adjust: (config) => ({
          ...config,
          host: { ...config.host, advertiseIP: ip },
          upload: { ...config.upload, tcpListen: { ...config.upload.tcpListen, listen: ip } },
          download: {
            ...config.download,
            peerGRPC: {
              ...config.download.peerGRPC,
              tcpListen: { ...config.download.peerGRPC.tcpListen, listen: ip },
            },
          },
        }),
      });
      const labels = { 'app.kubernetes.io/component': 'client' };
      const status = { podIP: ip, conditions: [{ type: 'Ready', status: 'True' }] };
      api.create('pods', { metadata: { name, namespace, labels }, spec: { nodeName: name }, status });
    };
    for (const index of [1, 2]) await addNode(index);
    await addNode(3, { taints: [{ key: 'gpu', value: 'yes', effect: 'NoSchedule' }] });
    api.create('nodes', { metadata: { name: 'node-9' } });

    const image = await registry.push('demo/app', ['linux/amd64'], [3_000_000]);
    const { host, pathname } = new URL(image.url);
    const named = `${host}${pathname.replace('/v2', '').replace('/manifests/', ':')}`;
    const auth = Buffer.from(`${registryLogin.username}:${registryLogin.password}`).toString('base64');
    writeFileSync(directory.join('auth.json'), JSON.stringify({ auths: { [host]: { auth } } }));
    const root = await rootOf(manager);
    const { token } = await root.ok<{ token: string }>('POST', '/api/v1/personal-access-tokens', {
      name: 'preheater',
      scopes: ['job'],
      expired_at: '2099-01-01T00:00:00Z',
      user_id: 1,
    });
    writeFileSync(directory.join('token'), `${token}\n`);
    const weights = origin.add('/weights', { content: randomBytes(2_000_000) });
    const deployment = (name: string, inNamespace: string, annotations = {}): object => ({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace: inNamespace, annotations },
      spec: { template: { spec: { containers: [{ name: 'main', image: named }] } } },
    });
    api.create('deployments', { ...deployment('web', 'shop', { 'dragonfly.d7y.io/preheat-urls': weights }) });
    api.create('deployments', { ...deployment('web', 'plain') });

    let stop = new AbortController();
    const start = (): Promise<void> => {
      stop = new AbortController();
      const preheater = new Preheater({
        api: { url: new URL(api.url), tokenFile: undefined, caFile: undefined },
        manager: {
          url: new URL(`http://127.0.0.1:${manager.restPort}`),
          tokenFile: directory.join('token'),
          clusterId: undefined,
          registryAuthFile: directory.join('auth.json'),
        },
        daemons: { namespace, selector: 'app.kubernetes.io/component=client' },
        maxNodes: 10,
        logger: silentLogger,
      });
      return preheater.run(stop.signal);
    };
    let running = start();
    owned.defer(async () => {
      stop.abort();
      await running;
    });
    const told = (name: string): Told | undefined => api.get(`preheats/shop/deployment-${name}`)?.status as never;
    const ready = (name: string, count: string): Promise<unknown> =>
      waitFor(
        `${count} of ${name}`,
        () => {
          if (told(name)?.ready === count && told(name)?.conditions[0]?.status === 'True') return true;
          throw new Error(JSON.stringify(told(name)));
        },
        90_000,
      );
    const jobs = async (): Promise<number> => (await root.ok<unknown[]>('GET', '/api/v1/jobs?per_page=100')).length;

    await ready('web', '2/2');
    assert.deepEqual(
      told('web')?.nodes.map(({ name, state }) => [name, state]),
      [
        ['node-1', 'Holding'],
        ['node-2', 'Holding'],
        ['node-9', 'NoDaemon'],
      ],
    );
    assert.equal(api.get('preheats/plain/deployment-web'), undefined);
    const blobs = image.blobs['linux/amd64'] ?? [];
    for (const [node, holds] of Object.entries({ 'node-1': true, 'node-2': true, 'node-3': false })) {
      const store = createClient(
        DfdaemonLocalDefinition,
        swarm.channels,
        `unix:${swarm.directory.join(node, 'd.sock')}`,
      );
      const urls = new Set((await store.listStoredTasks({})).tasks.map(({ url }) => url));
      for (const url of [...blobs, weights]) assert.equal(urls.has(url), holds, `${node} ${url}`);
    }
    assert.equal(await jobs(), 2);

    // Another workload with the same content costs nothing; a node that comes gets what it lacks alone.
    api.create('deployments', { ...deployment('again', 'shop') });
    await ready('again', '2/2');
    assert.equal(await jobs(), 2);
    await addNode(4);
    await ready('web', '3/3');
    await ready('again', '3/3');
    assert.equal(await jobs(), 4);

    // Started anew, it knows what there is from what it has told.
    stop.abort();
    await running;
    const writes = api.writes.length;
    running = start();
    api.change('deployments/shop/again', (object) => {
      Object.assign(object.metadata, { annotations: { [optIn]: 'disabled' } });
    });
    await waitFor('the end of what nobody asks for', () => api.get('preheats/shop/deployment-again') === undefined);
    assert.deepEqual(api.writes.slice(writes), ['DELETE preheats/deployment-again']);
    assert.equal(await jobs(), 4);

    // What fails is told of the node, and of nobody else's.
    await registry.stopServing();
    api.create('deployments', {
      ...deployment('late', 'shop'),
      spec: { template: { spec: { containers: [{ image: `${host}/demo/none:v1` }] } } },
    });
    await waitFor('what failed', () => told('late')?.conditions[0]?.reason === 'Failed');
    assert.match(told('late')?.nodes[0]?.message ?? '', /demo\/none|registry|127\.0\.0\.1/);
    assert.equal(told('web')?.ready, '3/3');
  },
);

describe('where pods may land', () => {
  const node = (labels: object, taints: object[] = []): ReturnType<typeof clusterNodeSchema.parse> =>
    clusterNodeSchema.parse({ metadata: { name: 'node-1', labels }, spec: { taints } });
  const may = (placement: object, ...of: Parameters<typeof node>): boolean =>
    mayLandOn(placementSchema.parse(placement), node(...of));
  const required = (...terms: object[]): object => ({
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } } },
  });
  const expression = (key: string, operator: string, ...values: string[]): object => ({
    matchExpressions: [{ key, operator, values }],
  });

  test('selectors and terms: all of one term, one of all terms', () => {
    assert.equal(may({}, {}), true);
    assert.equal(may({ nodeName: 'node-2' }, {}), false);
    assert.equal(may({ nodeSelector: { pool: 'a' } }, { pool: 'a' }), true);
    assert.equal(may({ nodeSelector: { pool: 'a' } }, { pool: 'b' }), false);
    for (const [operator, values, found] of [
      ['In', ['a', 'b'], true],
      ['NotIn', ['a'], false],
      ['Exists', [], true],
      ['DoesNotExist', [], false],
    ] as const)
      assert.equal(may(required(expression('pool', operator, ...values)), { pool: 'a' }), found, operator);
    assert.equal(may(required(expression('pool', 'NotIn', 'a')), {}), true);
    assert.equal(may(required(expression('gpus', 'Gt', '3')), { gpus: '4' }), true);
    assert.equal(may(required(expression('gpus', 'Lt', '3')), { gpus: 'many' }), false);
    assert.equal(may(required(expression('pool', 'In', 'b'), expression('pool', 'Exists')), { pool: 'a' }), true);
    assert.equal(may(required({}), { pool: 'a' }), false);
    const field = { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['node-1'] }] };
    assert.equal(may(required(field), {}), true);
  });

  test('taints that are not tolerated keep them away, those that pass do not', () => {
    const gpu = { key: 'gpu', value: 'yes', effect: 'NoSchedule' };
    assert.equal(may({}, {}, [gpu]), false);
    assert.equal(may({ tolerations: [{ operator: 'Exists' }] }, {}, [gpu]), true);
    assert.equal(may({ tolerations: [{ key: 'gpu', value: 'yes' }] }, {}, [gpu]), true);
    assert.equal(may({ tolerations: [{ key: 'gpu', value: 'no' }] }, {}, [gpu]), false);
    assert.equal(may({ tolerations: [{ key: 'gpu', operator: 'Exists', effect: 'NoExecute' }] }, {}, [gpu]), false);
    assert.equal(may({}, {}, [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }]), true);
    assert.equal(may({}, {}, [{ key: 'gpu', effect: 'PreferNoSchedule' }]), true);
  });
});

test('images of all containers and volumes are wanted, by who has asked, and not of what another workload makes', () => {
  const spec = {
    template: {
      spec: {
        initContainers: [{ image: 'a' }],
        containers: [{ image: 'b' }, { image: 'a' }],
        volumes: [{ image: { reference: 'c' } }, { emptyDir: {} }],
        nodeSelector: { pool: 'x' },
      },
    },
  };
  const of = (kind: 'Job' | 'CronJob', metadata: object, labels = {}): { spec: { images: string[] } } | undefined =>
    preheatFor(
      parseWorkload(kind, {
        metadata: { name: 'n', namespace: 's', uid: 'u', ...metadata },
        spec: kind === 'CronJob' ? { jobTemplate: { spec } } : spec,
      }),
      labels,
    ) as never;
  assert.equal(of('Job', {}), undefined);
  assert.deepEqual(of('CronJob', {}, { [optIn]: 'enabled' })?.spec.images, ['a', 'b', 'c']);
  assert.ok(of('Job', { annotations: { [optIn]: 'enabled' } }));
  assert.equal(of('Job', { annotations: { [optIn]: 'disabled' } }, { [optIn]: 'enabled' }), undefined);
  assert.equal(of('Job', { ownerReferences: [{ controller: true }] }, { [optIn]: 'enabled' }), undefined);
});

test('a mistake is one sentence', async () => {
  const message = async (...argv: string[]): Promise<string> =>
    (await runTool(runPreheater, argv)).error?.message ?? '';
  const base = ['--token-file', '/t', '--namespace', 'n', '--kubernetes', 'http://127.0.0.1:1'];
  assert.match(await message(), /--manager/);
  assert.match(await message(...base, '--manager', 'x'), /not the URL of a manager/);
  assert.match(await message(...base, '--manager', 'http://m', '--max-nodes', '0'), /"0" does not fit --max-nodes/);
});
