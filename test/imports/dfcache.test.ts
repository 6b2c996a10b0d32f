/** Files put into a cluster to stay, by dfcache, against a scheduler and daemons on real ports and disks. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { runDfcache } from '../../src/cli/dfcache/dfcache.ts';
import { LocalSwarm, type Daemon } from '../support/local-swarm.ts';
import { makeRandomFile, type RandomFile } from '../support/random-file.ts';
import { waitFor } from '../support/wait-for.ts';
import { runTool, type ToolRun } from '../cli/tool-io.ts';

const mib = 2 ** 20;

interface Lab extends AsyncDisposable {
  readonly swarm: LocalSwarm;
  readonly daemons: readonly Daemon[];
  readonly scheduler: string;
  dfcache(daemon: number, ...words: string[]): Promise<ToolRun>;
  import(daemon: number, file: RandomFile, ...words: string[]): Promise<string>;
  /** SHA-256 of what `dfcache export` writes. */
  exported(daemon: number, taskId: string, ...words: string[]): Promise<string>;
  replicas(daemon: number, taskId: string): Promise<{ persistent: number; all: number }>;
  file(name: string, bytes: number): Promise<RandomFile>;
}

async function lab(count: number, limits = { returnMs: 1_000, patienceMs: 1_000 }): Promise<Lab> {
  const swarm = await LocalSwarm.create();
  const scheduler = await swarm.startScheduler(0, undefined, undefined, {
    heldHostGraceMs: 100,
    replicaLimits: limits,
  });
  const daemons = await Promise.all(Array.from({ length: count }, (_, index) => swarm.startDaemon(`node-${index}`)));
  const names: string[] = [];
  const self: Lab = {
    swarm,
    daemons,
    scheduler,
    dfcache: (daemon, ...words) =>
      runTool(runDfcache, [...words, '-e', join(swarm.directory.join(`node-${daemon}`), 'd.sock')]),
    import: async (daemon, { path }, ...words) => {
      const { stdout, error } = await self.dfcache(daemon, 'import', path, ...words);
      assert.equal(error, undefined);
      return /^Done: ([0-9a-f]{64})\n$/.exec(stdout.toString())?.[1] ?? assert.fail(stdout.toString());
    },
    exported: async (daemon, taskId, ...words) => {
      const output = swarm.directory.join(`out-${names.push('') - 1}`);
      const { error } = await self.dfcache(daemon, 'export', taskId, '-O', output, ...words);
      if (error) throw error;
      return createHash('sha256')
        .update(await readFile(output))
        .digest('hex');
    },
    replicas: async (daemon, taskId) => {
      const { stdout, error } = await self.dfcache(daemon, 'stat', taskId, '--json');
      if (error) throw error;
      const told = JSON.parse(stdout.toString()) as Record<string, number>;
      return { persistent: told['currentPersistentReplicaCount'] ?? 0, all: told['currentReplicaCount'] ?? 0 };
    },
    file: async (name, bytes) => makeRandomFile(swarm.directory.join(name), bytes),
    [Symbol.asyncDispose]: () => swarm[Symbol.asyncDispose](),
  };
  return self;
}

function idOf(content: Buffer, behind: string): string {
  return createHash('sha256').update(content).update(`${behind}PERSISTENT_CACHE`).digest('hex');
}

