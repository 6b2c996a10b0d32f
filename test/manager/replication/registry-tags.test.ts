/** Lists of a registry: in pages, with a pause that it asks for, and for one registry alone. */
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { maxOpenRepositories } from '../../../src/manager/limits.ts';
import { RegistryPause } from '../../../src/manager/replication/registry-pause.ts';
import { RegistryTags } from '../../../src/manager/replication/registry-tags.ts';
import { Egress } from '../../../src/rpc/registry/egress.ts';
import { RegistryClient } from '../../../src/rpc/registry/registry-client.ts';

const { signal } = new AbortController();

describe('tags of a registry', () => {
  let answer: (request: IncomingMessage, response: ServerResponse) => void;
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    answer(request, response);
  });
  const client = new RegistryClient({
    egress: new Egress({ allow: ['127.0.0.0/8'], deny: [], ownPorts: () => new Set() }),
    timeoutMs: 10_000,
    insecure: () => false,
  });
  const tags = (name: string): RegistryTags => {
    const { port } = server.address() as AddressInfo;
    return new RegistryTags(client, { registry: `http://127.0.0.1:${port}`, name }, undefined);
  };
  before(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(async () => {
    await client[Symbol.asyncDispose]();
    server.close();
  });

  const json = (response: ServerResponse, body: object, header: Record<string, string> = {}): void => {
    response.writeHead(200, { 'content-type': 'application/json', ...header }).end(JSON.stringify(body));
  };

  test('all pages of the catalogue and of each list, and what the patterns match', async () => {
    answer = ({ url = '' }, response) => {
      if (url.startsWith('/v2/_catalog?n='))
        return json(response, { repositories: ['team/a', 'other'] }, { link: '</v2/_catalog?last=other>; rel="next"' });
      if (url.startsWith('/v2/_catalog')) return json(response, { repositories: ['team/b'] });
      if (url.startsWith('/v2/team/a/tags/list?n='))
        return json(response, { tags: ['v1', 'x'] }, { link: '<list?last=x>; rel="next"' });
      if (url.startsWith('/v2/team/a/')) return json(response, { tags: ['v2'] });
      return json(response, { tags: null });
    };
    assert.deepEqual(await tags('team/*').list(['v*'], signal), [
      { repository: 'team/a', tag: 'v1' },
      { repository: 'team/a', tag: 'v2' },
    ]);
    assert.ok(!asked.some((line) => line.includes('/other/')), 'what the rule does not name is not asked about');
  });

  test('what is no name of a tag or a repository goes into no URL', async () => {
    answer = ({ url = '' }, response) =>
      json(response, url.includes('_catalog') ? { repositories: ['../x', 'a'] } : { tags: ['../../y', 'v1'] });
    asked.length = 0;
    assert.deepEqual(await tags('*').list(['*'], signal), [{ repository: 'a', tag: 'v1' }]);
    assert.equal(asked.length, 2);
  });

  test('a repository of the catalogue may be empty; one that the rule names, or whose list breaks off, is an error', async () => {
    const next = { link: '<list?last=v1>; rel="next"' };
    answer = ({ url = '' }, response) => {
      if (url.includes('_catalog')) return json(response, { repositories: ['a'] });
      response.writeHead(404).end();
    };
    assert.deepEqual(await tags('*').list(['*'], signal), []);
    await assert.rejects(tags('a').list(['*'], signal), { code: 'SOURCE_STATUS' });
    answer = ({ url = '' }, response) => {
      if (url.includes('_catalog')) return json(response, { repositories: ['a'] });
      if (url.includes('last=')) return void response.writeHead(404).end();
      return json(response, { tags: ['v1'] }, next);
    };
    await assert.rejects(tags('*').list(['*'], signal), { code: 'SOURCE_STATUS' });
  });

  test('a repository is asked with one token for its list and its tags, and no more of them are kept than have a use', async () => {
    const tokens = new Map<string, number>();
    answer = ({ url = '', headers }, response) => {
      const { port } = server.address() as AddressInfo;
      const scope = new URL(url, 'http://x').searchParams.get('scope');
      if (scope !== null) {
        tokens.set(scope, (tokens.get(scope) ?? 0) + 1);
        return json(response, { token: 't', expires_in: 300 });
      }
      if (headers.authorization === undefined)
        return void response
          .writeHead(401, { 'www-authenticate': `Bearer realm="http://127.0.0.1:${port}/token"` })
          .end();
      if (url.includes('_catalog'))
        return json(response, { repositories: Array.from({ length: maxOpenRepositories + 1 }, (_, at) => `r${at}`) });
      if (url.includes('/tags/list')) return json(response, { tags: ['v1'] });
      response.writeHead(200, { 'docker-content-digest': `sha256:${'a'.repeat(64)}` }).end();
    };
    const asked = tags('*');
    const names = await asked.list(['*'], signal);
    await asked.digest(names.at(-1) as (typeof names)[number], signal);
    assert.deepEqual(new Set(tokens.values()), new Set([1]));
    await asked.digest(names[0] as (typeof names)[number], signal);
    assert.equal(tokens.get('repository:r0:pull'), 2, 'the one asked about first is not kept');
  });

  test('a next page of somebody else is not followed, and ends no list', async () => {
    answer = (_request, response) => json(response, { tags: ['v1'] }, { link: '<http://127.0.0.1:1/x>; rel="next"' });
    await assert.rejects(tags('a').list(['*'], signal), { code: 'PROTOCOL' });
  });

  test('how long the registry wants to be left alone, as seconds and as a date', async () => {
    for (const [text, ms] of [
      ['120', 120_000],
      [new Date(Date.now() + 600_000).toUTCString(), 600_000],
    ] as const) {
      answer = (_request, response) => void response.writeHead(429, { 'retry-after': text }).end();
      await assert.rejects(tags('a').list(['*'], signal), (error) => {
        assert.ok(error instanceof RegistryPause);
        assert.ok(Math.abs(error.retryAfterMs - ms) < 60_000, String(error.retryAfterMs));
        return true;
      });
    }
  });

  test('a digest by HEAD, of the body where a registry names none, and none of a tag that is gone', async () => {
    const digest = `sha256:${'a'.repeat(64)}`;
    answer = (_request, response) => void response.writeHead(200, { 'docker-content-digest': digest }).end();
    asked.length = 0;
    assert.equal(await tags('a').digest({ repository: 'a', tag: 'v1' }, signal), digest);
    assert.deepEqual(asked, ['HEAD /v2/a/manifests/v1']);
    answer = ({ method }, response) => void response.writeHead(200).end(method === 'GET' ? 'abc' : undefined);
    const ofBody = await tags('a').digest({ repository: 'a', tag: 'v1' }, signal);
    assert.equal(ofBody, 'sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    const other = { 'docker-content-digest': `sha512:${'a'.repeat(128)}` };
    answer = ({ method }, response) => void response.writeHead(200, other).end(method === 'GET' ? 'abc' : undefined);
    assert.equal(await tags('a').digest({ repository: 'a', tag: 'v1' }, signal), ofBody, 'as a preheat computes it');
    answer = (_request, response) => void response.writeHead(404).end();
    assert.equal(await tags('a').digest({ repository: 'a', tag: 'v1' }, signal), undefined);
  });
});
