/** Two managers over one database server, one of them killed in the middle of things; behind a load balancer and without. */
// needs: postgres, initdb, mariadbd, mariadb-install-db, haproxy
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { programExists } from '../../scripts/debian-packages.ts';
import { ManagerDefinition, SourceType } from '../../gen/manager/v2/manager.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { LocalSwarm } from '../support/local-swarm.ts';
import { engineKinds, eventually, type EngineKind, type TestEngine } from './support/engines.ts';
import { TestClient } from './support/grpc-client.ts';
import { LoadBalancer } from './support/load-balancer.ts';
import { rootPassword } from './support/manager-fixture.ts';
import { startReplicas, type Replica, type ReplicaPair } from './support/replica-pair.ts';
import { RestClient } from './support/rest-client.ts';

const writes = 100;
const deadlineMs = 60_000;
const missingBalancer = programExists('haproxy') ? false : 'haproxy is not installed';

interface Job {
  readonly id: number;
  readonly state: string;
  readonly progress: { readonly total: number; readonly running: number };
  readonly result: { readonly job_states: readonly { readonly error: string }[] } | null;
}

// Mostly waiting for leases to expire: both engines at once.
describe('replicas', { concurrency: true }, () => {
  for (const kind of engineKinds.filter(({ name }) => name !== 'sqlite')) {
    describe(`on ${kind.name}`, { skip: kind.missing || missingBalancer, concurrency: 1 }, () => replicaSuite(kind));
  }
});

