/**
 * Pictures of every screen of the console, light and dark, on a desktop and on a phone, in English and in Chinese, beside a
 * cluster of processes that distributes something, or one in which a node is lost and another hangs: for people to look at after
 * a change of the looks. Says which screens are wider than their window. Chinese needs a font that has it (fonts-noto-cjk).
 *
 * node bench/console/screenshots.ts DIRECTORY [--broken]
 */
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ManagedProcess } from '../../src/cli/up/managed-process.ts';
import type { Visitor } from '../../test/console/browser.ts';
import { startLiveCluster, type LiveCluster } from '../../test/console/live-cluster.ts';
import { screens } from '../../test/console/screens.ts';

const mebibyte = 1024 * 1024;
const desktop = { width: 1440, height: 900 };
const phone = { width: 390, height: 844 };
const windows = { desktop, phone };
const schemes = ['light', 'dark'] as const;
const languages = ['en', 'zh'];

const directory = process.argv[2];
if (directory === undefined) throw new Error('usage: node bench/console/screenshots.ts DIRECTORY');
await mkdir(directory, { recursive: true });

const broken = process.argv.includes('--broken');

await using live = await startLiveCluster();
const paths = [...screens, ...(await furnish(live))];
const hung = broken ? await breakNodes(live) : undefined;
for (const language of languages) {
  await using visitor = await live.visit({ expectOutage: broken });
  await visitor.page.evaluate((chosen) => localStorage.setItem('dragonfly-language', chosen), language);
  for (const colorScheme of schemes)
    for (const [name, viewport] of Object.entries(windows)) {
      await visitor.page.emulateMedia({ colorScheme });
      await visitor.page.setViewportSize(viewport);
      const look = `${language}-${colorScheme}-${name}`;
      for (const path of paths) await picture(visitor, path, join(directory, `${nameOf(path)}.${look}.png`));
      process.stdout.write(`${look}: ${paths.length} screens\n`);
    }
}
hung?.kill('SIGCONT');
live.origin.release('/big-model.bin', Infinity);

/** One node is gone, one says nothing. */
async function breakNodes({ cluster }: LiveCluster): Promise<ManagedProcess> {
  await cluster.kill('peer-1');
  const { process: silent } = cluster.daemon('peer-2');
  silent.kill('SIGSTOP');
  return silent;
}

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
  await visitor.page
    .getByRole('progressbar', { name: /^(Loading|加载中)/ })
    .first()
    .waitFor({ state: 'detached' });
  const overflow = await visitor.page.evaluate<number>('document.documentElement.scrollWidth - window.innerWidth');
  if (overflow > 0) process.stdout.write(`${file} is ${overflow} pixels wider than its window\n`);
  await visitor.page.screenshot({ path: file, fullPage: true });
}

function nameOf(path: string): string {
  return path.replace(/[^a-z0-9]+/gi, '-').replace(/^-|-$/g, '') || 'overview';
}
