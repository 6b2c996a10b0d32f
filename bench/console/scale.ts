/**
 * The console at size, in a real Chromium: 200 schedulers, 5,000 peers and 10,000 jobs in the database, and a swarm of
 * 5,000 live. Prints how long each screen takes until it can be used, and frames per second of the live view.
 *
 *   node bench/console/scale.ts [PEERS]      (after npm run -w console build)
 */
import { chromium, type Page } from 'playwright-core';
import { silentLogger } from '../../src/core/process/logger.ts';
import { Registry } from '../../src/core/metrics.ts';
import { managerConfigSchema } from '../../src/manager/config.ts';
import { ManagerService } from '../../src/manager/manager-service.ts';
import { fillYear } from './year-of-history.ts';
import { figuresText, pageFigures } from './page-figures.ts';
import { startScheduler, taskId } from './spreading-task.ts';

const peerCount = Number(process.argv[2] ?? 5_000);
const schedulerCount = 200;
const jobCount = 10_000;
const password = 'correct-horse';
const rowsPerInsert = 500;
const measuredMs = 8_000;
const visits = 3;

const screens: readonly (readonly [string, string, string])[] = [
  ['overview', '/', 'text=/Recent jobs/'],
  ['clusters', '/clusters', 'tbody tr'],
  ['cluster, its peers', '/clusters/1?tab=peers', 'tbody tr'],
  ['schedulers', '/schedulers', 'tbody tr'],
  ['peers', '/peers', 'tbody tr'],
  ['peers, last page of 100', `/peers?per_page=100&page=${peerCount / 100}`, 'tbody tr'],
  ['peers, searched', '/peers?search=node-49', 'tbody tr'],
  ['jobs', '/jobs', 'tbody tr'],
  ['jobs, last page', `/jobs?page=${jobCount / 25}`, 'tbody tr'],
  ['audit', '/audit', 'tbody tr'],
  ['live tasks', '/tasks', 'tbody tr'],
  ['a year, by application', '/history?range=year&by=application', 'tbody tr'],
  ['a year, by node', '/history?range=year&by=node', 'tbody tr'],
  ['a year of one node', '/history?range=year&by=node&name=node-7', 'tbody tr'],
  ['a year, by name of content', '/history?range=year&url=models/49', 'tbody tr'],
  ['monthly report', '/report', 'tbody tr'],
];

async function main(): Promise<void> {
  await using scheduler = await startScheduler(peerCount);
  const config = managerConfigSchema.parse({
    database: { sqlite: { path: ':memory:' } },
    server: { grpc: { listenIP: '127.0.0.1', port: { start: 0 } }, rest: { addr: '127.0.0.1:0' } },
    liveness: { timeout: '1h' },
  });
  await using manager = await ManagerService.create(config, {
    logger: silentLogger,
    registry: new Registry(),
    operator: { rootPassword: password },
  });
  await fill(manager, scheduler.port);
  await manager.start();
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
  });
  try {
    const page = await browser.newPage({ viewport: { width: 1360, height: 860 } });
    const base = `http://127.0.0.1:${manager.restPort}`;
    await signIn(page, base);
    console.log(`${await fillYear(manager.database, peerCount)} rows of a year of history`);
    for (const [name, path, ready] of screens)
      console.log(`${name.padEnd(28)} ${await timeTo(page, base + path, ready)} ms`);
    const signedIn = { storageState: await page.context().storageState() };
    console.log('\nfirst visits, nothing in the cache');
    for (const [name, path, ready, options] of [
      ['sign-in', '/signin', 'button[type=submit]', {}],
      ['overview', '/', 'text=/Recent jobs/', signedIn],
      ['clusters', '/clusters', 'tbody tr', signedIn],
      ['jobs', '/jobs', 'tbody tr', signedIn],
      ['a task, live', `/tasks/${taskId}`, 'canvas', signedIn],
    ] as const)
      console.log(`${name.padEnd(28)} ${figuresText(await pageFigures(browser, base + path, ready, options))}`);
    console.log();
    const { framesPerSec, longestMs } = await frames(page, `${base}/tasks/${taskId}`);
    console.log(
      `live view of ${peerCount} peers    ${framesPerSec.toFixed(1)} frames per second, longest frame ${longestMs.toFixed(0)} ms`,
    );
  } finally {
    await browser.close();
  }
}

