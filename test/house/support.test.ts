// needs: nginx, ip, tc
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { NamespaceNetwork } from '../support/network-namespaces.ts';
import { NginxOrigin } from '../support/nginx-origin.ts';
import { makeRandomFile, sha256OfFile } from '../support/random-file.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';

test('a random file is repeatable and has the digest it claims', async () => {
  await using directory = await temporaryDirectory();
  const one = await makeRandomFile(directory.join('one'), 3 * 2 ** 20 + 7, 'seed');
  const two = await makeRandomFile(directory.join('two'), 3 * 2 ** 20 + 7, 'seed');
  const other = await makeRandomFile(directory.join('other'), 3 * 2 ** 20 + 7, 'another seed');
  assert.equal(await sha256OfFile(one.path), one.sha256);
  assert.equal(one.sha256, two.sha256);
  assert.notEqual(one.sha256, other.sha256);
});

test('waiting ends with the value, or with the reason after the deadline', async () => {
  let calls = 0;
  assert.equal(await waitFor('a third call', () => (++calls === 3 ? 'value' : undefined)), 'value');
  await assert.rejects(
    waitFor('nothing', () => assert.fail('not yet'), 10),
    (error: Error) => /nothing/.test(error.message) && /not yet/.test((error.cause as Error).message),
  );
});

describe('the nginx origin', () => {
  const content = 300_000;

  test('counts what it sent, with and without ranges', async () => {
    await using directory = await temporaryDirectory();
    await using origin = await NginxOrigin.start({ directory: directory.path });
    const file = await makeRandomFile(join(origin.root, 'f.bin'), content);
    const whole = await fetch(`${origin.url}/f.bin`);
    assert.equal((await whole.arrayBuffer()).byteLength, file.sizeBytes);
    const part = await fetch(`${origin.url}/f.bin`, { headers: { range: 'bytes=10-19' } });
    assert.deepEqual([part.status, (await part.arrayBuffer()).byteLength], [206, 10]);
    const requests = await waitFor('both log lines', async () => {
      const list = await origin.requests('/f.bin');
      return list.length === 2 && list;
    });
    assert.deepEqual(
      requests.map(({ status, bytesSent, range, complete }) => ({ status, bytesSent, range, complete })),
      [
        { status: 200, bytesSent: content, range: '-', complete: true },
        { status: 206, bytesSent: 10, range: 'bytes=10-19', complete: true },
      ],
    );
  });

  test('can ignore ranges, hide the length, redirect and refuse', async () => {
    await using directory = await temporaryDirectory();
    await using origin = await NginxOrigin.start({ directory: directory.path });
    await makeRandomFile(join(origin.root, 'f.bin'), content);
    const get = async (path: string, headers: Record<string, string> = {}) => {
      const response = await fetch(`${origin.url}${path}`, { headers, redirect: 'manual' });
      const { byteLength } = await response.arrayBuffer();
      return { status: response.status, byteLength, length: response.headers.get('content-length') };
    };
    assert.deepEqual(await get('/norange/f.bin', { range: 'bytes=0-9' }), {
      status: 200,
      byteLength: content,
      length: String(content),
    });
    assert.deepEqual(await get('/chunked/f.bin'), { status: 200, byteLength: content, length: null });
    assert.equal((await get('/redirect/f.bin')).status, 302);
    for (const status of [403, 404, 410, 503]) assert.equal((await get(`/status/${status}/x`)).status, status);
    await assert.rejects(get('/drop'));
  });
});

test('namespaces are hosts on one network', { skip: process.getuid?.() !== 0 && 'needs root' }, async () => {
  await using network = await NamespaceNetwork.create({ hosts: 2, rateBitsPerSec: () => 100_000_000 });
  const [a, b] = network.hosts;
  assert.ok(a && b);
  const [program, ...args] = [...a.enter, 'ip', 'route', 'get', b.address];
  const { stdout } = await promisify(execFile)(program ?? '', args);
  assert.match(stdout, /dev eth0/);
});
