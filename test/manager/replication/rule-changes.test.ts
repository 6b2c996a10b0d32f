/** Rules over REST: where a login goes, what a registry may tell, and that rules leave each other alone. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Database } from '../../../src/manager/db/database.ts';
import type { ManagerService } from '../../../src/manager/manager-service.ts';
import { CopyStore } from '../../../src/manager/replication/copy-store.ts';
import { RuleStore } from '../../../src/manager/replication/rule-store.ts';
import { databaseConfig, eventually } from '../support/engines.ts';
import { rootOf, startManager } from '../support/manager-fixture.ts';
import { RestClient } from '../support/rest-client.ts';

interface Rule {
  readonly id: number;
  readonly username: string;
  readonly target_username: string;
}

describe('rules of replication', () => {
  let directory: string;
  let manager: ManagerService;
  let root: RestClient;
  const config = () => databaseConfig({ sqlite: { path: join(directory, 'manager.db') } });
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'rule-changes-'));
    manager = await startManager(config());
    root = await rootOf(manager);
  });
  after(async () => {
    await manager[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });
  const create = async (name: string, more: object = {}): Promise<string> => {
    const body = { name, source: 'a.invalid/team/*', enabled: false, ...more };
    const { id } = await root.ok<Rule>('POST', '/api/v1/replication-rules', body);
    return `/api/v1/replication-rules/${id}`;
  };
  const change = async (path: string, body: object): Promise<string> =>
    (await root.ok<Rule>('PATCH', path, body)).username;

  test('a login goes to the registry it was given for and to no other', async () => {
    const login = { username: 'me', password: 'secret' };
    const path = await create('login', login);
    assert.equal(await change(path, { source: 'a.invalid/other' }), 'me');
    for (const source of ['b.invalid/other', 'a.invalid:444/other', 'http://a.invalid/other']) {
      await change(path, { source: 'a.invalid/other', ...login });
      assert.equal(await change(path, { source }), '', source);
    }
    assert.equal(await change(path, { source: 'c.invalid/other', ...login }), 'me');
    assert.equal(await change(path, { username: '', password: '' }), '');
    await change(path, { source: 'a.invalid/other', ...login });
    for (const source of ['A.Invalid/other', 'https://a.invalid:443/other', 'https://a.invalid/*'])
      assert.equal(await change(path, { source }), 'me', `${source} is the same registry`);
  });

  test('a login that meets another registry, as when two change the rule at once, is none', async () => {
    const logins = { username: 'me', password: 'secret', target_username: 'you', target_password: 'secret' };
    const path = await create('bound', { ...logins, target: 'b.invalid/x' });
    await using database = await Database.open(config());
    const moved = { source: 'https://c.invalid/team/*', target: 'c.invalid/x' };
    await database.db.updateTable('replication_rule').set(moved).where('name', '=', 'bound').execute();
    const rule = await root.ok<Rule>('GET', path);
    assert.deepEqual([rule.username, rule.target_username], ['', '']);
  });

  test('a source that is its own target is refused, however it is written', async () => {
    for (const [source, target] of [
      ['a.invalid/*', 'A.INVALID/mirror'],
      ['a.invalid/*', 'https://a.invalid:443/mirror'],
      ['http://a.invalid/*', 'https://a.invalid/mirror'],
      ['A.invalid:443/team/*', 'a.invalid/team'],
      ['docker.io/*', 'registry-1.docker.io/mirror'],
      ['index.docker.io/team/*', 'Docker.io/team'],
    ]) {
      const answer = await root.request('POST', '/api/v1/replication-rules', { name: 'loop', source, target });
      assert.match(JSON.stringify(answer.body), /lies in what the rule covers/, `${source} to ${target}`);
    }
  });

  test('half a login is none', async () => {
    const path = await create('half');
    for (const half of [
      { username: 'me' },
      { password: 'x' },
      { username: '', password: 'x' },
      { username: 'me', password: '' },
    ]) {
      assert.equal((await root.request('PATCH', path, half)).status, 422);
      const whole = { name: 'other', source: 'a.invalid/x', ...half };
      assert.equal((await root.request('POST', '/api/v1/replication-rules', whole)).status, 422);
    }
  });

  test('what a registry tells is looked up where it is a name, and once', async () => {
    const path = await create('push', { source: 'http://127.0.0.1:1/*', on_push: true, enabled: true });
    const { secret } = await root.ok<{ secret: string }>('POST', `${path}/secret`);
    const registry = new RestClient(manager.restPort, { authorization: `Bearer ${secret}` });
    const events = [
      ['team/app', 'v1'],
      ['team/app', 'v1'],
      ['../x', 'v1'],
      ['team/../x', 'v1'],
      ['Team', 'v1'],
      ['team/app', '../v1'],
    ].map(([repository, tag]) => ({ action: 'push', target: { repository, tag } }));
    await registry.ok('POST', `${path}/notifications`, { events });
    const tags = await root.ok<{ repository: string; tag: string }[]>('GET', `${path}/tags`);
    assert.deepEqual(
      tags.map(({ repository, tag }) => [repository, tag]),
      [['team/app', 'v1']],
    );
    await root.ok('DELETE', path);
  });

  test('rules that go at once come to rest', async (t) => {
    const all = t.mock.method(RuleStore.prototype, 'all');
    // Steps of different length, so that each ends in the middle of another's.
    t.mock.method(CopyStore.prototype, 'tagsToLookAt', async (id: number) => {
      await delay(40 + 30 * (id % 3));
      return [];
    });
    const enabled = { source: 'http://127.0.0.1:1/*', enabled: true };
    const paths = await Promise.all(['one', 'two', 'three'].map((name) => create(name, enabled)));
    await eventually(async () => {
      const before = all.mock.callCount();
      await delay(500);
      assert.equal(all.mock.callCount(), before);
    }, 20_000);
    for (const path of paths) await root.ok('DELETE', path);
  });
});
