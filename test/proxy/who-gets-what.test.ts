/**
 * An owner, another tenant and a stranger at origins of many kinds, with content that is cold, held here, held elsewhere,
 * and with the origin down. Everybody gets what the origin itself would have given; the table in docs/proxy.md says where
 * the bytes come from, and is what this test found: DRAGONFLY_WRITE_DOCS=1 writes it.
 */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { LocalSwarm } from '../support/local-swarm.ts';
import { oddOrigins, people, type OddOrigin, type Person } from './support/odd-origins.ts';
import {
  ask,
  startDaemon,
  startOrigin,
  type Answer,
  type Origin,
  type ProxiedDaemon,
} from './support/proxy-fixture.ts';

const states = ['cold', 'held here', 'held elsewhere', 'origin down'] as const;
const docs = new URL('../../docs/proxy.md', import.meta.url);
const begin = '<!-- who gets what: begin -->\n';
const end = '<!-- who gets what: end -->\n';

describe('who gets what', { timeout: 240_000 }, () => {
  let swarm: LocalSwarm;
  let here: ProxiedDaemon;
  let elsewhere: ProxiedDaemon;
  const rows: string[] = [];
  before(async () => {
    swarm = await LocalSwarm.create();
    const options = { schedulers: [await swarm.startScheduler()], proxy: { proxies: [{ regx: '.*' }] } };
    here = await startDaemon({ ...options, more: { host: { hostname: 'here', advertiseIP: '127.0.0.1' } } });
    elsewhere = await startDaemon({ ...options, more: { host: { hostname: 'elsewhere', advertiseIP: '127.0.0.1' } } });
  });
  after(async () => {
    await here[Symbol.asyncDispose]();
    await elsewhere[Symbol.asyncDispose]();
    await swarm[Symbol.asyncDispose]();
  });

  for (const odd of oddOrigins) test(`an origin that ${odd.name}`, async () => void rows.push(await rowOf(odd)));

  test('the table in docs/proxy.md', async () => {
    const head = `| the origin | ${states.join(' | ')} |\n|${' --- |'.repeat(states.length + 1)}\n`;
    const table = `${head}${rows.join('\n')}\n`;
    const written = await readFile(docs, 'utf8');
    const [before = '', rest = ''] = written.split(begin);
    const [known = '', behind = ''] = rest.split(end);
    if (process.env['DRAGONFLY_WRITE_DOCS'] === '1')
      return writeFile(docs, `${before}${begin}\n${table}\n${end}${behind}`);
    assert.deepEqual(cells(known), cells(table), 'DRAGONFLY_WRITE_DOCS=1 writes it');
  });

  async function rowOf(odd: OddOrigin): Promise<string> {
    const origin = await startOrigin(odd.listener);
    let up = true;
    try {
      const direct = new Map<Person, Answer>();
      for (const person of people) direct.set(person, await asked(origin, person, odd));
      const cell = async (from: ProxiedDaemon, path: (person: Person) => string, down = false): Promise<string> => {
        const found: string[] = [];
        for (const person of people.toReversed()) {
          const answer = await asked(origin, person, odd, { from, path: path(person) });
          const itself = direct.get(person);
          const same = answer.status === itself?.status && answer.body.equals(itself.body);
          const stored = answer.headers['x-dragonfly-task-id'] !== undefined;
          // Whoever may not read it never gets what the owner was given, whatever happens.
          assert.ok(same || (down && answer.status >= 400), `${person}: ${answer.status}, directly ${itself?.status}`);
          found.unshift(same ? (stored ? 'stored' : 'origin') : String(answer.status));
        }
        return found.join(' · ');
      };
      const cold = await cell(here, (person) => `/cold/${person}`);
      await asked(origin, 'owner', odd, { from: here, path: '/held' });
      const heldHere = await cell(here, () => '/held');
      const heldElsewhere = await cell(elsewhere, () => '/held');
      await origin[Symbol.asyncDispose](); // nobody listens there any more
      up = false;
      const down = await cell(here, () => '/held', true);
      return `| ${[odd.name, cold, heldHere, heldElsewhere, down].join(' | ')} |`;
    } finally {
      if (up) await origin[Symbol.asyncDispose]();
    }
  }

  /** Directly, or through a node; as a client that follows redirects where they lead to content. */
  async function asked(
    origin: Origin,
    person: Person,
    odd: OddOrigin,
    { from, path = '/direct' }: { from?: ProxiedDaemon; path?: string } = {},
  ): Promise<Answer> {
    const headers = { host: origin.host, ...odd.header(person) };
    const answer = from
      ? await ask(from, `${origin.url}${path}`, { headers })
      : await ask({ port: Number(new URL(origin.url).port) }, path, { headers });
    const { location } = answer.headers;
    if (odd.redirects !== true || location === undefined) return answer;
    return asked(origin, person, odd, { ...(from && { from }), path: location });
  }
});

/** Without the widths that the formatter gives them. */
function cells(table: string): string[] {
  const lines = table.split('\n').map((line) => line.replace(/\s*\|\s*|-{3,}/g, '|').trim());
  return lines.filter((line) => line !== '');
}
