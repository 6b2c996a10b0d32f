/** The console's files as the manager serves them. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { databaseConfig } from './support/engines.ts';
import { startManager } from './support/manager-fixture.ts';
import { RestClient } from './support/rest-client.ts';

let directory: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'manager-console-'));
  await mkdir(join(directory, 'assets'));
  await writeFile(join(directory, 'index.html'), '<html><head><base href="/" /></head><body>console</body></html>');
  await writeFile(join(directory, 'assets', 'main-abc123.js'), 'console.log(1)');
  await writeFile(join(directory, 'favicon.svg'), '<svg/>');
});
after(() => rm(directory, { recursive: true, force: true }));

async function serve(prefix: string) {
  const manager = await startManager(databaseConfig({ sqlite: { path: ':memory:' } }), {
    server: { rest: { consoleDir: directory, prefix } },
  });
  return Object.assign(manager, { client: new RestClient(manager.restPort) });
}

test('pages get the console, files themselves, and neither hides what is missing in the API', async () => {
  await using manager = await serve('');
  for (const path of ['/', '/clusters/1', '/signin']) {
    const page = await manager.client.request('GET', path);
    assert.equal(page.status, 200);
    assert.match(String(page.body), /console<\/body>/);
    assert.match(page.headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/);
    assert.equal(page.headers.get('cache-control'), 'no-cache');
  }
  const script = await manager.client.request('GET', '/assets/main-abc123.js');
  assert.match(script.headers.get('cache-control') ?? '', /max-age=31536000, immutable/);
  assert.equal((await manager.client.request('GET', '/favicon.svg')).status, 200);
  for (const path of [
    '/assets/missing.js',
    '/api/v1/nothing',
    '/oapi/v1/nothing',
    '/assets/../index.html.gz',
    '/..%2f..%2fetc/passwd.txt',
  ]) {
    assert.equal((await manager.client.request('GET', path)).status, 404, path);
  }
  assert.equal((await manager.client.request('POST', '/clusters')).status, 404);
});

test('behind a prefix the page says so', async () => {
  await using manager = await serve('/dragonfly/');
  const page = await manager.client.request('GET', '/dragonfly/clusters');
  assert.match(String(page.body), /<base href="\/dragonfly\/"/);
  assert.equal((await manager.client.request('GET', '/dragonfly/assets/main-abc123.js')).status, 200);
  assert.equal((await manager.client.request('GET', '/elsewhere')).status, 404);
});
