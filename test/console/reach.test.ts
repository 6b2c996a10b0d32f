/** The console from elsewhere and otherwise: through a forward, below a path, by keyboard alone, by its addresses. */
// needs: chromium
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { launchBrowser, Visitor } from './browser.ts';
import { buildConsole } from '../../scripts/build-console.ts';
import { prefixProxy, tcpForward } from './fronts.ts';
import { rootPassword, serveConsole } from './served-console.ts';

let browser: Browser;
before(async () => {
  await buildConsole();
  browser = await launchBrowser();
});
after(() => browser.close());

const live = (visitor: Visitor): Promise<void> =>
  visitor.page.getByRole('status').filter({ hasText: 'Live' }).waitFor();

test('the console works through a TCP forward, under the name and port of that', async () => {
  await using served = await serveConsole(browser);
  await using front = await tcpForward(served.manager.restPort);
  await using visitor = await Visitor.open(browser, `http://localhost:${front.port}/`);
  await visitor.signIn('root', rootPassword);
  await live(visitor);
  await visitor.go('/applications');
  await visitor.button('Create an application').click();
  await visitor.page.getByRole('textbox', { name: 'Name' }).fill('training');
  await visitor.page.getByRole('textbox', { name: 'URL' }).fill('https://ml.example.com');
  await visitor.confirm('Create');
  await visitor.page.getByRole('cell', { name: 'training', exact: true }).waitFor();
});

test('the console works below a path prefix', async () => {
  await using served = await serveConsole(browser, '/dragonfly');
  await using front = await prefixProxy(served.manager.restPort, '/dragonfly');
  await using visitor = await Visitor.open(browser, `http://127.0.0.1:${front.port}/dragonfly/`);
  await visitor.signIn('root', rootPassword);
  await live(visitor);
  await visitor.page.getByRole('link', { name: 'Clusters', exact: true }).first().click();
  await visitor.page.getByRole('link', { name: 'cluster-1' }).click();
  await visitor.heading('cluster-1');
  assert.equal(new URL(visitor.page.url()).pathname, '/dragonfly/clusters/1');
  await visitor.page.reload();
  await visitor.heading('cluster-1');
});

test('a cluster is created and deleted without a mouse', async () => {
  await using served = await serveConsole(browser);
  await using visitor = await served.visit({ reducedMotion: 'reduce' });
  const { page } = visitor;
  const { keyboard } = page;
  const focused = (name: string): Promise<void> =>
    page
      .locator(':focus')
      .and(page.getByText(name, { exact: true }).or(page.getByLabel(name)))
      .waitFor();
  const tabTo = async (name: string): Promise<void> => {
    const target = page.locator(':focus').and(page.getByRole('link', { name }).or(visitor.button(name)));
    for (let presses = 0; presses < 60 && (await target.count()) === 0; presses += 1) await keyboard.press('Tab');
    await target.waitFor();
  };
  await visitor.go('/signin');
  await visitor.heading('Sign in');
  await focused('User name');
  await keyboard.type('root');
  await keyboard.press('Tab');
  await keyboard.type(rootPassword);
  await keyboard.press('Enter');
  await visitor.heading('Overview');

  await page.reload();
  await visitor.heading('Overview');
  await keyboard.press('Tab');
  await focused('Skip to the content');
  await tabTo('Clusters');
  await keyboard.press('Enter');
  await visitor.heading('Clusters');
  await tabTo('Create a cluster');
  await keyboard.press('Enter');
  await visitor.heading('Create a cluster');
  await page.getByRole('textbox', { name: 'Name' }).focus();
  await keyboard.type('by-keys');
  await keyboard.press('Enter');
  await visitor.heading('by-keys');

  await tabTo('Delete');
  await keyboard.press('Enter');
  await page.getByRole('dialog', { name: 'Delete by-keys' }).waitFor();
  await keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  // Back where one was, so that one more press asks again.
  await page.locator(':focus').and(visitor.button('Delete')).waitFor();
  await keyboard.press('Enter');
  await page.getByRole('dialog', { name: 'Delete by-keys' }).waitFor();
  await tabTo('Delete');
  await keyboard.press('Enter');
  await visitor.heading('Clusters');
  await page.getByRole('link', { name: 'by-keys' }).waitFor({ state: 'detached' });
});

test('what a list shows is in its address: it can be walked back through and passed on', async () => {
  await using served = await serveConsole(browser);
  for (let index = 0; index < 30; index += 1)
    await served.rest.ok('POST', '/api/v1/clusters', {
      name: `farm-${index}`,
      scheduler_cluster_config: {},
      seed_peer_cluster_config: {},
      peer_cluster_config: {},
    });
  await using visitor = await served.visit();
  const { page } = visitor;
  await visitor.signIn('root', rootPassword);
  await visitor.go('/clusters');
  await visitor.button('Next page').click();
  await page.getByText('26–31 of 31').waitFor();
  assert.equal(new URL(page.url()).search, '?page=2');
  await page.getByLabel('Search').fill('farm-2');
  await page.getByText('1–11 of 11').waitFor();
  assert.equal(new URL(page.url()).search, '?search=farm-2');
  await page.getByRole('link', { name: 'farm-29' }).click();
  await visitor.heading('farm-29');
  await page.getByRole('tab', { name: 'Schedulers' }).click();
  await visitor.sees('No scheduler has reported yet');
  assert.match(page.url(), /tab=schedulers$/);
  await page.goBack();
  await page.getByRole('tab', { name: 'Settings', selected: true }).waitFor();
  await page.goBack();
  await page.getByText('1–11 of 11').waitFor();
  assert.equal(await page.getByLabel('Search').inputValue(), 'farm-2');

  await using other = await served.visit();
  await other.signIn('root', rootPassword);
  await other.go('/clusters?search=farm-2&per_page=10&page=2');
  await other.page.getByText('11–11 of 11').waitFor();
});
