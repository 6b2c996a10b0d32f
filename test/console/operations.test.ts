/** The console as the tool of whoever runs a whole cluster of processes: jobs, content, members, a restart. */
// needs: chromium
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { startLiveCluster, type LiveCluster } from './live-cluster.ts';

const mebibyte = 1024 * 1024;
let live: LiveCluster;
before(async () => {
  live = await startLiveCluster();
});
after(() => live[Symbol.asyncDispose]());

test('a preheat under way shows what each node holds, and stops when it is told to', async () => {
  const url = live.origin.add('/slow.bin', { content: randomBytes(16 * mebibyte), gated: true });
  live.origin.release('/slow.bin', 9 * mebibyte);
  await using visitor = await live.visit();
  await visitor.go(`/preheat?type=file&url=${encodeURIComponent(url)}`);
  await visitor.button('Start').click();
  await visitor.heading(/^Preheat #/);
  await visitor.button(/^seed-1.*8 MiB of 16 MiB.*0 of 1 verified/).waitFor();
  await visitor.sees('50%');
  await visitor.button('Cancel the job').click();
  await visitor.sees('What is under way stops.');
  await visitor.confirm('Cancel the job');
  await visitor.sees('Cancelled');
  await visitor.button('Retry what failed').waitFor();
  live.origin.release('/slow.bin', Infinity);
});

test('content is found by its URL, and deleted from every node that holds it', async () => {
  const url = live.origin.add('/dataset.bin', { content: randomBytes(2 * mebibyte) });
  await live.downloadOnPeers(url);
  await using visitor = await live.visit();
  const { page } = visitor;
  const find = async (): Promise<void> => {
    await visitor.go('/tasks');
    await visitor.button('Find content').click();
    await page.getByRole('textbox', { name: 'URL, digest or task ID' }).fill(url);
    await visitor.confirm('Find who holds it');
    await visitor.heading(/^Search #/);
  };
  await find();
  await visitor.sees('Held by 4 nodes.');
  await visitor.button('Delete from all nodes').click();
  await visitor.sees('4 nodes drop their copies');
  await visitor.confirm('Delete from all nodes');
  await visitor.heading(/^Deletion #/);
  await visitor.sees('Succeeded');
  await find();
  await visitor.sees('No node holds it.');
});

test('a failed preheat says why and can be tried again', async () => {
  const url = live.origin.add('/missing.bin', { content: Buffer.alloc(0), status: 404 });
  await using visitor = await live.visit();
  const { page } = visitor;
  await visitor.go(`/preheat?type=file&url=${encodeURIComponent(url)}`);
  await visitor.button('Start').click();
  await visitor.heading(/^Preheat #/);
  await visitor.sees('Failed');
  await page.getByRole('alert').filter({ hasText: '404' }).waitFor();
  live.origin.add('/missing.bin', { content: randomBytes(mebibyte) });
  await visitor.button('Retry what failed').click();
  await visitor.sees('1 done');
});

test('members show up with their state, and a killed one as inactive', async () => {
  await using visitor = await live.visit();
  const { page } = visitor;
  await visitor.go('/seed-peers');
  await page.getByRole('row', { name: /seed-1.*Active/ }).waitFor();
  await live.cluster.kill('seed-1');
  await page.getByRole('row', { name: /seed-1.*Inactive/ }).waitFor();
  await visitor.go('/peers');
  await visitor.button('Ask the schedulers now').click();
  await page.getByRole('row', { name: /peer-1/ }).waitFor();
});

test('a machine becomes a node by the line that the console makes', async () => {
  await using directory = await temporaryDirectory('df-new-node-');
  await using visitor = await live.visit();
  const { page } = visitor;
  await visitor.go('/nodes');
  await page.getByRole('link', { name: 'Add a node' }).click();
  await visitor.sees('Waiting for a node…');
  await visitor.button('Make the line, with a join token for a day').click();
  const line = await page.getByRole('group', { name: 'On the new machine' }).textContent();
  assert.match(line ?? '', /^DRAGONFLY_JOIN_TOKEN=\S+ dragonfly dfdaemon --set /);
  await visitor.checkAccessibility();
  // Its own name and directories: this machine has nodes already.
  const own = {
    'host.hostname': 'newcomer',
    'host.advertiseIP': '127.0.0.1',
    workHome: directory.path,
    dataDir: directory.join('data'),
    cacheDir: directory.join('cache'),
    logDir: directory.path,
    metrics: '127.0.0.1:0',
    'download.downloadGRPC.unixListen.socket': directory.join('d.sock'),
    ...Object.fromEntries(
      ['health.tcpListen', 'download.peerGRPC.tcpListen', 'upload.tcpListen', 'proxy.tcpListen'].flatMap((key) => [
        [`${key}.listen`, '127.0.0.1'],
        [`${key}.port`, '0'],
      ]),
    ),
  };
  const keys = Object.entries(own).map(([key, value]) => `--set ${key}=${value}`);
  const programs = new URL('../../bin', import.meta.url).pathname;
  const node = spawn('sh', ['-c', `exec env ${line} ${keys.join(' ')}`], {
    env: { ...process.env, PATH: `${programs}:${process.env['PATH'] ?? ''}` },
    stdio: 'ignore',
  });
  try {
    await page.getByRole('listitem').filter({ hasText: 'newcomer' }).getByText('Online').waitFor();
    await visitor.checkAccessibility();
    await page.getByRole('link', { name: 'newcomer' }).click();
    await visitor.heading('newcomer');
  } finally {
    const gone = once(node, 'exit');
    node.kill();
    await gone;
  }
});

test('a certificate is revoked once it was asked, and shows as such', async () => {
  await using visitor = await live.visit();
  const { page } = visitor;
  await visitor.go('/certificates');
  await page
    .getByRole('row', { name: /^seed-1.*Valid/ })
    .first()
    .waitFor();
  await page.getByRole('button', { name: 'Revoke seed-1' }).first().click();
  await visitor.sees('Every member refuses it within seconds.');
  await visitor.confirm('Revoke');
  await page
    .getByRole('row', { name: /^seed-1.*Revoked/ })
    .first()
    .waitFor();
});

test('a page outlives the manager: started again, it goes on where it was', async () => {
  await using visitor = await live.visit({ expectOutage: true });
  const { page } = visitor;
  await visitor.go('/applications');
  const state = (text: string): Promise<void> => page.getByRole('status').filter({ hasText: text }).waitFor();
  await state('Live');
  await page.evaluate('window.sameLife = true');
  await live.cluster.kill('manager');
  await state('Connecting');
  await live.cluster.restart('manager');
  await state('Live');
  const rest = await live.rest();
  await rest.ok('POST', '/api/v1/applications', {
    name: 'afterwards',
    url: 'https://ml.example.com',
    priority: { value: 1 },
    user_id: 1,
  });
  await page.getByRole('cell', { name: 'afterwards', exact: true }).waitFor();
  assert.equal(await page.evaluate('window.sameLife'), true);
});
