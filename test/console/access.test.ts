/** Who may do what: the console offers what the API allows, and nothing else. */
// needs: chromium
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { OidcIssuer } from '../manager/support/oidc-issuer.ts';
import { RestClient } from '../manager/support/rest-client.ts';
import { launchBrowser } from './browser.ts';
import { buildConsole } from '../../scripts/build-console.ts';
import { rootPassword, serveConsole } from './served-console.ts';

let browser: Browser;
before(async () => {
  await buildConsole();
  browser = await launchBrowser();
});
after(() => browser.close());

test('a token is shown once, works, and is refused from the moment it is revoked', async () => {
  await using served = await serveConsole(browser);
  await using visitor = await served.visit();
  const { page } = visitor;
  await visitor.signIn('root', rootPassword);
  await visitor.go('/tokens');
  await visitor.button('Create a token').click();
  await page.getByRole('textbox', { name: 'Name' }).fill('harbor');
  await visitor.confirm('Create');
  const token = (await page.getByRole('group', { name: 'The new token' }).textContent())?.trim() ?? '';
  assert.match(token, /^\S{20,}$/);
  const client = new RestClient(served.manager.restPort, { authorization: `Bearer ${token}` });
  assert.equal((await client.request('GET', '/oapi/v1/jobs')).status, 200);
  await visitor.button('I have kept it').click();
  await page.reload();
  await page.getByRole('cell', { name: 'harbor', exact: true }).waitFor();
  assert.equal(await page.getByText(token).count(), 0);
  await visitor.button('Revoke harbor').click();
  await visitor.confirm('Revoke');
  await page.getByRole('cell', { name: 'Inactive' }).waitFor();
  assert.equal((await client.request('GET', '/oapi/v1/jobs')).status, 403);
});

test('a guest sees what guests may and is offered nothing that would be refused', async () => {
  await using served = await serveConsole(browser);
  await served.rest.ok('POST', '/api/v1/users', { name: 'visitor', password: rootPassword });
  await using visitor = await served.visit();
  const { page } = visitor;
  await visitor.signIn('visitor', rootPassword);
  const places = page.getByRole('navigation', { name: 'Places' });
  for (const name of ['Clusters', 'Schedulers', 'Jobs', 'Live tasks'])
    await places.getByRole('link', { name, exact: true }).waitFor();
  for (const name of ['Users', 'Roles', 'Access tokens', 'Audit log', 'Configuration', 'Certificates']) {
    assert.equal(await places.getByRole('link', { name }).count(), 0, name);
  }
  await places.getByRole('link', { name: 'Clusters', exact: true }).click();
  await page.getByRole('link', { name: 'cluster-1' }).click();
  await visitor.heading('cluster-1');
  assert.equal(await visitor.button('Delete').count(), 0);
  assert.equal(await page.getByRole('link', { name: 'Edit' }).count(), 0);
  await visitor.go('/users');
  await visitor.sees('You may not do that');
});

test('roles are made of permissions, and given and taken at once', async () => {
  await using served = await serveConsole(browser);
  await served.rest.ok('POST', '/api/v1/users', { name: 'operator-1', password: rootPassword });
  await using visitor = await served.visit();
  const { page } = visitor;
  await visitor.signIn('root', rootPassword);
  await visitor.go('/roles');
  await visitor.button('Create a role').click();
  await page.getByRole('textbox', { name: 'Role' }).fill('operator');
  await page.getByLabel('configs: See').check();
  await visitor.confirm('Create');
  await visitor.heading('operator');
  const operator = await new RestClient(served.manager.restPort).signIn('operator-1', rootPassword);
  assert.equal((await operator.request('GET', '/api/v1/configs')).status, 403);
  await visitor.go('/users/2');
  await page.getByLabel('operator', { exact: true }).check();
  await page.getByLabel('operator', { exact: true }).and(page.locator(':enabled')).waitFor();
  assert.equal((await operator.request('GET', '/api/v1/configs')).status, 200);
});

