/**
 * The same random exchanges directly and by way of a node, inside an intercepted tunnel, too: what the origin sees of the request and what the client sees of the
 * answer differ in nothing but what docs/proxy.md names. DRAGONFLY_FUZZ_SECONDS makes it longer; a failure prints its seed.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { issueCertificates } from '../source/certificates.ts';
import { firstFuzzSeed, FuzzRandom, fuzzSeconds } from '../support/fuzz.ts';
import { type Message, valueOf } from './support/http-message.ts';
import { isForHttp2, playHttp2 } from './support/http2-exchange.ts';
import { makeScript, type Field, type Script } from './support/http-script.ts';
import { startDaemon, type ProxiedDaemon } from './support/proxy-fixture.ts';
import { plainSocket, playAll, ScriptedOrigin, type Outcome, type Way } from './support/scripted-exchange.ts';
import { openTunnel } from './support/tunnel.ts';

/** Seeds that found something once. */
const corpus: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8, 190498550];
/** Conversations at the same time: their requests share the node's connections to the origin. */
const abreast = 8;

describe(`what passes by way of a node is what passes directly, from seed ${firstFuzzSeed}`, () => {
  let daemon: ProxiedDaemon;
  let origin: ScriptedOrigin;
  let authority: string;
  let nextId = 0;
  before(async () => {
    const { ca, cert, key } = await issueCertificates([{ type: 'ip', value: '127.0.0.1' }]);
    origin = await ScriptedOrigin.start({ cert, key });
    const hijackHTTPS = { autoCert: true, hosts: [{ regx: '127', certs: [ca] }] };
    daemon = await startDaemon({ proxy: { connectPorts: ['1-65535'], hijackHTTPS } });
    authority = await readFile(join(daemon.service.config.workHome, 'proxy-ca', 'ca.crt'), 'utf8');
  });
  after(async () => {
    await daemon[Symbol.asyncDispose]();
    await origin[Symbol.asyncDispose]();
  });

  const host = (): Field => ['hOST', `127.0.0.1:${origin.port}`];
  const ways = (): Readonly<Record<'direct' | 'forward' | 'mirror' | 'intercepted', Way>> => ({
    direct: { open: () => plainSocket(origin.port), target: ({ target }) => target, fields: [host()], alone: true },
    forward: {
      alone: false,
      open: () => plainSocket(daemon.port),
      target: ({ target }) => `http://127.0.0.1:${origin.port}${target}`,
      fields: [host()],
    },
    mirror: {
      alone: false,
      open: () => plainSocket(daemon.port),
      target: ({ target }) => target,
      fields: [
        ['hOST', 'mirror.test'],
        ['X-Dragonfly-Registry', `http://127.0.0.1:${origin.port}`],
      ],
    },
    intercepted: {
      alone: false,
      open: () =>
        openTunnel({
          proxyPort: daemon.port,
          host: `127.0.0.1:${origin.securePort}`,
          ca: authority,
          ALPNProtocols: ['http/1.1'],
        }),
      target: ({ target }) => target,
      fields: [['hOST', `127.0.0.1:${origin.securePort}`]],
    },
  });

  /** @returns how many exchanges it were. */
  async function conversation(seed: number, isByHttp2: boolean): Promise<number> {
    const random = new FuzzRandom(seed);
    const scripts = Array.from({ length: 1 + random.below(3) }, () => makeScript(random, `q${(nextId += 1)}z`));
    for (const script of scripts) origin.expect(script);
    const results: { way: string; outcomes: Outcome[]; requests: Message[][] }[] = [];
    for (const [way, how] of Object.entries(ways())) {
      const outcomes = await playAll(scripts, how).catch((error: Error) => {
        throw new Error(`seed ${seed}, ${way}: ${error.message}\n${described(scripts)}`);
      });
      results.push({ way, outcomes, requests: scripts.map(({ id }) => origin.take(id)) });
    }
    const [direct, ...others] = results;
    if (isByHttp2) for (const [index, script] of scripts.entries()) await byHttp2(script, direct, index, seed);
    for (const { way, outcomes, requests } of others) {
      for (const [index, script] of scripts.entries()) {
        const about = `seed ${seed}, exchange ${index}, ${way}: ${described(script)}`;
        sameAnswer(script, direct?.outcomes[index], outcomes[index], about);
        sameRequest(script, direct?.requests[index]?.[0], plainly(requests[index]?.at(-1)), about);
      }
    }
    assert.deepEqual(origin.strange, [], `seed ${seed}: requests that nobody sent`);
    return scripts.length;
  }

  async function byHttp2(
    script: Script,
    direct: { outcomes: Outcome[]; requests: Message[][] } | undefined,
    index: number,
    seed: number,
  ): Promise<void> {
    if (!isForHttp2(script)) return;
    const about = `seed ${seed}, exchange ${index}, HTTP/2: ${described(script)}`;
    const host = `127.0.0.1:${origin.securePort}`;
    const secure = await openTunnel({ proxyPort: daemon.port, host, ca: authority, ALPNProtocols: ['h2'] });
    const outcome = await playHttp2(secure, host, script).catch((error: Error) => {
      throw new Error(`${error.message}\n${about}`);
    });
    sameByHttp2(direct?.outcomes[index], outcome, about);
    sameRequestByHttp2(direct?.requests[index]?.[0], plainly(origin.take(script.id).at(-1)), about);
  }

  /** As it were without TLS. */
  function plainly(message: Message | undefined): Message | undefined {
    const isHost = (name: string, value: string): boolean =>
      /^host$/i.test(name) && value === `127.0.0.1:${origin.securePort}`;
    return (
      message && {
        ...message,
        fields: message.fields.map(([name, value]): Field => [
          name,
          isHost(name, value) ? `127.0.0.1:${origin.port}` : value,
        ]),
      }
    );
  }

  test('the corpus', async () => {
    for (const seed of corpus) await conversation(seed, true);
  });

  // One conversation in a thousand is more than Node's client of HTTP/2 can say or take: only who looks for faults plays it by chance.
  const isLong = process.env['DRAGONFLY_FUZZ_SECONDS'] !== undefined;
  test(`chance, ${fuzzSeconds} s`, { timeout: (fuzzSeconds + 120) * 1000 }, async (t) => {
    const end = Date.now() + fuzzSeconds * 1000;
    let seed = firstFuzzSeed;
    let exchanges = 0;
    const worker = async (): Promise<void> => {
      while (Date.now() < end) {
        const played = await conversation((seed += 1), isLong);
        exchanges += played;
      }
    };
    await Promise.all(Array.from({ length: abreast }, worker));
    t.diagnostic(
      `${seed - firstFuzzSeed} conversations, ${exchanges} exchanges, each in four ways, and in a fifth what HTTP/2 can say`,
    );
  });
});

