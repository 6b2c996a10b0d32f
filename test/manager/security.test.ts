/** What went wrong elsewhere and must not here, by the name of the finding; those with a suite of their own stand there. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpsServer } from 'node:https';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { DragonflyError } from '../../src/core/errors.ts';
import { configNotes } from '../../src/manager/config.ts';
import { issueCertificates } from '../source/certificates.ts';
import { databaseConfig, eventually } from './support/engines.ts';
import { rootOf, startManager, testConfig } from './support/manager-fixture.ts';

interface Job {
  readonly id: number;
  readonly state: string;
  readonly result: { readonly job_states: readonly { readonly error: string }[] } | null;
}

const inMemory = () => databaseConfig({ sqlite: { path: ':memory:' } });

describe('security', () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'manager-security-'));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  /** What a preheat of an image says that ends in failure. */
  async function preheatError(url: string, preheat: object): Promise<string> {
    await using manager = await startManager(inMemory(), {
      job: { preheat: { allowCIDRs: ['127.0.0.0/8'], ...preheat } },
    });
    const root = await rootOf(manager);
    const { id } = await root.ok<Job>('POST', '/api/v1/jobs', { type: 'preheat', args: { type: 'image', url } });
    return await eventually(async () => {
      const { state, result } = await root.ok<Job>('GET', `/api/v1/jobs/${id}`);
      assert.equal(state, 'FAILURE');
      return result?.job_states[0]?.error ?? '';
    }, 30_000);
  }

  test('DF2-3 a registry with a certificate nobody vouches for is refused, unless its authority or its host is configured', async () => {
    const { ca, cert, key } = await issueCertificates([{ type: 'ip', value: '127.0.0.1' }]);
    const manifest = JSON.stringify({
      schemaVersion: 2,
      config: { mediaType: 'x', digest: `sha256:${'a'.repeat(64)}`, size: 1 },
      layers: [],
    });
    const registry = createHttpsServer({ cert, key }, (_request, response) => response.end(manifest));
    registry.listen(0, '127.0.0.1');
    await once(registry, 'listening');
    try {
      const { port } = registry.address() as AddressInfo;
      const url = `https://127.0.0.1:${port}/v2/team/app/manifests/v1`;
      assert.match(await preheatError(url, {}), /certificate/);
      // Trusted, it gets as far as looking for nodes.
      assert.match(await preheatError(url, { tls: { caCert: ca } }), /no cluster has an active scheduler/);
      assert.match(await preheatError(url, { insecureHosts: ['127.0.0.1'] }), /no cluster has an active scheduler/);
      assert.match(await preheatError(url, { insecureHosts: ['127.0.0.2'] }), /certificate/);
    } finally {
      registry.closeAllConnections();
      registry.close();
    }
  });

  test('D-1 certificates that cannot be used end the start; nothing falls back to plain text', async () => {
    const [caCert, cert, key] = ['ca.pem', 'cert.pem', 'key.pem'].map((name) => join(directory, name)) as [
      string,
      string,
      string,
    ];
    const tls = { server: { grpc: { listenIP: '127.0.0.1', port: { start: 0 }, tls: { caCert, cert, key } } } };
    await assert.rejects(startManager(inMemory(), tls), { code: 'ENOENT' });
    for (const path of [caCert, cert, key]) await writeFile(path, 'not a certificate');
    await assert.rejects(
      startManager(inMemory(), tls),
      (error) => error instanceof DragonflyError && error.code === 'CONFIG_INVALID',
    );
  });

  test('D-5 there is no job queue beside the database: a configured Redis is named in a note and never connected to', async () => {
    let connections = 0;
    const redis = createServer(() => (connections += 1));
    redis.listen(0, '127.0.0.1');
    await once(redis, 'listening');
    try {
      const { port } = redis.address() as AddressInfo;
      const database = databaseConfig({
        sqlite: { path: ':memory:' },
        redis: { addrs: [`127.0.0.1:${port}`], password: 'dragonfly' },
      });
      assert.ok(configNotes(testConfig(database)).some((note) => note.startsWith('database.redis is ignored')));
      await using manager = await startManager(database);
      const root = await rootOf(manager);
      const gc = await root.ok<Job>('POST', '/api/v1/jobs', { type: 'gc', args: { type: 'job' } });
      assert.equal(gc.state, 'SUCCESS');
      assert.equal(connections, 0);
    } finally {
      redis.close();
    }
  });
});
