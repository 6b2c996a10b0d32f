/** Content in a cluster and in a real object store, by dfstore: what is acknowledged when, and what is asked of the store. */
// needs: ceph-mon, ceph-osd, ceph, radosgw
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { runDfctl } from '../../src/cli/dfctl/dfctl.ts';
import { runDfstore } from '../../src/cli/dfstore/dfstore.ts';
import { runTool, type ToolRun } from '../cli/tool-io.ts';
import { CephGateway, cephMissing } from '../source/ceph-gateway.ts';
import { LocalSwarm } from '../support/local-swarm.ts';
import { makeRandomFile, type RandomFile } from '../support/random-file.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';
import { StoreRelay } from './store-relay.ts';

const mib = 2 ** 20;

class Lab implements AsyncDisposable {
  readonly swarm: LocalSwarm;
  readonly relay: StoreRelay;
  readonly #ceph: CephGateway;
  #outputs = 0;

  private constructor(swarm: LocalSwarm, relay: StoreRelay, store: CephGateway) {
    this.swarm = swarm;
    this.relay = relay;
    this.#ceph = store;
  }

  static async create(store: CephGateway, count: number): Promise<Lab> {
    const swarm = await LocalSwarm.create();
    await swarm.startScheduler(0, undefined, undefined, {
      heldHostGraceMs: 100,
      replicaLimits: { returnMs: 1_000, patienceMs: 1_000 },
    });
    for (let index = 0; index < count; index += 1) await swarm.startDaemon(`node-${index}`);
    return new Lab(swarm, await StoreRelay.start(store.endpoint), store);
  }

