/**
 * Random people ask random origins for random objects at the same time, directly and by way of a node alone, of two nodes and of
 * two nodes with a seed, as a forward proxy and inside intercepted tunnels: nobody gets anything but what the origin tells him directly, except for what docs/proxy.md names.
 * DRAGONFLY_FUZZ_SECONDS makes it longer; a failure prints its seed.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { issueCertificates } from '../source/certificates.ts';
import { firstFuzzSeed, FuzzRandom, fuzzSeconds } from '../support/fuzz.ts';
import { LocalSwarm } from '../support/local-swarm.ts';
import {
  answerWith,
  contentOf,
  makeObject,
  makeQuestion,
  pathOf,
  type Question,
  type ScriptedObject,
} from './support/object-script.ts';
import {
  ask,
  startDaemon,
  startOrigin,
  type Answer,
  type Origin,
  type ProxiedDaemon,
} from './support/proxy-fixture.ts';
import { askInTunnel } from './support/tunnel.ts';

/** How a request reaches a node: in the clear, or in a tunnel that it intercepts. */
const wayKinds = ['forward', 'forward', 'http/1.1', 'h2'] as const;
/** Seeds that found something once. */
const corpus: readonly number[] = [1, 2, 191_935_764];

describe(`everybody is told by the nodes what the origin tells him, from seed ${firstFuzzSeed}`, () => {
  const closers = new AsyncDisposableStack();
  const objects = new Map<string, ScriptedObject>();
  const listener: RequestListener = (request, response) => {
    const object = objects.get(/o\d+-\d+/.exec(request.url ?? '')?.[0] ?? '');
    if (object) return answerWith(object, request, response);
    response.writeHead(200, { 'content-type': 'text/html', etag: '"login"', 'content-length': 5 }).end('login');
  };
  let origin: Origin;
  /** `address:port` of the same by HTTPS. */
  let secureHost: string;
  let nodes: readonly [ProxiedDaemon, ...ProxiedDaemon[]];
  before(async () => {
    origin = closers.use(await startOrigin(listener));
    const { ca, cert, key } = await issueCertificates([{ type: 'ip', value: '127.0.0.1' }]);
    const secure = createSecureServer({ cert, key }, listener).listen(0, '127.0.0.1');
    closers.defer(() => {
      secure.closeAllConnections();
      secure.close();
    });
    await once(secure, 'listening');
    secureHost = `127.0.0.1:${(secure.address() as AddressInfo).port}`;
    const swarm = closers.use(await LocalSwarm.create());
    const proxy = {
      proxies: [{ regx: '.*' }],
      connectPorts: ['1-65535'],
      hijackHTTPS: { autoCert: true, hosts: [{ regx: '127', certs: [ca] }] },
    };
    let started = 0;
    const start = async (schedulers: readonly string[], enable = false): Promise<ProxiedDaemon> => {
      const netAddrs = schedulers.map((addr) => ({ type: 'tcp', addr }));
      const host = { advertiseIP: '127.0.0.1', hostname: `node-${(started += 1)}` }; // two of one name are one host to a scheduler
      return closers.use(await startDaemon({ proxy, more: { host, scheduler: { netAddrs, seedPeer: { enable } } } }));
    };
    const [plain, seeded] = [await swarm.startScheduler(), await swarm.startScheduler()];
    await start([seeded], true);
    nodes = [await start([]), await start([plain]), await start([plain]), await start([seeded]), await start([seeded])];
  });
  after(() => closers.disposeAsync());

  async function conversation(seed: number): Promise<number> {
    const random = new FuzzRandom(seed);
    const object = makeObject(random, `o${seed}-0`);
    objects.set(object.id, object);
    const tags: [string, ...string[]] = ['"other"'];
    let count = 0;
    for (let round = 0; round < 6; round += 1) {
      const keeps = /max-age=[1-9]/.test(object.cacheControl); // what is fresh may be old
      if (random.below(5) === 0 && !keeps && object.kind !== 'blob') {
        object.version += 1;
        object.sizeBytes += 7 * random.below(2);
      }
      const questions = Array.from({ length: 1 + random.below(6) }, () => ({
        question: makeQuestion(random, object, tags),
        ways: [0, 1].map(() => ({ node: random.pick(nodes), kind: random.pick(wayKinds) })),
      }));
      const direct: Answer[] = [];
      for (const { question } of questions) direct.push(await askDirectly(object, question));
      for (const { headers } of direct) if (headers.etag !== undefined) tags.push(headers.etag);
      await Promise.all(
        questions.map(async ({ question, ways }, index) => {
          for (const { node, kind } of ways) {
            count += 1;
            const about = `seed ${seed}, round ${round}, node ${nodes.indexOf(node)}, ${kind}: ${JSON.stringify({ ...question, ...object })}`;
            const through = await askThrough(node, kind, pathOf(object), question);
            same({ object, question, direct: direct[index] as Answer, through, about });
          }
        }),
      );
    }
    objects.delete(object.id);
    return count;
  }

  /** As a client that follows redirects to content; the proxy may do that for it. */
  async function askDirectly(object: ScriptedObject, { method, header }: Question): Promise<Answer> {
    const port = Number(new URL(origin.url).port);
    return ask({ port }, `${object.redirects ? '/moved' : ''}${pathOf(object)}`, { method, headers: { ...header } });
  }

  async function askThrough(
    node: ProxiedDaemon,
    kind: (typeof wayKinds)[number],
    path: string,
    { method, header }: Question,
  ): Promise<Answer> {
    const asked = { method, headers: { ...header } };
    if (kind === 'forward') return ask(node, `${origin.url}${path}`, asked);
    const ca = await readFile(join(node.service.config.workHome, 'proxy-ca', 'ca.crt'), 'utf8');
    return askInTunnel({ proxyPort: node.port, host: secureHost, ca, ALPNProtocols: [kind] }, path, asked);
  }

  test('the corpus', async () => {
    for (const seed of corpus) await conversation(seed);
  });

  test(`chance, ${fuzzSeconds} s`, { timeout: (fuzzSeconds + 120) * 1000 }, async (t) => {
    const end = Date.now() + fuzzSeconds * 1000;
    let seed = firstFuzzSeed;
    let count = 0;
    const worker = async (): Promise<void> => {
      while (Date.now() < end) {
        const asked = await conversation((seed += 1));
        count += asked;
      }
    };
    await Promise.all([worker(), worker(), worker()]);
    t.diagnostic(`${seed - firstFuzzSeed} conversations, ${count} answers`);
  });
});

