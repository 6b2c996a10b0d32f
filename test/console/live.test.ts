/** The console while a whole cluster of processes distributes: a download that spreads, preheats with their proof. */
// needs: chromium, docker-registry, openssl
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { registryLogin, TokenRegistry } from '../manager/support/token-registry.ts';
import { startLiveCluster, type LiveCluster } from './live-cluster.ts';

const mebibyte = 1024 * 1024;
let live: LiveCluster;
before(async () => {
  live = await startLiveCluster();
});
after(() => live[Symbol.asyncDispose]());

test('a download is watched as it spreads: on the overview, in the list, peer by peer', async () => {
  const content = randomBytes(48 * mebibyte);
  const url = live.origin.add('/model.bin', { content, gated: true });
  await using visitor = await live.visit();
  const { page } = visitor;
  await page.getByRole('link', { name: 'Live tasks' }).click();
  await visitor.sees('Nothing is being distributed');

  live.origin.release('/model.bin', 20 * mebibyte);
  const downloads = live.downloadOnPeers(url);
  downloads.catch(() => undefined);
  await page.getByRole('link', { name: 'model.bin' }).click();
  await visitor.heading('model.bin');
  await page.getByRole('img', { name: /^Live picture of 4 nodes, of which 0/ }).waitFor();
  for (const { name } of live.cluster.peers)
    await page.getByRole('row', { name: new RegExp(`${name}.*(Running|From the origin)`) }).waitFor();
  const now = page.getByRole('region', { name: 'Right now' });
  await now.getByText(/^\S+ has got nothing from the origin for \d+ sec/).waitFor();
  await now
    .getByText(/peer-\d has got nothing for \d+ sec/)
    .first()
    .waitFor();
  await visitor.checkAccessibility();
  await visitor.button('peer-1').click();
  assert.equal(await visitor.button('peer-1').getAttribute('aria-pressed'), 'true');

  live.origin.release('/model.bin', Infinity);
  await downloads;
  await page.getByRole('img', { name: /^Live picture of 4 nodes, of which 4/ }).waitFor();
  for (const { name } of live.cluster.peers)
    await page.getByRole('row', { name: new RegExp(`${name}.*Succeeded.*100%`) }).waitFor();
  await visitor.sees('4 of 4 peers');
  await now.waitFor({ state: 'detached' });
  // A page that is loaded now still shows the traffic of the minutes before, which is over.
  await visitor.go('/');
  await page.getByRole('link', { name: 'model.bin' }).waitFor();
  await page.getByRole('img', { name: /^Traffic .* ends at (?!1 MiB\/s)/ }).waitFor();
  // Three of four copies came from peers, or somewhat less when one of them went to the held-up origin itself.
  await visitor.sees(/^[1-7]\d(\.\d)?%$/);
  await visitor.checkAccessibility();
});

test('a preheat shows every node’s proof of every blob', async () => {
  const urls = ['/a.bin', '/b.bin'].map((path) => live.origin.add(path, { content: randomBytes(5 * mebibyte) }));
  await using visitor = await live.visit();
  const { page } = visitor;
  await page.getByRole('link', { name: 'Preheat' }).click();
  await visitor.button('Files').click();
  await visitor.button('Start').click();
  await visitor.sees('This is needed');
  await page.getByRole('textbox', { name: 'URLs' }).fill(urls.join('\n'));
  await page.getByRole('combobox', { name: 'Nodes' }).click();
  await page.getByRole('option', { name: 'All peers' }).click();
  await visitor.button('Show what it costs').click();
  const cost = page.getByRole('region', { name: 'What it costs' });
  await cost.getByText('10 MiB', { exact: true }).first().waitFor();
  await cost.getByText('40 MiB', { exact: true }).waitFor();
  await visitor.checkAccessibility();
  await visitor.button('Start').click();
  await visitor.heading(/^Preheat #/);
  await visitor.sees('8 done');
  for (const { name } of live.cluster.daemons) {
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
  await using visitor = await live.visit();
  const { page } = visitor;
  await visitor.go('/preheat');
  // By the name that engines take, without the scheme and the words of the registry's protocol.
  const name = image.url.replace('http://', '').replace('/v2/', '/').replace('/manifests/', ':');
  await page.getByRole('textbox', { name: 'Image' }).fill(name);
  await page.getByRole('combobox', { name: 'Nodes' }).click();
  await page.getByRole('option', { name: 'All peers' }).click();
  await visitor.button('Credentials and identity').click();
  await page.getByLabel('User name at the registry').fill(registryLogin.username);
  await page.getByLabel('Password').fill(registryLogin.password);
  await page.getByLabel('Platform').fill('linux/arm64');
  await visitor.button('Show what it costs').click();
  const cost = page.getByRole('region', { name: 'What it costs' });
  // 6.3 MB once, and for four nodes.
  await cost.getByText('6.01 MiB').first().waitFor();
  await cost.getByText('24 MiB').waitFor();
  await visitor.button('Start').click();
  await visitor.heading(/^Preheat #/);
  await visitor.sees(/^[1-9]\d* done$/);
  for (const { name: daemon } of live.cluster.daemons)
    await visitor.button(new RegExp(`${daemon}.*([1-9]\\d*) of \\1 verified`)).waitFor();
  await visitor.button(/^peer-2/).click();
  const table = page.getByRole('table', { name: 'Blobs of peer-2' });
  for (const url of image.blobs['linux/arm64'] ?? []) {
    const digest = url.slice(url.lastIndexOf('sha256:')).slice(0, 'sha256:'.length + 12);
    await table.getByRole('row', { name: new RegExp(`${digest}.*verified`) }).waitFor();
  }
});
