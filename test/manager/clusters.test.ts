/** Several clusters under one manager: daemons find theirs, peers never cross, and what the operator changes reaches them. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { after, before, describe, test } from 'node:test';
import type { ManagerService } from '../../src/manager/manager-service.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { LocalSwarm, type Daemon } from '../support/local-swarm.ts';
import { databaseConfig, eventually } from './support/engines.ts';
import { rootOf, startManager } from './support/manager-fixture.ts';
import type { RestClient } from './support/rest-client.ts';

const deadlineMs = 30_000;

describe('clusters', () => {
  let manager: ManagerService;
  let root: RestClient;
  let swarm: LocalSwarm;
  let origin: HttpOrigin;
  let edge: number;

  before(async () => {
    manager = await startManager(databaseConfig({ sqlite: { path: ':memory:' } }));
    root = await rootOf(manager);
    origin = await HttpOrigin.start();
    swarm = await LocalSwarm.create();
    ({ id: edge } = await root.ok<{ id: number }>('POST', '/api/v1/clusters', {
      name: 'edge',
      scopes: { idc: 'edge' },
      scheduler_cluster_config: {},
      seed_peer_cluster_config: {},
      peer_cluster_config: {},
    }));
    const section = (clusterId: number): string =>
      `{addr: "127.0.0.1:${manager.grpcPort}", schedulerClusterID: ${clusterId}, keepAlive: {interval: 500ms}}`;
    await swarm.startScheduler(0, section(1));
    await swarm.startScheduler(0, section(edge));
  });
  after(async () => {
    await swarm[Symbol.asyncDispose]();
    await manager[Symbol.asyncDispose]();
    await origin[Symbol.asyncDispose]();
  });

  function join(name: string, place: { readonly idc?: string; readonly schedulerClusterID?: number }): Promise<Daemon> {
    return swarm.startDaemon(name, {
      schedulers: [],
      adjust: (config) => ({
        ...config,
        host: { ...config.host, ...place },
        scheduler: {
          ...config.scheduler,
          manager: {
            ...config.scheduler.manager,
            enable: true,
            netAddrs: [{ type: 'tcp' as const, addr: `127.0.0.1:${manager.grpcPort}` }],
          },
        },
      }),
    });
  }

  function refused(daemon: Daemon, url: string): Promise<void> {
    return eventually(async () => {
      await assert.rejects(swarm.download(daemon, { url }), { code: 'PERMISSION_DENIED', message: /are blocked/ });
    }, deadlineMs);
  }

  /** Status of the answer, as a client gets it that is configured to use the proxy. */
  async function throughProxy(daemon: Daemon, url: string): Promise<number> {
    const [host, port] = (daemon.service.addresses['proxy'] ?? '').split(':');
    const headers = { host: new URL(url).host, 'x-dragonfly-use-p2p': 'true' };
    const [answer] = (await once(request({ host, port, path: url, headers }).end(), 'response')) as [IncomingMessage];
    answer.resume();
    return answer.statusCode ?? 0;
  }

  test('G9 G10 each daemon joins its own cluster, and no piece crosses to another', async () => {
    const inFirst = [await join('first-1', {}), await join('first-2', { idc: 'elsewhere' })] as const;
    const inEdge = [await join('edge-1', { idc: 'EDGE' }), await join('edge-2', { schedulerClusterID: edge })] as const;
    const content = randomBytes(300_000);
    const url = origin.add('/shared', { content });
    const parents = new Map<string, string[]>();
    for (const daemon of [...inFirst, ...inEdge]) {
      const receipt = await swarm.download(daemon, { url });
      parents.set(
        daemon.name,
        receipt.parents.map(({ hostName }) => hostName),
      );
    }
    assert.deepEqual(Object.fromEntries(parents), {
      'first-1': [],
      'first-2': ['first-1'],
      'edge-1': [],
      'edge-2': ['edge-1'],
    });
    assert.equal(origin.requests.filter(({ path }) => path === '/shared').length, 2, 'once for each cluster');
  });

  test('a block list reaches the daemons of its cluster within seconds, and holds with the manager gone', async () => {
    const [edgeDaemon, firstDaemon] = [await join('edge-3', { idc: 'edge' }), await join('first-3', {})];
    const url = origin.add('/blocked', { content: randomBytes(10_000) });
    await root.ok('PATCH', `/api/v1/clusters/${edge}`, {
      peer_cluster_config: { block_list: { task: { download: { urls: ['/blocked$'], applications: ['games'] } } } },
    });
    await refused(edgeDaemon, url);
    await assert.rejects(swarm.download(edgeDaemon, { url: `${url}er`, application: 'games' }), {
      code: 'PERMISSION_DENIED',
    });
    assert.ok(await swarm.download(firstDaemon, { url }), 'the other cluster does not block it');
    assert.equal(await throughProxy(edgeDaemon, url), 403);
    assert.equal(await throughProxy(firstDaemon, url), 200);

    await swarm.stopDaemon('edge-3');
    await manager[Symbol.asyncDispose]();
    const again = await join('edge-3', { idc: 'edge' });
    await refused(again, url);
    const other = origin.add('/allowed', { content: randomBytes(10_000) });
    assert.ok(await swarm.download(again, { url: other }));
  });
});
