/**
 * Attacks on nodes and on what they keep, of kinds that no other test has: what is finished is looked at again, who a peer is, files of others, lists
 * that are more than they seem. As in attacks.test.ts each is a row, and holds when what it is after does not happen.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { makeBundle } from '../../src/core/bundle/bundle.ts';
import { taskId } from '../../src/core/ids.ts';
import { defaultFilteredQueryParams } from '../../src/core/net/signed-urls.ts';
import { textForBundle } from '../../src/core/task-name.ts';
import { createClient } from '../../src/rpc/client.ts';
import { Download } from '../../gen/common/v2/common.ts';
import { AnnouncePeerRequest, SchedulerDefinition } from '../../gen/scheduler/v2/scheduler.ts';
import { serveBody, startOrigin } from '../proxy/support/proxy-fixture.ts';
import { LocalSwarm, type Daemon } from '../support/local-swarm.ts';
import { productCommand } from '../support/product.ts';
import { waitFor } from '../support/wait-for.ts';
import { announce } from './hostile-parent.ts';

const bytes = 3 * 2 ** 20 + 5;
const contents: Readonly<Record<string, Buffer>> = { '/one': randomBytes(bytes), '/two': randomBytes(bytes) };
const secret = Buffer.alloc(bytes, 'of this machine alone. ');

interface Lab {
  readonly swarm: LocalSwarm;
  readonly origin: { readonly url: string; readonly seen: readonly { readonly url: string }[] };
  readonly b: Daemon;
}

interface Attack {
  readonly root: string;
  readonly what: string;
  readonly run: (lab: Lab) => Promise<void>;
}

/** What becomes of the files of a store while its daemon is away. */
const tampering: readonly [what: string, how: (one: string, two: string, directory: string) => void][] = [
  ['two files are exchanged', exchange],
  ['one is a link to another file of the machine', (one, _two, directory) => linked(one, directory)],
  [
    'one has lost its end, and got zeros there',
    (one) => keepingTimes(one, () => (truncateSync(one, 2 ** 20), truncateSync(one, bytes))),
  ],
  ['one is a directory', (one) => (rmSync(one), mkdirSync(one))],
  [
    'one has other bytes, with the times of before',
    (one) => keepingTimes(one, () => writeFileSync(one, randomBytes(bytes))),
  ],
];