test('nowhere a guest comes by the menu the API refuses him anything', async () => {
  await using served = await serveConsole(browser);
  await served.rest.ok('POST', '/api/v1/users', { name: 'visitor', password: rootPassword });
  await using visitor = await served.visit();
  const { page } = visitor;
  await visitor.signIn('visitor', rootPassword);
  const refused: string[] = [];
  page.on('response', (response) => {
    if (response.status() >= 400) refused.push(`${response.status()} ${response.url()}`);
  });
  const places = page.getByRole('navigation', { name: 'Places' }).getByRole('link');
  const paths = await places.evaluateAll((links) =>
    links.map((link) => (link as unknown as { pathname: string }).pathname),
  );
  assert.ok(paths.length >= 8, paths.join(' '));
  for (const path of [
    ...paths,
    '/clusters/1',
    ...['schedulers', 'seed-peers', 'peers'].map((tab) => `/clusters/1?tab=${tab}`),
    '/profile',
  ]) {
    await visitor.go(path);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.getByRole('progressbar', { name: 'Loading' }).first().waitFor({ state: 'detached' });
    for (const name of [
      /^Create/,
      /^Add/,
      /^Delete/,
      /^Remove/,
      /^Edit/,
      /^Revoke/,
      /^Cancel the job/,
      'Ask the schedulers now',
      'Find content',
    ])
      assert.equal(await page.getByRole('button', { name }).count(), 0, `${path}: ${String(name)}`);
  }
  assert.deepEqual(refused, []);
});

test('a permission opens a place to see, a larger one what can be done there, as the API does', async () => {
  await using served = await serveConsole(browser);
  const { rest } = served;
  await rest.ok('POST', '/api/v1/users', { name: 'worker', password: rootPassword });
  await rest.ok('POST', '/api/v1/roles', { role: 'worker', permissions: [{ object: 'events', action: 'read' }] });
  await rest.ok('PUT', '/api/v1/users/2/roles/worker');
  await rest.ok('DELETE', '/api/v1/users/2/roles/guest');
  const worker = await new RestClient(served.manager.restPort).signIn('worker', rootPassword);
  await using visitor = await served.visit();
  const { page } = visitor;
  await visitor.signIn('worker', rootPassword);
  const grant = (object: string, action: string): Promise<unknown> =>
    rest.ok('POST', '/api/v1/roles/worker/permissions', { object, action });
  const postStatus = async (object: string): Promise<number> =>
    (await worker.request('POST', `/api/v1/${object}`, {})).status;
  for (const [object, path, place, action] of [
    ['clusters', '/clusters', 'Clusters', 'Create a cluster'],
    ['applications', '/applications', 'Applications', 'Create an application'],
    ['users', '/users', 'Users', 'Add a user'],
    ['roles', '/roles', 'Roles', 'Create a role'],
    ['personal-access-tokens', '/tokens', 'Access tokens', 'Create a token'],
    ['oauth', '/oauth', 'Sign-in providers', 'Add a provider'],
    ['configs', '/configuration', 'Configuration', 'Add a value'],
    ['jobs', '/jobs', 'Jobs', 'Preheat'],
  ] as const) {
    const link = page.getByRole('navigation', { name: 'Places' }).getByRole('link', { name: place, exact: true });
    const offered = page
      .getByRole('main')
      .getByRole('button', { name: action })
      .or(page.getByRole('main').getByRole('link', { name: action }));
    assert.equal(await link.count(), 0, place);
    await grant(object, 'read');
    await visitor.go(path);
    await visitor.heading(place);
    await link.waitFor();
    await page.getByRole('progressbar', { name: 'Loading' }).first().waitFor({ state: 'detached' });
    assert.equal(await offered.count(), 0, action);
    assert.equal(await postStatus(object), 403, object);
    await grant(object, '*');
    await page.reload();
    await offered.first().waitFor();
    assert.notEqual(await postStatus(object), 403, object);
  }
});

test('one signs in through a provider, and is a guest the first time', async () => {
  await using issuer = await OidcIssuer.start();
  await using served = await serveConsole(browser);
  await served.rest.ok('POST', '/api/v1/oauth', {
    name: 'corp',
    client_id: 'dragonfly',
    client_secret: 'very secret',
    redirect_url: new URL('api/v1/users/signin/corp/callback', served.base).href,
    issuer: issuer.url,
  });
  await using visitor = await served.visit();
  await visitor.go('/signin');
  await visitor.page.getByRole('link', { name: 'Sign in with corp' }).click();
  await visitor.heading('Overview');
  await visitor.button('Your account').click();
  await visitor.page.getByRole('menuitem', { name: /^Grace.*guest/ }).waitFor();
});
