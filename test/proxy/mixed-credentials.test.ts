/** One URL with another content for each person and all of one length: what nodes fetch for different people is never mixed. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { LocalSwarm } from '../support/local-swarm.ts';
import { ask, serveBody, startDaemon, startOrigin } from './support/proxy-fixture.ts';

test(
  'a seed that is told of another content than the caller gives none of it to him',
  { timeout: 120_000 },
  async () => {
    await using swarm = await LocalSwarm.create();
    const netAddrs = [{ type: 'tcp', addr: await swarm.startScheduler() }];
    const proxy = { proxies: [{ regx: '.*' }] };
    const start = (enable = false) => startDaemon({ proxy, more: { scheduler: { netAddrs, seedPeer: { enable } } } });
    await using _seed = await start(true);
    await using one = await start();
    await using other = await start();
    await using origin = await startOrigin((request, response) => {
      const who = request.headers.cookie ?? 'nobody';
      const etag = `"${createHash('md5').update(who).digest('hex')}"`;
      serveBody(Buffer.alloc(70_000, `for ${who.padEnd(12)} `), { etag })(request, response);
    });
    await Promise.all(
      ['anna', 'bert', 'carl', undefined].flatMap((who) =>
        [one, other].map(async (node) => {
          const answer = await ask(node, `${origin.url}/own`, who === undefined ? {} : { headers: { cookie: who } });
          const expected = Buffer.alloc(70_000, `for ${(who ?? 'nobody').padEnd(12)} `);
          assert.equal(answer.body.subarray(0, 17).toString(), expected.subarray(0, 17).toString());
          assert.ok(answer.body.equals(expected), `for ${who}`);
        }),
      ),
    );
  },
);