describe('dfcache', { timeout: 180_000 }, () => {
  test('a file goes in once, is acknowledged when two nodes hold it, and comes out on a third', async () => {
    await using cluster = await lab(3);
    const file = await cluster.file('model', 9 * mib + 17);
    const taskId = await cluster.import(0, file);
    assert.equal(taskId, idOf(await readFile(file.path), ''));
    assert.deepEqual(await cluster.replicas(1, taskId), { persistent: 2, all: 2 });
    assert.equal(await cluster.exported(2, taskId), file.sha256);
    assert.equal(
      await cluster.exported(2, taskId, '--transfer-from-dfdaemon', '--digest', `sha256:${file.sha256}`),
      file.sha256,
    );
    await waitFor('the copy in the cache to be known', async () => (await cluster.replicas(1, taskId)).all === 3);
    const { stdout } = await cluster.dfcache(0, 'stat', taskId);
    assert.match(stdout.toString(), /^ID +STATE[^\n]+\n[0-9a-f]{64} +Succeeded +9\.0 MiB +4\.0 MiB +2\/2 +3 +1h0m /);
  });

  test('tag, application and piece length are part of the id, a text takes the place of all', async () => {
    await using cluster = await lab(1);
    const file = await cluster.file('f', 1000);
    const content = await readFile(file.path);
    const one = ['--persistent-replica-count', '1'];
    const words = ['--tag', 't', '--application', 'a', '--piece-length', '8MiB'];
    assert.equal(await cluster.import(0, file, ...one, ...words), idOf(content, 'ta8388608'));
    const named = await cluster.import(0, file, ...one, '--content-for-calculating-task-id', 'weights@7');
    assert.equal(named, createHash('sha256').update('weights@7').digest('hex'));
    const { error } = await cluster.dfcache(
      0,
      'import',
      file.path,
      '--content-for-calculating-task-id',
      'http://a/bSTANDARD',
    );
    assert.equal(error?.code, 'INVALID_ARGUMENT');
  });

  test('an empty file, and one of exactly two pieces', async () => {
    await using cluster = await lab(2);
    for (const bytes of [0, 8 * mib]) {
      const file = await cluster.file(`f${bytes}`, bytes);
      const taskId = await cluster.import(0, file);
      await cluster.swarm.stopDaemon('node-0');
      assert.equal(await cluster.exported(1, taskId), file.sha256);
      await cluster.swarm.startDaemon('node-0');
    }
  });

  test('where there are too few nodes nothing is acknowledged, and nothing left', async () => {
    await using cluster = await lab(2);
    const file = await cluster.file('f', 5 * mib);
    const { error } = await cluster.dfcache(0, 'import', file.path, '--persistent-replica-count', '3');
    assert.equal(error?.code, 'RESOURCE_EXHAUSTED');
    assert.match(error.message, /only 2 of the hosts/);
    const taskId = idOf(await readFile(file.path), '');
    await waitFor('both nodes to be empty', async () => {
      const held = await Promise.all(cluster.daemons.map((daemon) => cluster.swarm.client(daemon).listLocalTasks({})));
      return held.every(({ tasks }) => tasks.length === 0);
    });
    await assert.rejects(cluster.exported(1, taskId), { code: 'NOT_FOUND' });
    assert.deepEqual(await readdir(cluster.swarm.directory.join('node-0/data/incoming')), []);
  });

  test('when a holder dies its replica is made elsewhere; the importer may be gone as well', async () => {
    await using cluster = await lab(4);
    const file = await cluster.file('f', 9 * mib);
    const taskId = await cluster.import(0, file);
    await cluster.swarm.stopDaemon('node-0');
    await waitFor('a second replica', async () => (await cluster.replicas(1, taskId)).persistent === 2);
    assert.equal(await cluster.exported(3, taskId), file.sha256);
  });

  test('a scheduler that has forgotten everything hears of it from the holders', async () => {
    await using cluster = await lab(3);
    const file = await cluster.file('f', 5 * mib);
    const taskId = await cluster.import(0, file, '--ttl', '2h');
    await cluster.swarm.stopScheduler(cluster.scheduler);
    await cluster.swarm.startScheduler(Number(cluster.scheduler.split(':')[1]));
    const { persistent } = await waitFor('both holders to tell', async () => {
      const told = await cluster.replicas(2, taskId);
      return told.persistent === 2 && told;
    });
    assert.equal(persistent, 2);
    const { stdout } = await cluster.dfcache(2, 'stat', taskId, '--json');
    const { ttl, owner, digest } = JSON.parse(stdout.toString()) as Record<string, unknown>;
    assert.deepEqual({ ttl, digest }, { ttl: { seconds: 7200, nanos: 0 }, digest: `sha256:${file.sha256}` });
    assert.match(String(owner), /^\d+@127\.0\.0\.1-node-0$/);
    assert.equal(await cluster.exported(2, taskId), file.sha256);
  });

  test('a node that starts again still holds it, and its collector does not take it', async () => {
    await using cluster = await lab(2);
    const file = await cluster.file('f', 5 * mib);
    const taskId = await cluster.import(0, file);
    await cluster.swarm.stopDaemon('node-0');
    await cluster.swarm.stopDaemon('node-1');
    for (const name of ['node-0', 'node-1'])
      await cluster.swarm.startDaemon(name, { yaml: 'storage: {diskGCThreshold: 1MiB, taskExpireTime: 1ms}' });
    await waitFor('both', async () => (await cluster.replicas(0, taskId)).persistent === 2);
    const { error } = await cluster.dfcache(0, 'import', (await cluster.file('g', 2 * mib)).path);
    assert.equal(error?.code, 'NO_SPACE');
    assert.equal(await cluster.exported(1, taskId), file.sha256);
  });

  test('the same content again is no error, other content under the same text is', async () => {
    await using cluster = await lab(3);
    const file = await cluster.file('f', 5 * mib);
    const words = ['--content-for-calculating-task-id', 'x'];
    const taskId = await cluster.import(0, file, ...words);
    assert.equal(await cluster.import(2, file, ...words), taskId);
    assert.deepEqual(await cluster.replicas(2, taskId), { persistent: 2, all: 2 });
    const { error } = await cluster.dfcache(1, 'import', (await cluster.file('g', 5 * mib)).path, ...words);
    assert.equal(error?.code, 'ALREADY_EXISTS');
    assert.equal(await cluster.exported(1, taskId), file.sha256);
  });

  test('rm deletes it everywhere, also from a node that was away; then it can be imported again', async () => {
    await using cluster = await lab(3);
    const file = await cluster.file('f', 5 * mib);
    const taskId = await cluster.import(0, file, '--persistent-replica-count', '3');
    await cluster.swarm.stopDaemon('node-2');
    const refused = await cluster.dfcache(1, 'rm', taskId);
    assert.equal(refused.error?.code, 'PERMISSION_DENIED');
    assert.equal((await cluster.dfcache(0, 'rm', taskId)).error, undefined);
    await assert.rejects(cluster.exported(1, taskId), { code: 'NOT_FOUND' });
    const back = await cluster.swarm.startDaemon('node-2');
    await waitFor('the node that was away to delete it', async () => {
      return (await cluster.swarm.client(back).listLocalPersistentCacheTasks({})).tasks.length === 0;
    });
    const again = await cluster.import(1, file, '--persistent-replica-count', '3');
    assert.equal(again, taskId);
  });

  test('a replica cannot be deleted like something in a cache', async () => {
    await using cluster = await lab(1);
    const taskId = await cluster.import(0, await cluster.file('f', 1000), '--persistent-replica-count', '1');
    const [daemon] = cluster.daemons;
    assert.ok(daemon);
    await assert.rejects(cluster.swarm.client(daemon).deleteTask({ taskId }), { code: 'FAILED_PRECONDITION' });
    await assert.rejects(cluster.swarm.client(daemon).deleteLocalTask({ taskId }), { code: 'FAILED_PRECONDITION' });
  });

  test('a reader who expects another digest gets nothing, and harms nothing', async () => {
    await using cluster = await lab(2);
    const file = await cluster.file('f', 5 * mib);
    const taskId = await cluster.import(0, file);
    const { crc32 } = await import('node:zlib');
    const right = `crc32:${crc32(await readFile(file.path))}`;
    assert.equal(await cluster.exported(0, taskId, '--digest', right), file.sha256);
    for (const wrong of [`sha256:${'0'.repeat(64)}`, 'crc32:1', `md5:${'0'.repeat(32)}`])
      for (const way of [[], ['--transfer-from-dfdaemon']])
        await assert.rejects(cluster.exported(0, taskId, '--digest', wrong, ...way), { code: 'DIGEST_MISMATCH' });
    assert.deepEqual(await cluster.replicas(1, taskId), { persistent: 2, all: 2 });
    await cluster.swarm.stopDaemon('node-1');
    assert.equal(await cluster.exported(0, taskId), file.sha256);
  });

  test('a seed peer holds replicas as any other node', async () => {
    await using cluster = await lab(1);
    await cluster.swarm.startDaemon('seed', { seed: true });
    const file = await cluster.file('f', 5 * mib);
    const taskId = await cluster.import(0, file);
    await cluster.swarm.stopDaemon('node-0');
    await cluster.swarm.startDaemon('node-1');
    assert.equal(await cluster.exported(1, taskId), file.sha256);
  });

  test('a replica whose disk forgets is made whole again from the other one', async () => {
    await using cluster = await lab(2);
    const file = await cluster.file('f', 9 * mib);
    const taskId = await cluster.import(0, file);
    await cluster.swarm.stopDaemon('node-1');
    const path = cluster.swarm.directory.join(`node-1/data/content/tasks/${taskId.slice(0, 3)}/${taskId}`);
    await truncate(path, 5 * mib);
    const damaged = await cluster.swarm.startDaemon('node-1');
    await waitFor('it to be whole', async () => {
      const { tasks } = await cluster.swarm.client(damaged).listLocalPersistentCacheTasks({});
      const [{ finishedAt, persistent } = {}] = tasks;
      return finishedAt !== undefined && persistent && (await stat(path)).size === file.sizeBytes;
    });
    await cluster.swarm.stopDaemon('node-0');
    assert.equal(await cluster.exported(1, taskId), file.sha256);
  });

  test('mistakes are one clear error', async () => {
    await using cluster = await lab(1);
    const directory = cluster.swarm.directory.join('dir');
    await mkdir(directory);
    const file = await cluster.file('f', 10);
    for (const [words, code] of [
      [['import', directory], 'INVALID_ARGUMENT'],
      [['import', join(directory, '../nothing')], 'INVALID_ARGUMENT'],
      [['import', file.path, '--ttl', '1m'], 'INVALID_ARGUMENT'],
      [['import', file.path, '--ttl', '8d'], 'INVALID_ARGUMENT'],
      [['import', file.path, '--persistent-replica-count', '0'], 'INVALID_ARGUMENT'],
      [['import', file.path, '--persistent-replica-count', '9999999999999'], 'INVALID_ARGUMENT'],
      [['import', file.path, '--piece-length', '1MiB'], 'INVALID_ARGUMENT'],
      [['export', '../../etc/passwd', '-O', join(directory, 'x')], 'INVALID_ARGUMENT'],
      [['export', 'a'.repeat(64), '-O', join(directory, 'x')], 'NOT_FOUND'],
      [['export', 'a'.repeat(64)], 'INVALID_ARGUMENT'],
      [['stat', 'a'.repeat(64)], 'NOT_FOUND'],
      [['rm', 'a'.repeat(64)], 'NOT_FOUND'],
      [['imprt'], 'INVALID_ARGUMENT'],
    ] as const) {
      const { error } = await cluster.dfcache(0, ...words);
      assert.equal(error?.code, code, `${words.join(' ')}: ${error?.message}`);
    }
    assert.deepEqual(await readdir(directory), []);
  });

  test('a file that is written to while it is imported is refused', async () => {
    await using cluster = await lab(1);
    const path = cluster.swarm.directory.join('growing');
    await writeFile(path, Buffer.alloc(256 * mib, 1));
    let writes = true;
    const writer = (async (): Promise<void> => {
      while (writes) await writeFile(path, Buffer.alloc(1, 2), { flag: 'a' });
    })();
    const { error } = await cluster.dfcache(0, 'import', path, '--persistent-replica-count', '1');
    writes = false;
    await writer;
    assert.equal(error?.code, 'SOURCE_CHANGED');
    assert.deepEqual(await readdir(cluster.swarm.directory.join('node-0/data/incoming')), []);
    await rm(path);
  });
});