const attacks: readonly Attack[] = [
  ...tampering.map(([what, how]) => ({
    root: 'what is finished',
    what: `${what} while the daemon is away`,
    run: async ({ swarm, origin, b }: Lab) => {
      const name = `a-${what.length}`;
      const urls = ['/one', '/two'].map((path) => `${origin.url}${path}?${what.length}`);
      const a = await swarm.startDaemon(name);
      for (const url of urls) await swarm.download(a, { url });
      await swarm.stopDaemon(name);
      const [one = '', two = ''] = urls.map((url) => storedAt(swarm, name, taskId({ url })));
      how(one, two, swarm.directory.path);
      const again = await swarm.startDaemon(name);
      for (const daemon of [again, b])
        for (const [index, url] of urls.entries()) {
          const outputPath = swarm.directory.join(`${daemon.name}-${what.length}-${index}.out`);
          await swarm.download(daemon, { url, outputPath });
          assert.ok(
            readFileSync(outputPath).equals(contents[['/one', '/two'][index] ?? ''] ?? secret),
            `${daemon.name} ${url}`,
          );
        }
      await swarm.stopDaemon(name);
    },
  })),
  {
    root: 'certificates and roles',
    what: 'a node registers as the peer of another, and takes over what that one is told',
    run: async ({ swarm, b }) => {
      let release = (): void => undefined;
      const held = new Promise<void>((resolve) => (release = resolve));
      await using origin = await startOrigin((_request, response) => {
        response.writeHead(200, { 'content-length': bytes, etag: '"x"' });
        response.write((contents['/one'] ?? secret).subarray(0, 1000));
        void held.then(() => response.end((contents['/one'] ?? secret).subarray(1000)));
      });
      const url = `${origin.url}/slow`;
      const outputPath = swarm.directory.join('taken-over.out');
      const victim = swarm.download(b, { url, outputPath });
      await waitFor('the origin is asked', () => (origin.seen.length > 0 ? true : undefined));
      const id = taskId({ url });
      const scheduler = createClient(SchedulerDefinition, swarm.channels, swarm.schedulerAddresses[0] ?? '');
      await announce(swarm, 'thief', 4321);
      // Peers learn each other's ids when they are given as parents.
      const { tasks } = await swarm.client(b).listLocalTasks({});
      assert.ok(tasks.some(({ taskId: each }) => each === id));
      const peers = await parentsOf(swarm, url);
      for (const peerId of peers) {
        const request = AnnouncePeerRequest.fromPartial({
          hostId: '127.0.0.1-thief',
          taskId: id,
          peerId,
          request: { $case: 'registerPeerRequest', value: { download: Download.fromPartial({ url }) } },
        });
        await assert.rejects(first(scheduler.announcePeer(one(request), { signal: AbortSignal.timeout(3000) })), {
          code: 'PERMISSION_DENIED',
        });
        const downloadFailed = {
          ...request,
          request: { $case: 'downloadPeerFailedRequest' as const, value: { description: 'x' } },
        };
        await assert.rejects(first(scheduler.announcePeer(one(downloadFailed), { signal: AbortSignal.timeout(3000) })));
      }
      release();
      await victim;
      assert.ok(readFileSync(outputPath).equals(contents['/one'] ?? secret));
    },
  },
  {
    root: 'bounds',
    what: 'lists of bundles that are a thousand times what is sent keep a scheduler busy',
    run: async ({ swarm, origin }) => {
      await announce(swarm, 'bomber', 4322);
      const scheduler = createClient(SchedulerDefinition, swarm.channels, swarm.schedulerAddresses[0] ?? '');
      const bombs = [
        '['.repeat(2 ** 20 - 1),
        `[${'[],'.repeat(300_000)}[]]`,
        JSON.stringify(Array.from({ length: 4096 }, (_, n) => [`f${n}`, 1, '"'.padEnd(200, 'x')])),
      ].map((text) => deflateRawSync(text));
      const { listDigest } = makeBundle([{ path: 'a', lengthBytes: 1, validator: '"1"' }]);
      const startMs = performance.now();
      let calls = 0;
      for (let time = 0; time < 40; time += 1)
        for (const bundle of bombs) {
          const url = `${origin.url}/tree/`;
          const name = textForBundle(url, defaultFilteredQueryParams, { listDigest, rest: String(time) });
          const download = Download.fromPartial({
            url,
            contentForCalculatingTaskId: name,
            bundle,
          });
          const request = AnnouncePeerRequest.fromPartial({
            hostId: '127.0.0.1-bomber',
            taskId: taskId({ url, contentForCalculatingTaskId: name }),
            peerId: `bomber-${calls}`,
            request: { $case: 'registerPeerRequest', value: { download } },
          });
          await assert.rejects(first(scheduler.announcePeer(one(request), { signal: AbortSignal.timeout(10_000) })));
          calls += 1;
        }
      const each = (performance.now() - startMs) / calls;
      assert.ok(each < 30, `${each.toFixed(1)} ms for each`);
    },
  },
  {
    root: 'bounds',
    what: 'thousands of addresses that nobody has leave something of each behind',
    run: async ({ swarm, b }) => {
      const rows = async (): Promise<number> => (await swarm.client(b).listLocalTasks({})).tasks.length;
      const before = await rows();
      await using refusing = await startOrigin((_request, response) => response.writeHead(404).end());
      for (let at = 0; at < 20; at += 1)
        await Promise.all(
          Array.from({ length: 25 }, (_, index) =>
            swarm.download(b, { url: `${refusing.url}/${at}-${index}` }).catch(() => undefined),
          ),
        );
      assert.ok((await rows()) - before < 50, `${(await rows()) - before} tasks`);
    },
  },
  ...(['dfdaemon', 'scheduler', 'manager'] as const).map((program) => ({
    root: 'what is finished',
    what: `a ${program} that was started without a umask leaves its files open to others`,
    run: ({ swarm }: Lab) => closed(swarm, program),
  })),
];

describe('attacks on nodes', { timeout: 300_000 }, () => {
  const cleanup = new AsyncDisposableStack();
  let lab: Lab;

  before(async () => {
    const swarm = cleanup.use(await LocalSwarm.create());
    await swarm.startScheduler();
    const origin = cleanup.use(
      await startOrigin((request, response) => {
        const content = contents[(request.url ?? '').split('?', 1)[0] ?? ''];
        if (content) serveBody(content)(request, response);
        else response.writeHead(404).end();
      }),
    );
    lab = { swarm, origin, b: await swarm.startDaemon('b') };
  });
  after(() => cleanup.disposeAsync());

  for (const { root, what, run } of attacks) test(`${root}: ${what}`, () => run(lab));
});

function storedAt(swarm: LocalSwarm, name: string, id: string): string {
  return swarm.directory.join(name, 'data', 'content', 'tasks', id.slice(0, 3), id);
}

function keepingTimes(path: string, change: () => void): void {
  const { atime, mtime } = statSync(path);
  change();
  utimesSync(path, atime, mtime);
}

