/** Signing in through a provider, against a real issuer on the loopback. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { ManagerService } from '../../src/manager/manager-service.ts';
import { databaseConfig } from './support/engines.ts';
import { rootOf, startManager } from './support/manager-fixture.ts';
import { OidcIssuer } from './support/oidc-issuer.ts';
import { RestClient, type Answer } from './support/rest-client.ts';

describe('oauth', () => {
  let issuer: OidcIssuer;
  let manager: ManagerService;
  let root: RestClient;
  let browser: RestClient;

  before(async () => {
    issuer = await OidcIssuer.start();
    manager = await startManager(databaseConfig({ sqlite: { path: ':memory:' } }));
    root = await rootOf(manager);
    browser = new RestClient(manager.restPort);
    await root.ok('POST', '/api/v1/oauth', {
      name: 'corp',
      client_id: 'dragonfly',
      client_secret: 'very secret',
      redirect_url: `http://127.0.0.1:${manager.restPort}/api/v1/users/signin/corp/callback`,
      issuer: issuer.url,
    });
  });
  after(async () => {
    await manager[Symbol.asyncDispose]();
    await issuer[Symbol.asyncDispose]();
  });

  /** Up to the redirect back to the manager: its path and query, and the cookie set on the way. */
  async function consent(): Promise<{ path: string; cookie: string }> {
    const begun = await browser.request('GET', '/api/v1/users/signin/corp');
    assert.equal(begun.status, 302);
    const back = await fetch(begun.headers.get('location') ?? '', { redirect: 'manual' });
    const url = new URL(back.headers.get('location') ?? '');
    return { path: url.pathname + url.search, cookie: begun.headers.getSetCookie()[0]?.split(';', 1)[0] ?? '' };
  }

  const signedIn = (
    answer: Answer,
  ): Promise<{ user: { id: number; name: string; email: string }; roles: string[] }> => {
    const cookie = answer.headers
      .getSetCookie()
      .map((line) => line.split(';', 1)[0])
      .join('; ');
    return new RestClient(manager.restPort, { cookie }).ok('GET', '/api/v1/session');
  };

  test('a new identity becomes a guest, and is the same user the next time', async () => {
    const first = await consent();
    const answer = await browser.request('GET', first.path, undefined, { cookie: first.cookie });
    assert.equal(answer.status, 302);
    assert.equal(answer.headers.get('location'), '/');
    const session = await signedIn(answer);
    assert.match(session.user.name, /^Grace-[0-9a-f]{8}$/);
    assert.equal(session.user.email, 'grace@example.org');
    assert.deepEqual(session.roles, ['guest']);
    const second = await consent();
    const again = await signedIn(await browser.request('GET', second.path, undefined, { cookie: second.cookie }));
    assert.equal(again.user.id, session.user.id);
  });

  test('an identity with the address of another account does not become that account', async () => {
    await root.ok('PATCH', '/api/v1/users/1', { email: 'root@example.org' });
    issuer.claims = { sub: 'subject-2', name: 'root', email: 'root@example.org' };
    const { path, cookie } = await consent();
    const session = await signedIn(await browser.request('GET', path, undefined, { cookie }));
    assert.notEqual(session.user.id, 1);
    assert.deepEqual(session.roles, ['guest']);
  });

  test('M-4 state, nonce and the browser that began are checked', async () => {
    const status = async (path: string, cookie?: string): Promise<number> =>
      (await browser.request('GET', path, undefined, cookie === undefined ? {} : { cookie })).status;
    const flow = await consent();
    assert.equal(await status(flow.path), 401, 'without the cookie');
    const other = await consent();
    assert.equal(await status(flow.path, other.cookie), 401, 'with the cookie of another flow');
    assert.equal(await status(flow.path.replace(/state=[^&]+/, 'state=x'), flow.cookie), 401, 'with another state');
    issuer.nonce = 'replayed';
    const replayed = await consent();
    assert.equal(await status(replayed.path, replayed.cookie), 401, 'with another nonce');
    issuer.nonce = undefined;
    const good = await consent();
    assert.equal(await status(good.path, good.cookie), 302);
    assert.equal(await status(good.path, good.cookie), 401, 'a second time');
  });

  test('the client secret is in no answer and not in the clear in the database', async () => {
    const rows = await manager.database.db.selectFrom('oauth').selectAll().execute();
    const texts = JSON.stringify([await root.ok('GET', '/api/v1/oauth'), rows]);
    assert.ok(!texts.includes('very secret'));
  });

  test('an unknown provider is 404', async () => {
    assert.equal((await browser.request('GET', '/api/v1/users/signin/nobody')).status, 404);
  });
});
