// needs: chromium
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { launchBrowser } from './browser.ts';
import { buildConsole } from '../../scripts/build-console.ts';
import { rootPassword, serveConsole } from './served-console.ts';

let browser: Browser;
before(async () => {
  await buildConsole();
  browser = await launchBrowser();
});
after(() => browser.close());

test('signing in leads to where one wanted to go, a wrong password says so, signing out ends it', async () => {
  await using served = await serveConsole(browser);
  await using visitor = await served.visit();
  await visitor.go('/schedulers?state=inactive');
  await visitor.heading('Sign in');
  await visitor.page.getByLabel('User name').fill('root');
  await visitor.page.getByLabel('Password').fill('not this one');
  await visitor.page.keyboard.press('Enter');
  await visitor.page.getByRole('alert').waitFor();
  await visitor.page.getByLabel('Password').fill(rootPassword);
  await visitor.page.keyboard.press('Enter');
  await visitor.heading('Schedulers');
  assert.equal(new URL(visitor.page.url()).search, '?state=inactive');
  await visitor.button('Your account').click();
  await visitor.page.getByRole('menuitem', { name: 'Sign out' }).click();
  await visitor.heading('Sign in');
  await visitor.go('/clusters');
  await visitor.heading('Sign in');
});

test('a cluster is created, changed and deleted, and all of it is in the audit log', async () => {
  await using served = await serveConsole(browser);
  await using visitor = await served.visit();
  const { page } = visitor;
  await visitor.signIn('root', rootPassword);
  await page.getByRole('link', { name: 'Clusters', exact: true }).first().click();
  await page.getByRole('link', { name: 'Create a cluster' }).click();
  await visitor.button('Create a cluster').click();
  await visitor.sees('This is needed');
  await page.getByRole('textbox', { name: 'Name' }).fill('gpu-farm');
  await page.getByLabel('Networks (CIDR)').fill('not a network');
  await page.getByLabel('Networks (CIDR)').press('Enter');
  await visitor.button('Create a cluster').click();
  await visitor.sees('A network looks like 10.1.0.0/16');
  for (let chips = 3; chips > 0; chips -= 1) await page.getByLabel('Networks (CIDR)').press('Backspace');
  await page.getByLabel('Networks (CIDR)').fill('10.20.0.0/16');
  await page.getByLabel('Networks (CIDR)').press('Enter');
  await page.getByLabel('Parents of a peer').fill('5');
  await visitor.button('Create a cluster').click();
  await visitor.heading('gpu-farm');
  await visitor.sees('10.20.0.0/16');
  const [created] = await served.rest.ok<
    { id: number; scheduler_cluster_config: { candidate_parent_limit?: number } }[]
  >('GET', '/api/v1/clusters?name=gpu-farm');
  assert.equal(created?.scheduler_cluster_config.candidate_parent_limit, 5);

  await page.getByRole('link', { name: 'Edit' }).click();
  await page.getByLabel('Description').fill('in Frankfurt');
  await visitor.button('Save').click();
  await visitor.sees('in Frankfurt');
  await visitor.button('Delete').click();
  await visitor.sees('A cluster that still has schedulers');
  await visitor.confirm('Delete');
  await visitor.heading('Clusters');
  await page.getByRole('link', { name: 'gpu-farm' }).waitFor({ state: 'detached' });

  await page.getByRole('link', { name: 'Audit log' }).click();
  await visitor.sees(`/api/v1/clusters/${created?.id}`);
  await visitor.sees('Clusters: created one');
  await visitor.sees(`Clusters: changed ${created?.id}`);
  await visitor.sees(`Clusters: deleted ${created?.id}`);
  for (const operation of ['POST', 'PATCH', 'DELETE'])
    await page.getByRole('cell', { name: operation, exact: true }).first().waitFor();
});

test('another’s change appears without a reload', async () => {
  await using served = await serveConsole(browser);
  await using visitor = await served.visit();
  await visitor.signIn('root', rootPassword);
  await visitor.go('/applications');
  await visitor.sees('There is no application yet');
  await visitor.page.getByRole('status').filter({ hasText: 'Live' }).waitFor();
  await served.rest.ok('POST', '/api/v1/applications', {
    name: 'training',
    url: 'https://ml.example.com',
    priority: { value: 1 },
    user_id: 1,
  });
  await visitor.page.getByRole('cell', { name: 'training', exact: true }).waitFor();
});

test('Chinese and dark are chosen and kept', async () => {
  await using served = await serveConsole(browser);
  await using visitor = await served.visit({ colorScheme: 'light' });
  await visitor.signIn('root', rootPassword);
  await visitor.button('Dark colours').click();
  await visitor.button('中文').click();
  await visitor.page.reload();
  await visitor.heading('概览');
  assert.equal(await visitor.page.evaluate('document.documentElement.lang'), 'zh-CN');
  assert.equal(await visitor.page.evaluate(`document.documentElement.getAttribute('data-scheme')`), 'dark');
});