async function fill({ database: { db } }: ManagerService, schedulerPort: number): Promise<void> {
  const now = Date.now();
  const stamps = { created_at: now, updated_at: now };
  const place = { idc: 'fra-1', location: 'eu|de|fra' };
  const member = { ...stamps, ...place, last_keep_alive_at: now, keep_alive_owner: '', scheduler_cluster_id: 1 };
  const software = {
    os: 'linux',
    platform: 'debian',
    platform_family: 'debian',
    platform_version: '13',
    kernel_version: '6.12',
    git_version: '0.1.0',
    git_commit: '',
    build_platform: '',
  };
  await insert('scheduler', schedulerCount, (index) => ({
    ...member,
    host_name: `scheduler-${index}`,
    ip: index === 0 ? '127.0.0.1' : `10.1.0.${index}`,
    port: index === 0 ? schedulerPort : 8002,
    // One of them answers; the others are rows.
    state: index === 0 ? 'active' : 'inactive',
    features: '["schedule","preheat"]',
    config: '{}',
  }));
  await insert('peer', peerCount, (index) => ({
    ...stamps,
    ...place,
    ...software,
    host_name: `node-${index}`,
    type: 'normal',
    ip: `10.2.${index >> 8}.${index & 255}`,
    port: 65_000,
    download_port: 65_002,
    proxy_port: 65_001,
    object_storage_port: 0,
    state: 'active',
    scheduler_cluster_id: 1,
  }));
  await insert('job', jobCount, (index) => ({
    created_at: now - index * 1_000,
    updated_at: now - index * 1_000,
    task_id: `group_${index}`,
    bio: '',
    type: 'preheat',
    state: index % 10 === 0 ? 'FAILURE' : 'SUCCESS',
    args: JSON.stringify({ type: 'file', url: `https://files.example.com/${index}.bin` }),
    sealed_args: '',
    task_result: null,
    user_id: 1,
    lease_owner: '',
    lease_expires_at: 0,
    attempt: 1,
    cancel_requested: 0 as const,
  }));

  async function insert(
    table: 'scheduler' | 'peer' | 'job',
    count: number,
    row: (index: number) => object,
  ): Promise<void> {
    for (let from = 0; from < count; from += rowsPerInsert) {
      const rows = Array.from({ length: Math.min(rowsPerInsert, count - from) }, (_, index) => row(from + index));
      await db
        .insertInto(table)
        .values(rows as never)
        .execute();
    }
  }
}

async function signIn(page: Page, base: string): Promise<void> {
  await page.goto(`${base}/signin`);
  await page.getByLabel('User name').fill('root');
  await page.getByLabel('Password').fill(password);
  await page.keyboard.press('Enter');
  await page.getByRole('navigation', { name: 'Places' }).waitFor();
}

/** From the first byte asked for until the rows are there, the files being in the browser's cache; the best of some. */
async function timeTo(page: Page, url: string, ready: string): Promise<number> {
  let best = Infinity;
  for (let visit = 0; visit < visits; visit += 1) {
    const started = performance.now();
    await page.goto(url, { waitUntil: 'commit' });
    await page.locator(ready).first().waitFor();
    best = Math.min(best, performance.now() - started);
  }
  return Math.round(best);
}

async function frames(page: Page, url: string): Promise<{ framesPerSec: number; longestMs: number }> {
  await page.goto(url);
  await page.getByRole('img', { name: /^Live picture/ }).waitFor();
  return page.evaluate<{ framesPerSec: number; longestMs: number }>(`new Promise((resolve) => {
    const times = [];
    const frame = (now) => {
      times.push(now);
      if (now - times[0] < ${measuredMs}) return requestAnimationFrame(frame);
      const gaps = times.slice(1).map((time, index) => time - times[index]);
      resolve({ framesPerSec: (times.length - 1) / (times.at(-1) - times[0]) * 1000, longestMs: Math.max(...gaps) });
    };
    requestAnimationFrame(frame);
  })`);
}

await main();