function exchange(one: string, two: string): void {
  const aside = join(dirname(one), 'aside');
  renameSync(one, aside);
  renameSync(two, one);
  renameSync(aside, two);
}

function linked(one: string, directory: string): void {
  const target = join(directory, 'secret');
  writeFileSync(target, secret, { mode: 0o600 });
  rmSync(one);
  symlinkSync(target, one);
}

/** Who holds or fetches it, as a child is told. */
async function parentsOf(swarm: LocalSwarm, url: string): Promise<string[]> {
  const scheduler = createClient(SchedulerDefinition, swarm.channels, swarm.schedulerAddresses[0] ?? '');
  const request = AnnouncePeerRequest.fromPartial({
    hostId: '127.0.0.1-thief',
    taskId: taskId({ url }),
    peerId: 'thief-peer',
    request: { $case: 'registerPeerRequest', value: { download: Download.fromPartial({ url }) } },
  });
  const found: string[] = [];
  try {
    for await (const { response } of scheduler.announcePeer(one(request), { signal: AbortSignal.timeout(5000) })) {
      const text = JSON.stringify(response);
      found.push(...[...text.matchAll(/"(?:peerId|id)":"(127\.0\.0\.1-b-[^"]+)"/g)].map(([, id = '']) => id));
      if (found.length > 0) break;
    }
  } catch {
    // none in time
  }
  return found;
}

async function first(answers: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of answers) return;
}

async function* one<T>(message: T): AsyncGenerator<T> {
  yield message;
  await delay(2000, undefined, { ref: false });
}

/** Starts the program as it is installed, with no umask, and looks at everything it has written. */
async function closed(swarm: LocalSwarm, program: 'dfdaemon' | 'scheduler' | 'manager'): Promise<void> {
  const root = swarm.directory.join(`umask-${program}`);
  mkdirSync(root, { mode: 0o755 });
  const local = { port: 0, listen: '127.0.0.1' };
  const configs = {
    dfdaemon: {
      dataDir: join(root, 'data'),
      cacheDir: join(root, 'cache'),
      workHome: join(root, 'work'),
      logDir: join(root, 'log'),
      host: { advertiseIP: '127.0.0.1' },
      health: { tcpListen: local },
      upload: { tcpListen: local },
      proxy: { tcpListen: local },
      download: {
        downloadGRPC: { unixListen: { socket: join(root, 'run', 'd.sock') } },
        peerGRPC: { tcpListen: local },
      },
      scheduler: { netAddrs: [] },
    },
    scheduler: {
      server: {
        port: 0,
        listenIP: '127.0.0.1',
        advertiseIP: '127.0.0.1',
        host: 's',
        cacheDir: join(root, 'cache'),
        logDir: join(root, 'log'),
      },
      manager: { addr: '' },
    },
    manager: {
      server: {
        grpc: { listenIP: '127.0.0.1', port: { start: 0 } },
        rest: { addr: '127.0.0.1:0' },
        logDir: join(root, 'log'),
      },
      database: { sqlite: { path: join(root, 'db', 'manager.db') } },
      security: { autoIssueCert: true },
    },
  };
  const config = join(root, 'config.yaml');
  writeFileSync(config, JSON.stringify(configs[program]), { mode: 0o600 });
  const [command, ...words] = productCommand(program);
  const child = spawn('/bin/sh', ['-c', 'umask 0; exec "$@"', 'sh', command, ...words, '--config', config], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, HOME: root },
  });
  let said = '';
  child.stdout.on('data', (block: Buffer) => (said += block.toString()));
  child.stderr.on('data', (block: Buffer) => (said += block.toString()));
  const exited = once(child, 'exit');
  try {
    await Promise.race([delay(6000), exited.then(() => assert.fail(said))]);
    const open = openEntries(root, ['config.yaml']);
    assert.deepEqual(open, []);
  } finally {
    child.kill('SIGTERM');
    await exited;
  }
}

/** What others than the owner could write, or read though it is theirs alone to keep: whatever lies behind a closed directory is not. */
function openEntries(directory: string, except: readonly string[]): string[] {
  return readdirSync(directory).flatMap((name) => {
    if (except.includes(name)) return [];
    const path = join(directory, name);
    const stats = lstatSync(path);
    const mode = stats.mode & 0o777;
    if (stats.isDirectory())
      return [
        ...((mode & 0o022) === 0 ? [] : [`${path} ${mode.toString(8)}`]),
        ...((mode & 0o001) === 0 ? [] : openEntries(path, [])),
      ];
    const mayRead = /\.(?:crt|sock|log)$/.test(name) || stats.isSocket();
    return (mode & 0o002) !== 0 || (!mayRead && (mode & 0o004) !== 0) ? [`${path} ${mode.toString(8)}`] : [];
  });
}
