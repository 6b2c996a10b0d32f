// needs: nginx
/** Readers of parts of content that nobody holds yet: they do not wait for what lies before, and the origin sends nothing twice. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { daemonLimits } from '../../src/dfdaemon/limits.ts';
import { LocalSwarm } from '../support/local-swarm.ts';
import { NginxOrigin } from '../support/nginx-origin.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { ask, startDaemon, startOrigin, type Origin, type ProxiedDaemon } from './support/proxy-fixture.ts';

const mib = 2 ** 20;
const content = randomBytes(40 * mib);
const rules = { proxies: [{ regx: '.*' }] };

interface Stage extends AsyncDisposable {
  readonly nodes: readonly ProxiedDaemon[];
}

/** Nodes with a scheduler, and a seed if wanted; a single node without any. */
async function stage({ nodes, seed = false }: { nodes: number; seed?: boolean }): Promise<Stage> {
  await using owned = new AsyncDisposableStack();
  const swarm = owned.use(await LocalSwarm.create());
  const schedulers = nodes === 1 ? [] : [await swarm.startScheduler()];
  const netAddrs = schedulers.map((addr) => ({ type: 'tcp', addr }));
  const host = (hostname: string) => ({ host: { advertiseIP: '127.0.0.1', hostname } });
  if (seed) {
    const more = { ...host('seed'), scheduler: { netAddrs, seedPeer: { enable: true } } };
    owned.use(await startDaemon({ proxy: rules, more }));
  }
  const daemons: ProxiedDaemon[] = [];
  for (let number = 0; number < nodes; number += 1)
    daemons.push(owned.use(await startDaemon({ proxy: rules, schedulers, more: host(`node-${number}`) })));
  const all = owned.move();
  return { nodes: daemons, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

interface HeldOrigin {
  readonly origin: Origin;
  /** Lets answers from the first byte on go beyond their first mebibyte. */
  release(): void;
  /** Without questions whether a caller may read, and without checks of what another node gave. */
  requests(): string[];
}

/** Where digests of pieces come too late on a busy machine, a part of what came from others is compared with the origin. */
function isCheck(range: string): boolean {
  const [first = 0, last = 0] = (/^bytes=(\d+)-(\d+)$/.exec(range) ?? []).slice(1).map(Number);
  return last - first + 1 === daemonLimits.originCheckBytes;
}

/** Answers every range at once; whoever reads from the first byte gets a mebibyte, and the rest when it is released. */
async function heldOrigin(): Promise<HeldOrigin> {
  const released = Promise.withResolvers<void>();
  const origin = await startOrigin((request, response) => {
    const match = /^bytes=(\d*)-(\d*)$/.exec(request.headers.range ?? '');
    const last = content.length - 1;
    const suffix = match?.[1] === '' ? Number(match[2]) : undefined;
    const start = suffix === undefined ? Number(match?.[1] ?? 0) : content.length - suffix;
    const end = suffix === undefined && match?.[2] ? Math.min(Number(match[2]), last) : last;
    const part = content.subarray(start, end + 1);
    response.writeHead(match ? 206 : 200, {
      etag: '"1"',
      'accept-ranges': 'bytes',
      'content-length': part.length,
      ...(match && { 'content-range': `bytes ${start}-${end}/${content.length}` }),
    });
    const held = start === 0 ? mib : part.length;
    response.write(part.subarray(0, held));
    if (held >= part.length) return void response.end();
    const aborted = new Promise((resolve) => response.once('close', resolve));
    void Promise.race([released.promise, aborted]).then(() => response.end(part.subarray(held)));
  });
  return {
    origin,
    release: () => released.resolve(),
    requests: () =>
      origin.seen
        .map(({ headers }) => headers.range ?? 'all')
        .filter((range) => range !== 'bytes=0-0' && !isCheck(range)),
  };
}

async function read(node: ProxiedDaemon, url: string, range: string): Promise<void> {
  const [first, last] = range.split('-').map(Number);
  const start = range.startsWith('-') ? content.length - (last ?? 0) : (first ?? 0);
  const end = range.startsWith('-') ? content.length : (last ?? 0) + 1;
  const answer = await ask(node, url, { headers: { Range: `bytes=${range}` } });
  assert.equal(answer.status, 206, range);
  assert.equal(answer.headers['content-range'], `bytes ${start}-${end - 1}/${content.length}`);
  assert.ok(answer.body.equals(content.subarray(start, end)), `the bytes of ${range}`);
}

describe('ranges of cold content', { timeout: 300_000 }, () => {
  for (const { name, ...setup } of [
    { name: 'a seed and two nodes', nodes: 2, seed: true },
    { name: 'two nodes', nodes: 2 },
    { name: 'one node alone', nodes: 1 },
  ]) {
    test(`come although the start of the content does not, with ${name}`, async () => {
      await using scene = await stage(setup);
      const held = await heldOrigin();
      await using origin = held.origin;
      const url = `${origin.url}/cold`;
      const [a, b = a] = scene.nodes;
      assert.ok(a && b);
      const whole = ask(a, url); // stands still after its first mebibyte
      await read(b, url, '-5000');
      await read(a, url, `${20 * mib}-${28 * mib - 1}`);
      await read(b, url, `${13 * mib + 77}-${13 * mib + 4077}`);
      await Promise.all([read(a, url, `${33 * mib}-${34 * mib}`), read(b, url, `${33 * mib}-${34 * mib}`)]);
      held.release();
      assert.ok((await whole).body.equals(content));
      assert.ok((await ask(b, url)).body.equals(content));
    });
  }

  test('stay known when their reader has left: others cause no request for them', async () => {
    await using scene = await stage({ nodes: 3 });
    const held = await heldOrigin();
    await using origin = held.origin;
    const url = `${origin.url}/left`;
    const [a, b, c] = scene.nodes;
    assert.ok(a && b && c);
    const range = `${16 * mib}-${24 * mib - 1}`;
    await read(a, url, range);
    await read(b, url, range);
    await read(c, url, range);
    assert.deepEqual(held.requests(), [`bytes=${range}`]);
    held.release();
    for (const node of scene.nodes) assert.ok((await ask(node, url)).body.equals(content));
    const again = held.requests().filter((request) => request !== `bytes=${range}`);
    for (const request of again) {
      const [first = 0, last = 0] = (/^bytes=(\d+)-(\d+)$/.exec(request) ?? []).slice(1).map(Number);
      assert.ok(last < 16 * mib || first >= 24 * mib, held.requests().join('\n'));
    }
  });

  test('of an origin that gives none are read from one answer', async () => {
    await using scene = await stage({ nodes: 3 });
    await using directory = await temporaryDirectory('df-ranges-');
    await using origin = await NginxOrigin.start({ directory: directory.path });
    await writeFile(join(origin.root, 'file'), content);
    const url = `${origin.url}/norange/file`;
    await Promise.all(
      scene.nodes.map((node, index) => read(node, url, `${(index + 1) * 10 * mib}-${(index + 1) * 10 * mib + 99}`)),
    );
    await origin.settled();
    const complete = (await origin.requests('/norange/file')).filter((request) => request.complete);
    assert.ok(complete.length <= 1, JSON.stringify(complete));
  });

  test('in parallel, as container runtimes ask for a layer: every byte once, fewer requests than without us', async () => {
    await using scene = await stage({ nodes: 3, seed: true });
    await using directory = await temporaryDirectory('df-ranges-');
    await using origin = await NginxOrigin.start({ directory: directory.path, rateBytesPerSec: 8 * mib });
    await writeFile(join(origin.root, 'layer'), content);
    const url = `${origin.url}/layer`;
    const chunk = 8 * mib;
    await Promise.all(
      scene.nodes.map(async (node) => {
        const queue = Array.from({ length: content.length / chunk }, (_, index) => index * chunk);
        const worker = async (): Promise<void> => {
          for (let start = queue.shift(); start !== undefined; start = queue.shift())
            await read(node, url, `${start}-${start + chunk - 1}`);
        };
        await Promise.all([worker(), worker(), worker()]);
      }),
    );
    await origin.settled();
    const requests = (await origin.requests('/layer')).filter(({ bytesSent }) => bytesSent > 1);
    const copies = requests.reduce((sum, { bytesSent }) => sum + bytesSent, 0) / content.length;
    const told = requests.map(({ range, bytesSent }) => `${range} ${bytesSent}`).join('\n');
    // What is on its way when an answer is cut short counts, and is more where this machine is slower than the origin.
    assert.ok(copies <= 2, `${copies} copies\n${told}`);
    assert.ok(requests.length < 15, told);
  });
});
