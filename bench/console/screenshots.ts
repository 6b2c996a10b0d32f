/**
 * Pictures of every screen of the console, light and dark, on a desktop and on a phone, beside a cluster of processes
 * that distributes something: for people to look at after a change of the looks.
 *
 * node bench/console/screenshots.ts DIRECTORY
 */
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Visitor } from '../../test/console/browser.ts';
import { startLiveCluster, type LiveCluster } from '../../test/console/live-cluster.ts';
import { screens } from '../../test/console/screens.ts';

const mebibyte = 1024 * 1024;
const desktop = { width: 1360, height: 860 };
const phone = { width: 390, height: 844 };
const looks = {
  light: { colorScheme: 'light', viewport: desktop },
  dark: { colorScheme: 'dark', viewport: desktop },
  'light-phone': { colorScheme: 'light', viewport: phone },
  'dark-phone': { colorScheme: 'dark', viewport: phone },
} as const;

const directory = process.argv[2];
if (directory === undefined) throw new Error('usage: node bench/console/screenshots.ts DIRECTORY');
await mkdir(directory, { recursive: true });

await using live = await startLiveCluster();
const paths = [...screens, ...(await furnish(live))];
await using visitor = await live.visit();
for (const [look, { colorScheme, viewport }] of Object.entries(looks)) {
  await visitor.page.emulateMedia({ colorScheme });
  await visitor.page.setViewportSize(viewport);
  for (const path of paths) await picture(visitor, path, join(directory, `${nameOf(path)}.${look}.png`));
  process.stdout.write(`${look}: ${paths.length} screens\n`);
}
live.origin.release('/big-model.bin', Infinity);

/** Something to see in every list. Returns the screens of what was made. */
async function furnish({ origin, rest, downloadOnPeers, visit }: LiveCluster): Promise<string[]> {
  const api = await rest();
  await api.ok('POST', '/api/v1/applications', {
    name: 'training',
    url: 'https://models.example.com',
    bio: 'Weights for the training fleet',
    priority: { value: 2 },
    user_id: 1,
  });
  await api.ok('POST', '/api/v1/configs', { name: 'site', value: 'eu-west', bio: 'Where this is', user_id: 1 });
  await api.ok('POST', '/api/v1/users', { name: 'ada', password: 'correct-horse', email: 'ada@example.com' });
  await downloadOnPeers(origin.add('/dataset.tar', { content: randomBytes(64 * mebibyte) }));
  const running = origin.add('/big-model.bin', { content: randomBytes(64 * mebibyte), gated: true });
  origin.release('/big-model.bin', 40 * mebibyte);
  downloadOnPeers(running).catch(() => undefined);
  await using visitor = await visit();
  const jobs: string[] = [];
  for (const url of [origin.add('/weights.bin', { content: randomBytes(9 * mebibyte) }), origin.url('/absent.bin')]) {
    await visitor.go(`/preheat?type=file&url=${encodeURIComponent(url)}`);
    await visitor.button('Start').click();
    await visitor.heading(/^Preheat #/);
    await visitor.sees(/^(Succeeded|Failed)$/);
    jobs.push(new URL(visitor.page.url()).pathname);
  }
  await visitor.go('/tasks');
  await visitor.page.getByRole('link', { name: 'big-model.bin' }).click();
  await visitor.heading('big-model.bin');
  return [...jobs, new URL(visitor.page.url()).pathname];
}

async function picture(visitor: Visitor, path: string, file: string): Promise<void> {
  await visitor.go(path);
  await visitor.page.getByRole('heading', { level: 1 }).waitFor();
  await visitor.page.getByRole('progressbar', { name: 'Loading' }).first().waitFor({ state: 'detached' });
  await visitor.page.screenshot({ path: file, fullPage: true });
}

function nameOf(path: string): string {
  return path.replace(/[^a-z0-9]+/gi, '-').replace(/^-|-$/g, '') || 'overview';
}