interface Compared {
  readonly object: ScriptedObject;
  readonly question: Question;
  readonly direct: Answer;
  readonly through: Answer;
  readonly about: string;
}

const compared = [
  'etag',
  'content-range',
  'content-type',
  'content-encoding',
  'cache-control',
  'vary',
  'last-modified',
  'set-cookie',
];

function same({ object, question, direct, through, about }: Compared): void {
  if (object.redirects && through.status === 307) return;
  if (isNamed({ object, question, direct, through })) return;
  assert.equal(through.status, direct.status, about);
  assert.ok(through.body.equals(direct.body), `the body differs. ${about}`);
  if (through.status >= 300) return;
  const names = object.kind === 'blob' ? ['content-range', 'content-encoding'] : compared;
  for (const name of names) assert.deepEqual(through.headers[name], direct.headers[name], `${name}. ${about}`);
}

/** All of a blob, or the part that the answer names. */
function isContent(object: ScriptedObject, { status, headers, body }: Answer): boolean {
  const content = contentOf(object, '', '');
  const [, first = '0', last = String(content.length - 1)] =
    /^bytes (\d+)-(\d+)\//.exec(headers['content-range'] ?? '') ?? [];
  return (status === 200 || status === 206) && body.equals(content.subarray(Number(first), Number(last) + 1));
}

/** What docs/proxy.md says about objects that are stored: they have ranges and conditions, and are not coded. */
function isNamed({ object, question, direct, through }: Omit<Compared, 'about'>): boolean {
  const { range, 'accept-encoding': codings } = question.header;
  if (!object.conditions && (through.status === 304 || through.status === 412)) return true;
  if (object.kind === 'blob' && direct.status === 304 && question.header['if-modified-since'] !== undefined)
    return isContent(object, through);
  if (codings !== undefined && direct.headers['content-encoding'] !== undefined)
    return through.status < 300 && through.headers['content-encoding'] === undefined;
  if (object.ranges || range === undefined || direct.status !== 200) return false;
  const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(through.headers['content-range'] ?? '') ?? [];
  if (through.status === 416) return Number(/^bytes=(\d+)/.exec(range)?.[1] ?? 0) >= object.sizeBytes;
  const part = direct.body.subarray(Number(first), Number(last) + 1);
  return through.status === 206 && Number(total) === object.sizeBytes && through.body.equals(part);
}
