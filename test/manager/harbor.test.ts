/** The calls of Harbor's preheat provider, byte for byte as its HTTP client sends them, and what it reads in the answers. */
// needs: docker-registry, openssl
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { programExists } from '../../scripts/debian-packages.ts';
import type { ManagerService } from '../../src/manager/manager-service.ts';
import { databaseConfig, eventually } from './support/engines.ts';
import { rootOf, startManager } from './support/manager-fixture.ts';
import { startSwarm, type RegisteredSwarm } from './support/registered-swarm.ts';
import { TokenRegistry } from './support/token-registry.ts';

/** Names in the answers as Harbor decodes them: without regard to case. */
interface OldTask {
  readonly id: string;
  readonly status: string;
  readonly startTime: string;
  readonly finishTime: string;
  readonly errorMsg: string;
}

interface PolledJob {
  readonly id: number;
  readonly created_at: string;
  readonly updated_at: string;
  readonly state: string;
  readonly result: {
    readonly job_states: readonly {
      readonly error: string;
      readonly results: readonly {
        readonly success_tasks: readonly { readonly url: string; readonly hostname: string; readonly ip: string }[];
        readonly failure_tasks: readonly object[] | null;
        readonly scheduler_cluster_id: number;
      }[];
    }[];
  } | null;
}

