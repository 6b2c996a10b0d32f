// needs: strip
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { copyFile, readFile, stat, symlink } from 'node:fs/promises';
import { before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { buildConsole } from '../../scripts/build-console.ts';
import { buildExecutable } from '../../scripts/package/executable.ts';
import { platforms } from '../../scripts/package/platforms.ts';
import { LocalCluster } from '../../src/cli/up/cluster.ts';
import { LocalOrigin } from '../../src/cli/up/origin.ts';
import { version } from '../../src/core/version.ts';
import { makeRandomFile, sha256OfFile } from '../support/random-file.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const megabyte = 1_000_000;
const mebibyte = 2 ** 20;
const platform = platforms.find(({ arch }) => arch === process.arch);
const runDeadlineMs = 120_000;

describe('the executable', { skip: platform === undefined && 'is built on x64 and arm64' }, () => {
  let executable = '';
  before(async () => {
    if (!platform) return;
    await buildConsole();
    executable = await buildExecutable(platform);
  });

  const run = (file: string, ...args: string[]) =>
    spawnSync(file, args, { encoding: 'utf8', timeout: runDeadlineMs, cwd: '/', env: { PATH: '/nowhere' } });

  test('has 50 MB at most, compressed', async () => {
    const { length } = await promisify(gzip)(await readFile(executable));
    assert.ok(length <= 50 * megabyte, `${length} bytes`);
    assert.equal((await stat(executable)).mode & 0o777, 0o755);
  });

  test('tells its version and commit; is every program by its name', async () => {
    await using directory = await temporaryDirectory();
    assert.match(
      run(executable, '--version').stdout,
      new RegExp(`^dragonfly ${version} \\([0-9a-f]{12}(-dirty)?\\)\\n$`),
    );
    await symlink(executable, directory.join('dfget'));
    assert.match(run(directory.join('dfget'), '--help').stdout, /^Usage: dfget /);
    assert.match(run(executable, 'scheduler', '--help').stdout, /^Usage: scheduler /);
    assert.equal(run(executable, 'frobnicate').status, 2);
  });

  test('a cluster of it gives a file to its nodes, serves the console and the page of the API', async () => {
    await using directory = await temporaryDirectory();
    // At a place that has no other file of ours.
    const alone = directory.join('dragonfly');
    await copyFile(executable, alone);
    const file = await makeRandomFile(directory.join('file'), 9 * mebibyte);
    await using origin = await LocalOrigin.start(file.path);
    await using cluster = await LocalCluster.start({
      directory: directory.join('state'),
      peers: 1,
      command: (program) => [alone, program],
    });
    const socket = cluster.peers[0]?.socket ?? '';
    const args = ['--endpoint', socket, '--digest', `sha256:${file.sha256}`, '-O', directory.join('got'), origin.url];
    await promisify(execFile)(alone, ['dfget', ...args], { timeout: runDeadlineMs });
    assert.equal(await sha256OfFile(directory.join('got')), file.sha256);
    const pages = { '/': /<div id="root"/, '/swagger': /swagger-ui/, '/swagger/static/swagger-ui.css': /\.swagger-ui/ };
    for (const [path, pattern] of Object.entries(pages)) {
      const response = await fetch(`http://${cluster.node('manager').process.address('rest')}${path}`);
      assert.equal(response.status, 200, path);
      assert.match(await response.text(), pattern, path);
    }
  });
});