function replicaSuite(kind: EngineKind): void {
  let engine: TestEngine;
  let pair: ReplicaPair;
  let origin: HttpOrigin;
  let drip: NodeJS.Timeout | undefined;
  before(async () => {
    engine = await kind.start();
    pair = await startReplicas(await engine.newDatabase(), '5s');
    origin = await HttpOrigin.start();
  });
  after(async () => {
    clearInterval(drip);
    await pair[Symbol.asyncDispose]();
    await origin[Symbol.asyncDispose]();
    await engine[Symbol.asyncDispose]();
  });

  /** Writes everything once; whoever asks tries again at the next address until one of them took it. */
  async function writeAll(clients: readonly RestClient[], prefix: string): Promise<void> {
    const write = async (index: number): Promise<void> => {
      let turn = index;
      const body = { name: `${prefix}${index}`, value: 'v', user_id: 1 };
      await eventually(async () => {
        const client = clients[turn % clients.length] as RestClient;
        turn += 1;
        const { status } = await client.request('POST', '/api/v1/configs', body);
        // The answer to the write before may have been lost on the way.
        assert.ok(status === 200 || status === 409, `${status}`);
      }, deadlineMs);
    };
    await Promise.all(Array.from({ length: writes }, (_, index) => write(index)));
  }

  async function requireAll(client: RestClient, prefix: string): Promise<void> {
    const rows = await client.ok<{ name: string }[]>('GET', `/api/v1/configs?search=${prefix}&per_page=1000`);
    const expected = Array.from({ length: writes }, (_, index) => `${prefix}${index}`);
    assert.deepEqual(rows.map(({ name }) => name).toSorted(), expected.toSorted());
  }

  /** A preheat whose origin only drips after the first megabyte: one that stands still for long would be asked anew. */
  async function beginPreheat(client: RestClient, path: string): Promise<number> {
    const url = origin.add(path, { content: randomBytes(8_000_000), gated: true });
    origin.release(path, 1_000_000);
    drip = setInterval(() => origin.release(path, 1_000), 500);
    const { id } = await eventually(
      () => client.ok<Job>('POST', '/api/v1/jobs', { type: 'preheat', args: { type: 'file', url } }),
      deadlineMs,
    );
    await eventually(async () => {
      const { progress } = await client.ok<Job>('GET', `/api/v1/jobs/${id}`);
      assert.equal(progress.running, 1);
    }, deadlineMs);
    return id;
  }

  function finishOrigin(path: string): void {
    clearInterval(drip);
    origin.release(path, Infinity);
  }

  async function requirePreheated(client: RestClient, id: number, path: string): Promise<void> {
    const job = await eventually(async () => {
      const found = await client.ok<Job>('GET', `/api/v1/jobs/${id}`);
      assert.notEqual(found.state, 'PENDING');
      return found;
    }, deadlineMs);
    assert.equal(job.state, 'SUCCESS', job.result?.job_states[0]?.error);
    assert.equal(job.progress.total, 1, 'one node, one URL');
    assert.equal(origin.requestsFor(path).length, 1, 'the origin was asked once');
  }

  async function stateOf(client: RestClient, hostname: string): Promise<string | undefined> {
    const rows = await client.ok<{ state: string }[]>('GET', `/api/v1/schedulers?host_name=${hostname}`);
    return rows[0]?.state;
  }

  async function requireState(client: RestClient, hostname: string, state: string): Promise<void> {
    await eventually(async () => assert.equal(await stateOf(client, hostname), state), deadlineMs);
  }

  /** A scheduler that keeps alive at this replica alone and has nowhere else to go. */
  async function pinned(replica: Replica, hostname: string): Promise<Disposable> {
    const client = new TestClient(ManagerDefinition, replica.grpcPort);
    const member = { sourceType: SourceType.SCHEDULER_SOURCE, hostname, ip: '127.0.0.9' };
    const place = { port: 8002, schedulerClusterId: 1, features: ['preheat'], config: new Uint8Array() };
    await client.call('updateScheduler', { ...member, ...place });
    const { stream } = client.stream('keepAlive');
    stream.on('error', () => undefined);
    const beat = (): boolean => stream.write({ ...member, clusterId: 1 });
    beat();
    const timer = setInterval(beat, 500);
    return {
      [Symbol.dispose]: () => {
        clearInterval(timer);
        stream.cancel();
        client[Symbol.dispose]();
      },
    };
  }

  /** A scheduler and a seed peer that reach the managers at these addresses. */
  async function startMembers(managers: readonly string[]): Promise<LocalSwarm> {
    const swarm = await LocalSwarm.create();
    await swarm.startScheduler(0, `{addr: "${managers.join(',')}", keepAlive: {interval: 500ms}}`);
    await swarm.startDaemon('seed-1', { seed: true });
    return swarm;
  }

  for (const victim of [0, 1] as const) {
    test(`G12 G23 behind haproxy, replica ${victim} is killed during ${writes} writes and a preheat: nothing lost, nothing twice`, async () => {
      await using balancer = await LoadBalancer.start(pair.directory, pair.replicas);
      const [doomed, survivor] = [pair.replicas[victim], pair.replicas[1 - victim] as Replica];
      await using swarm = await startMembers([`127.0.0.1:${balancer.grpcPort}`]);
      assert.equal(swarm.schedulerAddresses.length, 1);
      const client = await new RestClient(balancer.restPort).signIn('root', rootPassword);
      const direct = await new RestClient(survivor.restPort).signIn('root', rootPassword);
      using _lonely = await pinned(doomed, 'lonely');
      await requireState(direct, 'lonely', 'active');
      await requireState(direct, 'scheduler-0', 'active');
      const path = `/blob-${victim}`;
      const id = await beginPreheat(client, path);

      const written = writeAll([client], `b${victim}-`);
      await doomed.kill();
      finishOrigin(path);
      await written;
      await requireAll(direct, `b${victim}-`);
      await requireState(direct, 'lonely', 'inactive');
      await requireState(direct, 'scheduler-0', 'active');
      await requirePreheated(client, id, path);
      await doomed.start();
    });
  }

  test('G12 without a load balancer, those who know both addresses carry on', async () => {
    const [doomed] = pair.replicas;
    await using swarm = await startMembers(pair.replicas.map(({ grpcPort }) => `127.0.0.1:${grpcPort}`));
    assert.equal(swarm.schedulerAddresses.length, 1);
    const clients = await Promise.all(
      pair.replicas.map(({ restPort }) => new RestClient(restPort).signIn('root', rootPassword)),
    );
    const [first, second] = clients as [RestClient, RestClient];
    await requireState(second, 'scheduler-0', 'active');
    const id = await beginPreheat(first, '/blob-both');
    const written = writeAll(clients, 'n-');
    await doomed.kill();
    finishOrigin('/blob-both');
    await written;
    await requireAll(second, 'n-');
    await requireState(second, 'scheduler-0', 'active');
    await requirePreheated(second, id, '/blob-both');
  });
}
