/** A directory of ten thousand small files through one daemon, as data sets are. */
import assert from 'node:assert/strict';
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { createDfget } from '../../src/cli/dfget/dfget.ts';
import { startDaemon } from '../cli/lone-daemon.ts';
import { runTool } from '../cli/tool-io.ts';
import { startWebHdfs } from '../source/web-hdfs.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const fileCount = 10_000;
const largestBytes = 2 ** 20;

const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex');

test(`${fileCount} files of 1 byte to 1 MiB by dfget --recursive`, async (t) => {
  await using directory = await temporaryDirectory('many-');
  await using daemon = await startDaemon(directory.path);
  const origin = await startWebHdfs();
  try {
    const digests = new Map<string, string>();
    let bytes = 0;
    let url = '';
    for (let number = 0; number < fileCount; number += 1) {
      // Most are small: one in a hundred comes near the largest.
      const content = randomBytes(1 + Math.floor(largestBytes * (randomInt(1_000_000) / 1e6) ** 8));
      const name = `d${number % 100}/f${number}`;
      digests.set(name, sha256(content));
      bytes += content.length;
      url = await origin.put(`tree/${name}`, content);
    }
    const root = url.slice(0, url.indexOf('/tree/') + '/tree/'.length);
    const output = directory.join('out');
    const flags = ['-r', '--max-files', String(2 * fileCount), '--hdfs-delegation-token', 'token', '-e', daemon.socket];
    const dfget = createDfget(() => Promise.reject(new Error('the daemon is there')));
    const { exitCode, stderr } = await runTool(dfget, [root, '-O', output, ...flags]);
    assert.equal(exitCode, 0, stderr);
    for (const [name, digest] of digests) assert.equal(sha256(await readFile(`${output}/${name}`)), digest, name);
    t.diagnostic(`${fileCount} files, ${Math.round(bytes / 2 ** 20)} MiB`);
  } finally {
    await origin.close();
  }
});
