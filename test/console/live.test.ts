/** The console against a whole cluster of processes: what is distributed, preheated, found, deleted; who is there. */
// needs: chromium, docker-registry, openssl
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { LocalCluster } from '../../src/cli/up-cluster.ts';
import { downloadOnNode } from '../../src/cli/up-download.ts';
import { Channels } from '../../src/rpc/channels.ts';
import { RestClient } from '../manager/rest-client.ts';
import { registryLogin, TokenRegistry } from '../manager/token-registry.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { launchBrowser, Visitor, type VisitorOptions } from './browser.ts';
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

async function signedIn(options: VisitorOptions = {}): Promise<Visitor> {
  const visitor = await Visitor.open(browser, `http://${cluster.node('manager').process.address('rest')}/`, options);
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

test('an image is preheated, and every node proves every layer', async () => {
  await using registry = await TokenRegistry.start();
  const image = await registry.push('demo/app', ['linux/amd64', 'linux/arm64'], [6_000_000, 300_000]);
  await using visitor = await signedIn();
  const { page } = visitor;
  await visitor.go('/preheat');
  await page.getByRole('textbox', { name: 'Manifest URL' }).fill(image.url);
  await page.getByRole('combobox', { name: 'Nodes' }).click();
  await page.getByRole('option', { name: 'All peers' }).click();
  await visitor.button('Credentials and identity').click();
  await page.getByLabel('User name at the registry').fill(registryLogin.username);
  await page.getByLabel('Password').fill(registryLogin.password);
  await page.getByLabel('Platform').fill('linux/arm64');
  await visitor.button('Start').click();
  await visitor.heading(/^Preheat #/);
  await visitor.sees('12 done');
  for (const { name } of cluster.daemons) await visitor.button(new RegExp(`${name}.*3 of 3 verified`)).waitFor();
  await visitor.button(/^peer-2/).click();
  const table = page.getByRole('table', { name: 'Blobs of peer-2' });
  for (const url of image.blobs['linux/arm64'] ?? []) {
    const digest = url.slice(url.lastIndexOf('sha256:')).slice(0, 'sha256:'.length + 12);
    await table.getByRole('row', { name: new RegExp(`${digest}.*verified`) }).waitFor();
  }
});

test('a preheat under way shows what each node holds, and stops when it is told to', async () => {
  const url = origin.add('/slow.bin', { content: randomBytes(16 * mebibyte), gated: true });
  origin.release('/slow.bin', 9 * mebibyte);
  await using visitor = await signedIn();
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
  origin.release('/slow.bin', Infinity);
});

test('content is found by its URL, and deleted from every node that holds it', async () => {
  const url = origin.add('/dataset.bin', { content: randomBytes(2 * mebibyte) });
  const signal = AbortSignal.timeout(120_000);
  for (const node of cluster.peers) await downloadOnNode(node, { url, channels, signal, onProgress: () => undefined });
  await using visitor = await signedIn();
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

test('a certificate is revoked once it was asked, and shows as such', async () => {
  await using visitor = await signedIn();
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
  await using visitor = await signedIn({ expectOutage: true });
  const { page } = visitor;
  await visitor.go('/applications');
  const state = (text: string): Promise<void> => page.getByRole('status').filter({ hasText: text }).waitFor();
  await state('Live');
  await page.evaluate('window.sameLife = true');
  await cluster.kill('manager');
  await state('Connecting');
  await cluster.restart('manager');
  await state('Live');
  const port = Number(cluster.node('manager').process.address('rest').split(':').at(-1));
  const rest = await new RestClient(port).signIn('root', rootPassword);
  await rest.ok('POST', '/api/v1/applications', {
    name: 'afterwards',
    url: 'https://ml.example.com',
    priority: { value: 1 },
    user_id: 1,
  });
  await page.getByRole('cell', { name: 'afterwards', exact: true }).waitFor();
  assert.equal(await page.evaluate('window.sameLife'), true);
});