  /** @param words the command first. */
  dfstore(daemon: number, [verb = '', ...words]: readonly string[], key = this.#ceph.accessKeyId): Promise<ToolRun> {
    const storage = {
      endpoint: this.relay.endpoint,
      region: 'us-east-1',
      'access-key-id': key,
      'access-key-secret': this.#ceph.accessKeySecret,
    };
    const flags = Object.entries(storage).flatMap(([name, value]) => [`--storage-${name}`, value]);
    return runTool(runDfstore, [verb, ...flags, '-e', this.#socket(daemon), ...words]);
  }

  async import(daemon: number, { path }: RandomFile, url: string, ...words: string[]): Promise<void> {
    const { stdout, error } = await this.dfstore(daemon, ['import', path, '--url', url, ...words]);
    assert.equal(error, undefined);
    assert.equal(stdout.toString(), `Done: ${url}\n`);
  }

  /** SHA-256 of what `dfstore export` writes. */
  async exported(daemon: number, url: string, ...words: string[]): Promise<string> {
    const output = this.swarm.directory.join(`out-${(this.#outputs += 1)}`);
    const { error } = await this.dfstore(daemon, ['export', url, '-O', output, ...words]);
    if (error) throw error;
    return sha256(await readFile(output));
  }

  async stat(daemon: number, url: string): Promise<{ store: string; replicas: number }> {
    const { stdout, error } = await this.dfstore(daemon, ['stat', url, '--json']);
    if (error) throw error;
    const told = JSON.parse(stdout.toString()) as { store: string; currentPersistentReplicaCount: number };
    return { store: told.store, replicas: told.currentPersistentReplicaCount };
  }

  async listed(daemon: number): Promise<{ kept: { object: { state: string } }; uploadFailure: string }[]> {
    const { stdout } = await runTool(runDfctl, ['persistent-task', 'ls', '--json', '-e', this.#socket(daemon)]);
    const lines = stdout
      .toString()
      .split('\n')
      .filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line) as { kept: { object: { state: string } }; uploadFailure: string });
  }

  file(name: string, bytes: number): Promise<RandomFile> {
    return makeRandomFile(this.swarm.directory.join(name), bytes);
  }

  #socket(daemon: number): string {
    return join(this.swarm.directory.join(`node-${daemon}`), 'd.sock');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.swarm[Symbol.asyncDispose]();
    await this.relay[Symbol.asyncDispose]();
  }
}

describe('dfstore', { timeout: 600_000, skip: cephMissing }, () => {
  let directory: TemporaryDirectory;
  let store: CephGateway;
  before(async () => {
    directory = await temporaryDirectory('df-store-');
    store = await CephGateway.start(directory.path);
    await store.put('bucket');
  });
  after(async () => {
    await store[Symbol.asyncDispose]();
    await directory[Symbol.asyncDispose]();
  });

  test('write-through: the store has it, in parts and right, and the nodes give it to each other', async () => {
    await using lab = await Lab.create(store, 3);
    const { relay } = lab;
    const file = await lab.file('model', 21 * mib + 5);
    const url = 's3://bucket/through/model';
    await lab.import(0, file, url);
    assert.equal(relay.count('PUT', /partNumber=/), 3);
    assert.equal(relay.count('POST', /uploadId=/), 1);
    assert.equal(await sha256InStore(lab, 'through/model'), file.sha256);
    await waitFor('the second replica', async () => (await lab.stat(1, url)).replicas === 2);
    assert.equal((await lab.stat(1, url)).store, 'stored');
    const given = relay.given;
    for (const node of [1, 2]) assert.equal(await lab.exported(node, url), file.sha256);
    assert.equal(
      await lab.exported(2, url, '--transfer-from-dfdaemon', '--timeout', '1m', '--digest', `sha256:${file.sha256}`),
      file.sha256,
    );
    // Readers have asked whether they may have it.
    assert.ok(relay.given - given < 1000);
    // The same again is no error, and is not written again.
    await lab.import(1, file, url);
    assert.equal(relay.count('PUT', /partNumber=/), 3);
  });

  test('a short one goes by one request; an empty one as well', async () => {
    await using lab = await Lab.create(store, 1);
    for (const bytes of [0, 1000]) {
      const file = await lab.file(`f${bytes}`, bytes);
      await lab.import(0, file, `s3://bucket/short/${bytes}`);
      assert.equal(await sha256InStore(lab, `short/${bytes}`), file.sha256);
      assert.equal(await lab.exported(0, `s3://bucket/short/${bytes}`), file.sha256);
    }
    assert.equal(lab.relay.count('PUT', /./), 2);
  });

  test('what the store has under the name already stays', async () => {
    await using lab = await Lab.create(store, 2);
    await store.put('bucket/taken', Buffer.from('something else'));
    const file = await lab.file('f', 9 * mib);
    for (const write of ['through', 'back']) {
      const { error } = await lab.dfstore(0, ['import', file.path, '--url', 's3://bucket/taken', '--write', write]);
      assert.equal(error?.code, 'ALREADY_EXISTS');
    }
    assert.deepEqual(await lab.listed(0), []);
    assert.equal(lab.relay.count('PUT', /./) + lab.relay.count('POST', /./), 0);
    assert.equal(await lab.exported(1, 's3://bucket/taken'), sha256(Buffer.from('something else')));
  });

  test('somebody who writes the name at the same moment is not written over', async () => {
    await using lab = await Lab.create(store, 1);
    for (const [bytes, last] of [
      [1000, /raced/],
      [9 * mib, /partNumber=2/],
    ] as const) {
      const key = `raced-${bytes}`;
      const file = await lab.file(key, bytes);
      lab.relay.fate = async (method, target) => {
        if (method === 'PUT' && last.test(target)) await store.put(`bucket/${key}`, Buffer.from('faster'));
        return 'pass' as const;
      };
      const { error } = await lab.dfstore(0, ['import', file.path, '--url', `s3://bucket/${key}`]);
      assert.equal(error?.code, 'ALREADY_EXISTS', key);
      assert.equal(await sha256InStore(lab, key), sha256(Buffer.from('faster')));
    }
  });

  test('a key that the store does not know writes nothing and leaves nothing', async () => {
    await using lab = await Lab.create(store, 2);
    const file = await lab.file('f', 9 * mib);
    for (const write of ['through', 'back']) {
      const { error } = await lab.dfstore(
        0,
        ['import', file.path, '--url', 's3://bucket/none', '--write', write],
        'NOBODY',
      );
      assert.equal(error?.code, 'SOURCE_STATUS');
    }
    assert.deepEqual(await lab.listed(0), []);
    await assert.rejects(lab.stat(1, 's3://bucket/none'), { code: 'NOT_FOUND' });
  });

  test('write-back: done when two nodes have it; the store gets it when it comes back, once', async () => {
    await using lab = await Lab.create(store, 3);
    const { relay } = lab;
    const file = await lab.file('f', 17 * mib);
    const url = 's3://bucket/back/f';
    relay.open = false;
    await lab.import(0, file, url, '--write', 'back');
    assert.deepEqual(await lab.stat(1, url), { store: 'pending', replicas: 2 });
    await waitFor('the failure to be seen', async () =>
      /127\.0\.0\.1/.test((await lab.listed(0))[0]?.uploadFailure ?? ''),
    );
    // A restart forgets nothing.
    await lab.swarm.stopDaemon('node-0');
    await lab.swarm.startDaemon('node-0');
    assert.equal((await lab.listed(0))[0]?.kept.object.state, 'pending');
    relay.open = true;
    await waitFor('the store to have it', async () => (await lab.stat(1, url)).store === 'stored');
    assert.equal(await sha256InStore(lab, 'back/f'), file.sha256);
    assert.equal(relay.count('POST', /uploadId=/), 1);
    for (const node of [0, 1])
      await waitFor(`node ${node} to know`, async () =>
        (await lab.listed(node)).every(({ kept }) => kept.object.state === 'stored'),
      );
    assert.equal(await lab.exported(2, url), file.sha256);
  });

  test('replicas alone: no store is asked anything, and too few nodes are an error', async () => {
    await using lab = await Lab.create(store, 2);
    const file = await lab.file('f', 5 * mib);
    await lab.import(0, file, 's3://bucket/alone', '--write', 'replicas');
    assert.deepEqual(await lab.stat(1, 's3://bucket/alone'), { store: 'replicas', replicas: 2 });
    assert.equal(await lab.exported(1, 's3://bucket/alone'), file.sha256);
    assert.equal(lab.relay.asked.length, 0);
    const { error } = await lab.dfstore(0, [
      'import',
      file.path,
      '--url',
      's3://bucket/more',
      '--write',
      'replicas',
      '--persistent-replica-count',
      '3',
    ]);
    assert.equal(error?.code, 'RESOURCE_EXHAUSTED');
    await assert.rejects(lab.stat(1, 's3://bucket/more'), { code: 'NOT_FOUND' });
  });

  test('when the replicas are gone it comes from the store, once for the cluster', async () => {
    await using lab = await Lab.create(store, 4);
    const { relay } = lab;
    const file = await lab.file('f', 9 * mib);
    const url = 's3://bucket/gone';
    await lab.import(0, file, url, '--persistent-replica-count', '1');
    await lab.swarm.stopDaemon('node-0');
    const { given } = relay;
    const got = await Promise.all([1, 2, 3].map((node) => lab.exported(node, url)));
    assert.deepEqual(got, [file.sha256, file.sha256, file.sha256]);
    assert.ok(relay.given - given < file.sizeBytes + 1000, `the store has given ${relay.given - given} bytes`);
  });

  test('only whom the store gives it to may read it; without a word from the store nobody else', async () => {
    await using lab = await Lab.create(store, 2);
    const file = await lab.file('f', 5 * mib);
    await lab.import(0, file, 's3://bucket/private');
    const output = lab.swarm.directory.join('out');
    const { error } = await lab.dfstore(1, ['export', 's3://bucket/private', '-O', output], 'NOBODY');
    assert.equal(error?.code, 'PERMISSION_DENIED');
    const { error: none } = await lab.dfstore(1, ['export', 's3://bucket/nothing', '-O', output]);
    assert.equal(none?.code, 'NOT_FOUND');
  });

  test('an object that somebody else has written meanwhile is what readers get', async () => {
    await using lab = await Lab.create(store, 2);
    const file = await lab.file('f', 5 * mib);
    await lab.import(0, file, 's3://bucket/changed');
    await store.put('bucket/changed', Buffer.from('newer'));
    assert.equal(await lab.exported(1, 's3://bucket/changed'), sha256(Buffer.from('newer')));
  });

  test('rm deletes it from nodes and store, cp copies both ways', async () => {
    await using lab = await Lab.create(store, 2);
    const file = await lab.file('f', 5 * mib);
    const url = 's3://bucket/copied';
    const { error } = await lab.dfstore(0, ['cp', file.path, url]);
    assert.equal(error, undefined);
    const output = lab.swarm.directory.join('copy');
    await lab.dfstore(1, ['cp', url, output]);
    assert.equal(sha256(await readFile(output)), file.sha256);
    const { stdout } = await lab.dfstore(0, ['rm', url]);
    assert.equal(stdout.toString(), `removed ${url}\n`);
    assert.deepEqual(await lab.listed(0), []);
    assert.equal(lab.relay.count('DELETE', /copied/), 1);
    await assert.rejects(lab.exported(1, url), { code: 'NOT_FOUND' });
  });

  test('wrong use is told before anything happens', async () => {
    await using lab = await Lab.create(store, 1);
    const path = lab.swarm.directory.join('f');
    await writeFile(path, 'x');
    for (const words of [
      ['import', path],
      ['import', path, '--url', 'nonsense'],
      ['import', path, '--url', 's3://bucket/k', '--write', 'sideways'],
      ['import', path, '--url', 's3://bucket/k', '--ttl', '1m'],
      ['import', '/nowhere', '--url', 's3://bucket/k'],
      ['import', path, '--url', 's3://bucket/'],
      ['cp', path, path],
      ['export', 's3://bucket/k'],
    ])
      assert.equal((await lab.dfstore(0, words)).error?.code, 'INVALID_ARGUMENT', words.join(' '));
    const { error } = await lab.dfstore(0, ['import', path, '--url', 'abs://b/k']);
    assert.equal(error?.code, 'UNSUPPORTED');
    assert.equal(lab.relay.asked.length, 0);
  });
});

/** By the store's own answer to this test, not by way of the product. */
async function sha256InStore({ relay }: Lab, key: string): Promise<string> {
  const { emptyPayloadHash, signV4 } = await import('../../src/dfdaemon/source/sigv4.ts');
  const url = new URL(`${relay.endpoint}/bucket/${key}`);
  const header = { 'x-amz-content-sha256': emptyPayloadHash };
  const signing = { accessKeyId: 'AKIDTEST', secretAccessKey: 'a+secret/key', region: 'us-east-1', service: 's3' };
  const signed = await signV4({ method: 'GET', url, header, date: new Date() }, signing);
  const response = await fetch(url, { headers: signed, signal: AbortSignal.timeout(60_000) });
  const content = Buffer.from(await response.arrayBuffer());
  relay.asked.pop();
  return response.ok ? sha256(content) : `status ${response.status}`;
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
