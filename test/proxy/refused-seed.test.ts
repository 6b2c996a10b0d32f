/** Nodes that may not fetch by themselves, and a seed that the origin refuses, or none: nobody's refusal is that of the caller, whose own request can always be answered. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { LocalSwarm } from '../support/local-swarm.ts';
import { ask, serveBody, startDaemon, startOrigin } from './support/proxy-fixture.ts';

const content = randomBytes(300_000);
const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
const owner = { authorization: 'Bearer owner' };
const give = serveBody(content, { etag: '"private"' });

describe('a seed without a right', () => {
  for (const { name, proxy = {}, scheduler = {}, status, hasSeed = true } of [
    { name: 'and proxies that may not go to the source', proxy: { disableBackToSource: true }, status: 503 },
    { name: 'and nodes that may not', scheduler: { disableAutoBackSource: true }, status: 200 },
    {
      name: 'or none, and nodes that may not',
      scheduler: { disableAutoBackSource: true },
      status: 200,
      hasSeed: false,
    },
  ]) {
    test(`${name}: ${status}`, async () => {
      await using swarm = await LocalSwarm.create();
      const netAddrs = [{ type: 'tcp', addr: await swarm.startScheduler() }];
      const host = (hostname: string) => ({ host: { advertiseIP: '127.0.0.1', hostname } });
      const more = { ...host('seed'), scheduler: { netAddrs, seedPeer: { enable: true } } };
      await using _seed = hasSeed ? await startDaemon({ more }) : undefined;
      await using node = await startDaemon({
        proxy: { proxies: [{ regx: '.*' }], ...proxy },
        more: { ...host('node'), scheduler: { netAddrs, ...scheduler } },
      });
      await using origin = await startOrigin((request, response) => {
        if (request.headers.authorization === owner.authorization) return give(request, response);
        response.writeHead(401, { 'www-authenticate': 'Bearer realm="there"', 'content-length': 0 }).end();
      });
      for (const path of ['/object', `/v2/a/b/blobs/${digest}`]) {
        const answer = await ask(node, `${origin.url}${path}`, { headers: owner });
        assert.equal(answer.status, status, path);
        assert.equal(answer.body.equals(content), status === 200, path);
        // A question of a few bytes, and where it is passed on the client's own request.
        const own = origin.seen.filter(({ url, headers }) => url === path && headers.authorization !== undefined);
        assert.ok(own.length <= (status === 200 ? 2 : 1), `${path}: ${own.length} requests`);
        const others = origin.seen.filter(
          ({ method, headers }) => method === 'GET' && headers.authorization === undefined,
        );
        assert.equal(others.length > 0, hasSeed, `${path}: a seed asks as a stranger`);
      }
    });
  }
});
