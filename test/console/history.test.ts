/** What the console tells of the past: who got how much beside the time before, distributions, a month; and a scheduler's page. */
// needs: chromium
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { Distribution, Recording } from '../../gen/scheduler/v2/live.ts';
import { DistributionStore } from '../../src/manager/traffic/distribution-store.ts';
import { RecordingStore } from '../../src/manager/traffic/recording-store.ts';
import { ShareStore, type ShareKind } from '../../src/manager/traffic/share-store.ts';
import { launchBrowser } from './browser.ts';
import { buildConsole } from '../../scripts/build-console.ts';
import { rootPassword, serveConsole, type ServedConsole } from './served-console.ts';

const gib = 2 ** 30;
const dayMs = 86_400_000;

let browser: Browser;
before(async () => {
  await buildConsole();
  browser = await launchBrowser();
});
after(() => browser.close());

test('history tells who got how much, one of them alone, and how distributions went', async () => {
  await using served = await serveConsole(browser);
  await recordWeeks(served);
  await using visitor = await served.visit();
  const { page } = visitor;
  await visitor.signIn('root', rootPassword);
  await page.getByRole('link', { name: 'History', exact: true }).click();
  await visitor.heading('History');
  const row = page.getByRole('row', { name: /training/ });
  await row.getByText('10 GiB').waitFor();
  // Half as much in the week before.
  await row.getByText('+100%').waitFor();
  await row.getByText('90%').waitFor();
  await page.getByRole('row', { name: /model\.bin.*30.*node-7/ }).waitFor();
  await visitor.checkAccessibility();

  await page.getByRole('combobox', { name: 'Told apart by' }).click();
  await page.getByRole('option', { name: 'Nodes' }).click();
  await page.getByRole('link', { name: 'node-7', exact: true }).click();
  await page.getByRole('region', { name: 'node-7' }).getByRole('img').waitFor();
  assert.match(page.url(), /by=node/);
  await page.reload();
  await page.getByRole('region', { name: 'node-7' }).waitFor();

  await page.getByRole('link', { name: 'Report of the month' }).click();
  await visitor.heading(/^Report of /);
  await page.getByRole('region', { name: 'In short' }).waitFor();
  await visitor.checkAccessibility();
  await page.getByRole('link', { name: 'Month before' }).click();
  await page.getByRole('link', { name: 'Month after' }).waitFor();
});

test('a distribution of the past is watched again', async () => {
  await using served = await serveConsole(browser);
  await recordWeeks(served);
  await using visitor = await served.visit();
  const { page } = visitor;
  await visitor.signIn('root', rootPassword);
  await visitor.go('/history');
  await page.getByRole('link', { name: 'watch again' }).click();
  await visitor.heading('model.bin');
  const picture = page.getByRole('region', { name: 'Watched again' });
  await picture.getByRole('button', { name: 'Pause' }).click();
  const position = picture.getByRole('slider', { name: 'Time since the distribution began' });
  const moveTo = async (key: 'Home' | 'End'): Promise<void> => position.press(key);
  const peers = page.getByRole('region', { name: 'Peers' });
  const shareOf = (name: string) => peers.getByRole('row', { name: new RegExp(name) });
  await moveTo('End');
  await shareOf('node-7').getByText('100%').waitFor();
  await picture.getByRole('img', { name: /3 nodes, of which 3/ }).waitFor();
  await moveTo('Home');
  await shareOf('node-7').getByText('0%').waitFor();
  // It was there before the distribution began.
  await shareOf('older').getByText('100%').waitFor();
  await picture.getByRole('button', { name: 'Play' }).click();
  await shareOf('node-7').getByText('50%').waitFor();
  await visitor.checkAccessibility();
});