/** Short enough to be read. */
function described(scripts: unknown): string {
  return JSON.stringify(scripts, (_key, value: unknown) =>
    typeof value === 'string' && value.length > 80 ? `${value.slice(0, 20)}… ${value.length} in all` : value,
  );
}

const hopByHop = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'transfer-encoding', 'upgrade']);

function sameRequest(script: Script, direct: Message | undefined, through: Message | undefined, about: string): void {
  if (script.expect === 'refuse') return; // its body was never sent, so neither is a whole request
  if (!through && script.answer.early) return; // answered, and broken off, before it was whole
  assert.ok(direct && through, `the request did not arrive. ${about}`);
  assert.equal(through.start, direct.start.replace(/1\.0$/, '1.1'), about);
  assert.equal(through.framing, direct.framing, about);
  assert.ok(through.body === direct.body, `the request's body differs. ${about}`);
  assert.deepEqual(through.trailers, direct.trailers, about);
  const [sent, arrived] = [passedOn(direct.fields), passedOn(through.fields)];
  assert.deepEqual(arrived.filter(isNotVia), sent.filter(isNotVia), about);
  assert.match(valueOf(arrived, 'via') ?? '', /1\.[01] dragonfly-/);
}

function isNotVia([name]: Field): boolean {
  return name.toLowerCase() !== 'via';
}

function passedOn(fields: readonly Field[]): Field[] {
  return fields.filter(([name]) => !hopByHop.has(name.toLowerCase()));
}

