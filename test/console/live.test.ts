// needs: chromium
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { LocalCluster } from '../../src/cli/up-cluster.ts';
import { downloadOnNode } from '../../src/cli/up-download.ts';
import { Channels } from '../../src/rpc/channels.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { launchBrowser, Visitor } from './browser.ts';
import { builtConsole } from './built-console.ts';

const rootPassword = 'correct-horse';
const mebibyte = 1024 * 1024;
const owned = new AsyncDisposableStack();
let browser: Browser;
let cluster: LocalCluster;
let origin: HttpOrigin;
let channels: Channels;

before(async () => {
  await builtConsole();
  browser = await launchBrowser();
  owned.defer(() => browser.close());
  const temporary = owned.use(await temporaryDirectory('df-console-'));
  origin = owned.use(await HttpOrigin.start());
  // What the services inherit: the only way to know root's first password without reading logs.
  process.env['DRAGONFLY_INITIAL_ROOT_PASSWORD'] = rootPassword;
  cluster = owned.use(await LocalCluster.start({ directory: temporary.path, peers: 3 }));
  channels = owned.use(new Channels());
});
after(() => owned.disposeAsync());

async function signedIn(): Promise<Visitor> {
  const visitor = await Visitor.open(browser, `http://${cluster.node('manager').process.address('rest')}/`);
  await visitor.signIn('root', rootPassword);
  return visitor;
}

test('a download is watched as it spreads: on the overview, in the list, peer by peer', async () => {
  const content = randomBytes(48 * mebibyte);
  const url = origin.add('/model.bin', { content, gated: true });
  await using visitor = await signedIn();
  const { page } = visitor;
  await page.getByRole('link', { name: 'Live tasks' }).click();
  await visitor.sees('Nothing is being distributed');

  origin.release('/model.bin', 20 * mebibyte);
  const signal = AbortSignal.timeout(120_000);
  const downloads = Promise.all(
    cluster.peers.map((node) => downloadOnNode(node, { url, channels, signal, onProgress: () => undefined })),
  );
  downloads.catch(() => undefined);
  await page.getByRole('link', { name: 'model.bin' }).click();
  await visitor.heading('model.bin');
  await page.getByRole('img', { name: /^Live picture of 4 nodes, of which 0/ }).waitFor();
  for (const { name } of cluster.peers) await page.getByRole('row', { name: new RegExp(`${name}.*Running`) }).waitFor();
  await visitor.checkAccessibility();
  await visitor.button('peer-1').click();
  assert.equal(await visitor.button('peer-1').getAttribute('aria-pressed'), 'true');

  origin.release('/model.bin', Infinity);
  await downloads;
  await page.getByRole('img', { name: /^Live picture of 4 nodes, of which 4/ }).waitFor();
  for (const { name } of cluster.peers)
    await page.getByRole('row', { name: new RegExp(`${name}.*Succeeded.*100%`) }).waitFor();
  await visitor.sees('4 of 4 peers');
  await page.getByRole('link', { name: 'Overview' }).click();
  await page.getByRole('link', { name: 'model.bin' }).waitFor();
  await visitor.sees('75%');
  await visitor.checkAccessibility();
});

test('a preheat shows every node’s proof of every blob', async () => {
  const urls = ['/a.bin', '/b.bin'].map((path) => origin.add(path, { content: randomBytes(5 * mebibyte) }));
  await using visitor = await signedIn();
  const { page } = visitor;
  await page.getByRole('link', { name: 'Preheat' }).click();
  await visitor.button('Files').click();
  await visitor.button('Start').click();
  await visitor.sees('This is needed');
  await page.getByRole('textbox', { name: 'URLs' }).fill(urls.join('\n'));
  await page.getByRole('combobox', { name: 'Nodes' }).click();
  await page.getByRole('option', { name: 'All peers' }).click();
  await visitor.button('Start').click();
  await visitor.heading(/^Preheat #/);
  await visitor.sees('8 done');
  for (const { name } of cluster.daemons) {
    await page.getByRole('button', { name: new RegExp(`${name}.*10 MiB of 10 MiB.*2 of 2 verified`) }).waitFor();
  }
  const node = visitor.button(/^peer-1/);
  if ((await node.getAttribute('aria-expanded')) === 'false') await node.click();
  const table = page.getByRole('table', { name: 'Blobs of peer-1' });
  for (const name of ['a.bin', 'b.bin'])
    await table.getByRole('row', { name: new RegExp(`${name}.*Succeeded.*verified`) }).waitFor();
  await visitor.checkAccessibility();
});

test('a failed preheat says why and can be tried again', async () => {
  const url = origin.add('/missing.bin', { content: Buffer.alloc(0), status: 404 });
  await using visitor = await signedIn();
  const { page } = visitor;
  await visitor.go(`/preheat?type=file&url=${encodeURIComponent(url)}`);
  await visitor.button('Start').click();
  await visitor.heading(/^Preheat #/);
  await visitor.sees('Failed');
  await page.getByRole('alert').filter({ hasText: '404' }).waitFor();
  origin.add('/missing.bin', { content: randomBytes(mebibyte) });
  await visitor.button('Retry what failed').click();
  await visitor.sees('1 done');
});

test('members show up with their state, and a killed one as inactive', async () => {
  await using visitor = await signedIn();
  const { page } = visitor;
  await visitor.go('/seed-peers');
  await page.getByRole('row', { name: /seed-1.*Active/ }).waitFor();
  await cluster.kill('seed-1');
  await page.getByRole('row', { name: /seed-1.*Inactive/ }).waitFor();
  await visitor.go('/peers');
  await visitor.button('Ask the schedulers now').click();
  await page.getByRole('row', { name: /peer-1/ }).waitFor();
});