describe('Harbor', { skip: programExists('docker-registry') ? false : 'docker-registry is not installed' }, () => {
  let registry: TokenRegistry;
  let manager: ManagerService;
  let registered: RegisteredSwarm;
  let token: string;

  before(async () => {
    registry = await TokenRegistry.start();
    manager = await startManager(databaseConfig({ sqlite: { path: ':memory:' } }), {
      job: { preheat: { allowCIDRs: ['127.0.0.0/8'] } },
    });
    registered = await startSwarm(manager, ['seed-1', 'peer-1']);
    const body = { name: 'harbor', scopes: ['job'], expired_at: '2099-01-01T00:00:00Z' };
    const root = await rootOf(manager);
    ({ token } = await root.ok<{ token: string }>('POST', '/api/v1/personal-access-tokens', body));
  });
  after(async () => {
    await registered[Symbol.asyncDispose]();
    await manager[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
  });

  /** A request of Go's client with the provider's headers, in the order in which it writes them. */
  async function send(method: string, path: string, body?: string): Promise<{ status: number; body: string }> {
    const lines = [
      `${method} ${path} HTTP/1.1`,
      `Host: 127.0.0.1:${manager.restPort}`,
      'User-Agent: Go-http-client/1.1',
      ...(body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]),
      'Accept: application/json',
      `Authorization: Bearer ${token}`,
      'Content-Type: application/json',
      'Accept-Encoding: gzip',
    ];
    const socket = connect(manager.restPort, '127.0.0.1');
    socket.setTimeout(30_000, () => socket.destroy(new Error('no answer')));
    socket.write(`${lines.join('\r\n')}\r\n\r\n${body ?? ''}`);
    let answer = Buffer.alloc(0);
    for await (const block of socket as AsyncIterable<Buffer>) {
      answer = Buffer.concat([answer, block]);
      const headEnd = answer.indexOf('\r\n\r\n');
      if (headEnd === -1) continue;
      const head = answer.subarray(0, headEnd).toString();
      assert.doesNotMatch(head, /transfer-encoding|content-encoding/i);
      const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? '0');
      const content = answer.subarray(headEnd + 4);
      if (content.length < length) continue;
      return { status: Number(head.split(' ')[1]), body: content.subarray(0, length).toString() };
    }
    throw new Error('the connection ended before the answer did');
  }

  async function ok<T>(method: string, path: string, body?: string): Promise<T> {
    const answer = await send(method, path, body);
    assert.equal(answer.status, 200, `${method} ${path}: ${answer.body}`);
    return JSON.parse(answer.body) as T;
  }

  /** Exactly what its driver marshals: empty texts, zeros and null stand for "not set". */
  function newJob(url: string, registryToken: string, scope = '', clusterIds = 'null'): string {
    return `{"type":"preheat","args":{"type":"image","url":"${url}","tag":"","filtered_query_params":"","headers":{"Authorization":"Bearer ${registryToken}"},"scope":"${scope}","concurrent_count":0,"timeout":0},"scheduler_cluster_ids":${clusterIds}}`;
  }

  async function polled(id: number): Promise<PolledJob> {
    return eventually(async () => {
      const job = await ok<PolledJob>('GET', `/oapi/v1/jobs/${id}`);
      assert.notEqual(job.state, 'PENDING');
      return job;
    }, 60_000);
  }

  test('2.12 and later: healthy, a job, its state and the table of what was fetched', async () => {
    assert.equal((await send('GET', '/healthy')).status, 200);
    const image = await registry.push('harbor/app', ['linux/amd64', 'linux/arm64'], [500_000, 20_000]);
    for (const [scope, clusters, hosts] of [
      ['', 'null', ['seed-1']],
      ['all_peers', '[1]', ['peer-1', 'seed-1']],
    ] as const) {
      const registryToken = await registry.pullToken('harbor/app');
      const created = await ok<PolledJob>('POST', '/oapi/v1/jobs', newJob(image.url, registryToken, scope, clusters));
      assert.ok(Number.isSafeInteger(created.id));
      // RFC 3339, or its decoder gives up on the whole answer.
      for (const time of [created.created_at, created.updated_at])
        assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/);
      assert.equal(created.state, 'PENDING');
      const job = await polled(created.id);
      assert.equal(job.state, 'SUCCESS', job.result?.job_states[0]?.error);
      const results = job.result?.job_states.flatMap((state) => state.results) ?? [];
      const fetched = results.flatMap((result) => result.success_tasks);
      assert.deepEqual([...new Set(fetched.map(({ hostname }) => hostname))].toSorted(), hosts);
      const blobs = new Set(fetched.map(({ url }) => url).filter((url) => url.includes('/blobs/')));
      assert.deepEqual([...blobs].toSorted(), [...(image.blobs['linux/amd64'] ?? [])].toSorted());
      assert.ok(fetched.every(({ ip }) => ip === '127.0.0.1'));
      assert.ok(results.every((result) => result.scheduler_cluster_id === 1));
    }
  });

  test('2.12 and later: a job that fails says why', async () => {
    const url = `${registry.url}/v2/harbor/none/manifests/v1`;
    const { id } = await ok<PolledJob>('POST', '/oapi/v1/jobs', newJob(url, await registry.pullToken('harbor/none')));
    const job = await polled(id);
    assert.equal(job.state, 'FAILURE');
    assert.match(job.result?.job_states.map((state) => state.error).join() ?? '', /404/);
  });

  test('before 2.12: ping, preheat and its state', async () => {
    assert.equal((await send('GET', '/_ping')).status, 200);
    const image = await registry.push('harbor/old', ['linux/amd64'], [100_000]);
    const registryToken = await registry.pullToken('harbor/old');
    const body = `{"type":"image","url":"${image.url}","headers":{"Authorization":"Bearer ${registryToken}"},"image":"harbor/old","tag":"latest","digest":"sha256:${'a'.repeat(64)}"}`;
    const { id } = await ok<{ id: string }>('POST', '/preheats', body);
    assert.match(id, /^\d+$/);
    const task = await eventually(async () => {
      const found = await ok<OldTask>('GET', `/preheats/${id}`);
      assert.ok(!['WAITING', 'RUNNING'].includes(found.status));
      return found;
    }, 60_000);
    assert.equal(task.status, 'SUCCESS', task.errorMsg);
    assert.equal(task.id, id);
    assert.ok(Date.parse(task.finishTime) >= Date.parse(task.startTime));
  });
});
