// needs: nginx
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { productCommand } from '../support/product.ts';
import { promisify } from 'node:util';
import { sha256OfFile } from '../support/random-file.ts';
import { TestCluster } from '../support/test-cluster.ts';

const [dfget, ...words] = productCommand('dfget');
const mebibyte = 2 ** 20;

/** A file system of its own with that many bytes at `path`. */
async function smallFileSystem(path: string, sizeBytes: number): Promise<AsyncDisposable> {
  await mkdir(path, { recursive: true });
  await promisify(execFile)('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes},mode=700`, 'tmpfs', path]);
  // Lazy: a service that is only just ending may still have a file open there.
  return { [Symbol.asyncDispose]: async () => void (await promisify(execFile)('umount', ['-l', path])) };
}

function get(socket: string, url: string, output: string) {
  const args = ['--endpoint', socket, '--timeout', '200s', '-O', output, url];
  const { status, stderr } = spawnSync(dfget, [...words, ...args], { encoding: 'utf8', timeout: 300_000 });
  return { status, stderr };
}

describe('a full disk', { skip: process.getuid?.() !== 0 && 'needs root, to mount a small file system' }, () => {
  test('where the output goes: said so, nothing left behind, the daemon unharmed', async () => {
    await using system = await TestCluster.start({
      peers: 1,
      prepare: async (directory, owned) => {
        owned.use(await smallFileSystem(join(directory, 'small'), 8 * mebibyte));
      },
    });
    const file = await system.file('f.bin', 24 * mebibyte);
    const outputs = system.directory.join('small');
    const socket = system.cluster.peers[0]?.socket ?? '';
    const { status, stderr } = get(socket, file.url, join(outputs, 'f'));
    assert.equal(status, 5, stderr);
    assert.match(stderr, /full|space/);
    assert.match(stderr, /^hint: \S/m);
    assert.deepEqual(await readdir(outputs), []);
    const elsewhere = system.directory.join('f');
    assert.equal(get(socket, file.url, elsewhere).status, 0);
    assert.equal(await sha256OfFile(elsewhere), file.sha256);
  });

  test('under one daemon: the other nodes finish right, the daemon goes on with what fits', async () => {
    await using system = await TestCluster.start({
      peers: 2,
      prepare: async (directory, owned) => {
        owned.use(await smallFileSystem(join(directory, 'peer-1', 'data'), 16 * mebibyte));
      },
    });
    const [full, healthy] = system.cluster.peers;
    assert.ok(full && healthy);
    const large = await system.file('large.bin', 48 * mebibyte);
    const [outcome] = await Promise.allSettled([system.download(full, large.url), system.download(healthy, large.url)]);
    if (outcome.status === 'rejected') {
      assert.equal((outcome.reason as { code?: string }).code, 'NO_SPACE', String(outcome.reason));
    }
    assert.equal(await sha256OfFile(join(healthy.directory, 'download')), large.sha256);
    const small = await system.file('small.bin', 5 * mebibyte);
    const result = await system.download(full, small.url);
    assert.equal(result.sha256, small.sha256);
  });
});