function sameAnswer(script: Script, direct: Outcome | undefined, through: Outcome | undefined, about: string): void {
  assert.ok(direct && through);
  const [one, other] = [direct.answer, through.answer];
  if (!one) {
    // It broke off before it began: that is told in words.
    assert.match(other?.start ?? '', /^HTTP\/1\.1 502 /, about);
    return;
  }
  assert.ok(other, `no answer. ${about}`);
  assert.equal(other.start.replace(/^HTTP\/1\.\d/, ''), one.start.replace(/^HTTP\/1\.\d/, ''), about);
  assert.equal(other.whole, one.whole, about);
  const chunked = one.framing === 'chunked';
  const isLength = ([name]: Field): boolean => name.toLowerCase() === 'content-length';
  const fields = passedOn(one.fields).filter((field) => !(chunked && isLength(field)));
  assert.deepEqual(passedOn(other.fields), fields, about);
  if (one.whole) assert.ok(other.body === one.body, `the answer's body differs. ${about}`);
  else assert.ok(one.body.startsWith(other.body) || other.body.startsWith(one.body), about);
  assert.deepEqual(other.trailers, script.version === '1.0' ? [] : one.trailers, about);
  assert.deepEqual(
    through.interim.map(({ start }) => start.split(' ')[1]),
    direct.interim.map(({ start }) => start.split(' ')[1]),
    about,
  );
  assert.deepEqual(
    through.interim.flatMap((message) => message.fields),
    direct.interim.flatMap((message) => message.fields),
    about,
  );
}

/** Names are in lower case there, and the order of those that differ is not told. */
function unordered(fields: readonly Field[]): string[] {
  const kept = passedOn(fields).map(([name, value]) => [name.toLowerCase(), value] as const);
  const cookies = kept.filter(([name]) => name === 'cookie').map(([, value]) => value);
  const others = kept
    .filter(([name]) => name !== 'cookie' && name !== 'via')
    .map(([name, value]) => `${name}: ${value}`);
  // An empty one at the end leaves a space there, which belongs to no value.
  return [...others, ...(cookies.length > 0 ? [`cookie: ${cookies.join('; ').trimEnd()}`] : [])].sort();
}

function cookiesOf(fields: readonly Field[]): string[] {
  return fields.filter(([name]) => name.toLowerCase() === 'set-cookie').map(([, value]) => value);
}

/** What is repeated means the same as a list. */
function inLists(fields: readonly Field[]): Record<string, string> {
  const lists: Record<string, string> = {};
  for (const [name, value] of passedOn(fields)) {
    const lower = name.toLowerCase();
    lists[lower] = [lists[lower], value].filter(Boolean).join(', ');
  }
  return lists;
}

function sameRequestByHttp2(direct: Message | undefined, through: Message | undefined, about: string): void {
  assert.ok(direct && through, `the request did not arrive. ${about}`);
  assert.equal(through.start, direct.start, about);
  assert.equal(through.framing, direct.framing, about);
  assert.ok(through.body === direct.body, `the request's body differs. ${about}`);
  assert.deepEqual(unordered(through.trailers), unordered(direct.trailers), about);
  assert.deepEqual(unordered(through.fields), unordered(direct.fields), about);
}

function sameByHttp2(direct: Outcome | undefined, through: Outcome, about: string): void {
  const [one, other] = [direct?.answer, through.answer];
  if (!one || / [67]\d\d /.test(one.start)) return assert.equal(other?.start, 'HTTP/2 502', about);
  assert.ok(other, `no answer. ${about}`);
  assert.equal(other.start.split(' ')[1], one.start.split(' ')[1], about);
  assert.equal(other.whole, one.whole, about);
  const isLength = ([name]: Field): boolean => name.toLowerCase() === 'content-length';
  const fields = one.framing === 'chunked' ? one.fields.filter((field) => !isLength(field)) : one.fields;
  assert.deepEqual(inLists(other.fields), inLists(fields), about);
  assert.deepEqual(cookiesOf(other.fields), cookiesOf(fields), about);
  if (one.whole) assert.ok(other.body === one.body, `the answer's body differs. ${about}`);
  else assert.ok(one.body.startsWith(other.body) || other.body.startsWith(one.body), about);
  assert.deepEqual(inLists(other.trailers), inLists(one.trailers), about);
  const statuses = (outcome: Outcome | undefined): unknown => outcome?.interim.map(({ start }) => start.split(' ')[1]);
  assert.deepEqual(statuses(through), statuses(direct), about);
  for (const [index, { fields }] of through.interim.entries())
    assert.deepEqual(inLists(fields), inLists(direct?.interim[index]?.fields ?? []), about);
}