test('newcomers are shown three ways of spreading side by side', async () => {
  await using served = await serveConsole(browser);
  await using visitor = await served.visit();
  const { page } = visitor;
  await visitor.signIn('root', rootPassword);
  await visitor.go('/tasks');
  await page.getByRole('link', { name: 'How it spreads' }).click();
  await visitor.heading('How content spreads');
  await page.getByRole('button', { name: 'Pause' }).click();
  const position = page.getByRole('slider', { name: 'Time since the distribution began' });
  await position.press('Home');
  for (const way of ['A tree', 'Several parents', 'Dragonfly'])
    await page.getByRole('region', { name: way }).getByText('0 of 60 have all of it').waitFor();
  await position.press('End');
  for (const way of ['A tree', 'Several parents', 'Dragonfly'])
    await page.getByRole('region', { name: way }).getByText('60 of 60 have all of it').waitFor();
  await visitor.checkAccessibility();
});

test('a scheduler has a page with what wants attention about it', async () => {
  await using served = await serveConsole(browser);
  const place = { host_name: 'scheduler-1', ip: '127.0.0.1', port: 8002, scheduler_cluster_id: 1 };
  await served.rest.ok('POST', '/api/v1/schedulers', place);
  await using visitor = await served.visit();
  await visitor.signIn('root', rootPassword);
  await visitor.go('/schedulers');
  await visitor.page.getByRole('link', { name: 'scheduler-1' }).click();
  await visitor.heading('scheduler-1');
  await visitor.sees('127.0.0.1:8002');
  await visitor.sees('Nodes of its cluster');
  await visitor.page.getByRole('alert').filter({ hasText: 'scheduler-1' }).waitFor();
  await visitor.checkAccessibility();
});

test('Ctrl-K leads anywhere by name', async () => {
  await using served = await serveConsole(browser);
  await using visitor = await served.visit();
  await visitor.signIn('root', rootPassword);
  await visitor.page.keyboard.press('Control+k');
  await visitor.page.getByRole('combobox', { name: 'Name of a place or a node' }).fill('certif');
  await visitor.page.getByRole('option', { name: 'Certificates' }).waitFor();
  await visitor.checkAccessibility();
  await visitor.page.keyboard.press('Enter');
  await visitor.heading('Certificates');
  await visitor.page.getByRole('dialog').waitFor({ state: 'detached' });
});

async function recordWeeks({ manager }: ServedConsole): Promise<void> {
  const now = Date.now();
  const grown = (kind: ShareKind, name: string, atMs: number, times: number) => ({
    clusterId: 1,
    kind,
    name,
    atMs,
    originBytes: times * gib,
    peerBytes: times * 9 * gib,
    givenBytes: 0,
    downloads: 1,
    failures: 0,
  });
  const kinds = [
    ['application', 'training'],
    ['zone', 'zone-a'],
    ['node', 'node-7'],
  ] as const;
  await new ShareStore(manager.database).add(
    kinds.flatMap(([kind, name]) => [grown(kind, name, now, 1), grown(kind, name, now - 10 * dayMs, 0.5)]),
  );
  const ended = Distribution.fromPartial({
    number: 1,
    taskId: 'a'.repeat(64),
    url: 'http://origin.test/model.bin',
    contentLength: gib,
    originBytes: gib,
    peerBytes: 29 * gib,
    startedAtMs: now - 60_000,
    endedAtMs: now - 20_000,
    downloads: 30,
    lastNode: 'node-7',
    slowestMs: 39_000,
  });
  const ids = await new DistributionStore(manager.database).add(1, '127.0.0.1:8002 5', [ended]);
  const recording = Recording.fromPartial({
    pieceLength: gib / 4,
    pieceCount: 4,
    stepMs: 1_000,
    peers: [
      { hostName: 'seed', idc: 'zone-a', type: 'seed', endedMs: 20_000 },
      { hostName: 'node-7', idc: 'zone-b', type: 'normal', beganMs: 500, endedMs: 39_000 },
      { hostName: 'older', idc: 'zone-b', type: 'normal', heldBefore: true },
    ],
    // Four from the origin to the seed, then two from each of the others to the node.
    moves: [0, 0, 0, 4, 5, 1, 1, 2, 38, 1, 3, 2],
  });
  await new RecordingStore(manager.database).add(ids.get(1) ?? 0, recording);
}
