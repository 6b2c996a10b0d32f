/** Published versions and rules of replication in the console: what it shows is what real nodes did. */
// needs: chromium
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { buildConsole } from '../../scripts/build-console.ts';
import { makeRandomFile } from '../support/random-file.ts';
import { mib, releaseLab, type ReleaseLab } from '../releases/release-lab.ts';
import { launchBrowser, Visitor } from './browser.ts';
import { rootPassword, serveConsole } from './served-console.ts';

let browser: Browser;
before(async () => {
  await buildConsole();
  browser = await launchBrowser();
});
after(() => browser.close());

test('versions are shown with what is new in them, who runs which, and that one leads back', async () => {
  await using lab = await releaseLab(3);
  const [one, two] = [lab.directory.join('one'), lab.directory.join('two')];
  await makeModel(one, ['a', 'b']);
  await makeModel(two, ['a', 'c']);
  await must(lab.publish(1, one, 'llama@v1'));
  await must(lab.publish(1, two, 'llama@v2'));
  await must(lab.subscribe(2, 'llama', lab.directory.join('to-2'), '--once'));
  await must(lab.subscribe(3, 'llama', lab.directory.join('to-3'), '--version', 'v1'));

  await using visitor = await Visitor.open(browser, consoleOf(lab));
  const { page } = visitor;
  await visitor.signIn('root', lab.rootPassword);
  await visitor.go('/releases');
  await page.getByRole('row', { name: /llama v2 On its way 1 of 2 8 MiB 4\.01 MiB \(50\.1%\) 2 2/ }).waitFor();
  await visitor.checkAccessibility();
  await page.getByRole('link', { name: 'llama' }).click();
  await visitor.heading('llama');
  await page.getByRole('row', { name: /v1 Superseded 1 of 2 8 MiB 8\.01 MiB/ }).waitFor();
  await page.getByRole('row', { name: /peer-2.* v2 Succeeded .*to-2/ }).waitFor();
  await page.getByRole('row', { name: /peer-3.* v1 Succeeded .*to-3/ }).waitFor();
  await visitor.checkAccessibility();

  await must(lab.publish(1, one, 'llama@v3'));
  for (const peer of [2, 3]) await must(lab.subscribe(peer, 'llama', lab.directory.join(`to-${peer}`), '--once'));
  await page.getByRole('row', { name: /v3 Back to v1 2 of 2 8 MiB 4\.01 MiB/ }).waitFor();
  const [told] = await lab.root.ok<Record<string, unknown>[]>('GET', '/api/v1/releases?name=llama');
  assert.deepEqual(
    [told?.['version'], told?.['previous_version'], told?.['returns_to'], told?.['running_count']],
    ['v3', 'v2', 'v1', 2],
  );
  await visitor.button('Delete llama@v2').click();
  await visitor.confirm('Delete');
  await visitor.sees('Deleted llama@v2');
  await page.getByRole('row', { name: /v2 Superseded/ }).waitFor({ state: 'detached' });
});

test('a rule is made in the console, says why its registry cannot be listed, and goes again', async () => {
  await using served = await serveConsole(browser);
  await using visitor = await served.visit();
  const { page } = visitor;
  await visitor.signIn('root', rootPassword);
  await visitor.go('/replication');
  await visitor.sees('There are no rules yet');
  await visitor.button('Add a rule').click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name', { exact: false }).first().fill('apps');
  await dialog.getByLabel('Source').fill('127.0.0.1:1/team/*');
  await dialog.getByLabel('Bring them to clusters').uncheck();
  await dialog.getByLabel('Target', { exact: true }).fill('mirror.example/eu');
  await dialog.getByLabel('Name at the target').fill('sync');
  await dialog.getByLabel('Password at the target').fill('secret');
  await dialog.getByLabel('On push').check();
  await dialog.getByLabel('List the tags every').fill('5');
  await visitor.checkAccessibility();
  await visitor.confirm('Create');
  const row = /apps .*127\.0\.0\.1:1\/team\/\* → mirror\.example\/eu.*On push · Every 5 min/;
  await page.getByRole('row', { name: row }).waitFor();
  await page.getByRole('link', { name: 'apps' }).click();
  await visitor.heading('apps');
  await visitor.sees('mirror.example/eu');
  await visitor.sees('Where they are');
  await page.getByRole('alert').filter({ hasText: 'loopback addresses are no origins' }).waitFor();
  await visitor.checkAccessibility();
  await visitor.button('New secret').click();
  await visitor.confirm('New secret');
  await visitor.sees(/Authorization: Bearer \S{20}/);
  await visitor.confirm('I have kept it');
  await visitor.button('Delete').click();
  await visitor.confirm('Delete');
  await visitor.sees('There are no rules yet');
});

async function makeModel(path: string, seeds: readonly string[]): Promise<void> {
  await mkdir(path);
  await writeFile(`${path}/config.json`, '{}\n');
  for (const [index, seed] of seeds.entries()) await makeRandomFile(`${path}/${index}.bin`, 4 * mib, seed);
}

async function must(running: ReturnType<ReleaseLab['publish']>): Promise<void> {
  const { error } = await running;
  if (error) throw error;
}

function consoleOf(lab: ReleaseLab): string {
  return `http://${lab.cluster.node('manager').process.address('rest')}/`;
}
