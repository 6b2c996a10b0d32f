/** What the preheater asks of a manager: a real one, through a relay that counts, and that is cut for a while. */
import assert from 'node:assert/strict';
import { createServer, request as forward } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { preheat } from '../../src/cli/preheater/manager-jobs.ts';
import { serverSentEvents } from '../../src/cli/preheater/server-sent-events.ts';
import { freePort } from '../support/free-port.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { LocalSwarm } from '../support/local-swarm.ts';
import { databaseConfig } from '../manager/support/engines.ts';
import { rootOf, startManager } from '../manager/support/manager-fixture.ts';

test('a job is asked after when something has happened to it, and across a cut', { timeout: 60_000 }, async () => {
  await using owned = new AsyncDisposableStack();
  const swarm = owned.use(await LocalSwarm.create());
  const grpcPort = await freePort();
  const manager = owned.use(
    await startManager(databaseConfig({ sqlite: { path: swarm.directory.join('manager.db') } }), {
      server: { grpc: { listenIP: '127.0.0.1', port: { start: grpcPort } } },
    }),
  );
  const root = await rootOf(manager);
  const scheduler = await swarm.startScheduler(
    0,
    `{addr: "127.0.0.1:${grpcPort}", schedulerClusterID: 1, keepAlive: {interval: 500ms}}`,
  );
  await swarm.startDaemon('node', { schedulers: [scheduler] });
  const { token } = await root.ok<{ token: string }>('POST', '/api/v1/personal-access-tokens', {
    name: 'jobs',
    scopes: ['job'],
    user_id: 1,
    expired_at: new Date(Date.now() + 86_400_000).toISOString(),
  });
  const tokenFile = swarm.directory.join('token');
  await writeFile(tokenFile, token);

  // The content is withheld until the line to the manager was cut once.
  const origin = owned.use(await HttpOrigin.start());
  const content = origin.add('/file', { content: Buffer.alloc(1000, 'x'), gated: true });
  const asked: string[] = [];
  let stream: Socket | undefined;
  const relay = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const { url: path, method, headers } = request;
    const onward = forward({ host: '127.0.0.1', port: manager.restPort, path, method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      response.flushHeaders();
      answer.on('error', () => response.destroy()).pipe(response);
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
    const streams = asked.filter((each) => each.endsWith('/events')).length;
    // The first stream is cut when the job has been asked after; the second one is there before the job ends.
    if (streams === 1 && path?.includes('/jobs/') === true) stream?.destroy();
    if (path?.endsWith('/events') === true) stream = request.socket;
    if (streams === 2) origin.release('/file', 1000);
  }).listen(0, '127.0.0.1');
  await once(relay, 'listening');
  owned.defer(() => {
    relay.closeAllConnections();
    relay.close();
  });
  const access = {
    url: new URL(`http://127.0.0.1:${(relay.address() as AddressInfo).port}`),
    tokenFile,
    clusterId: undefined,
    registryAuthFile: undefined,
  };
  const job = { kind: 'file', content, platform: undefined, ips: ['127.0.0.1', '192.0.2.1'] } as const;
  const failures = await preheat(access, job, AbortSignal.timeout(50_000));
  assert.deepEqual([...failures.keys()], ['192.0.2.1']);
  const polls = asked.filter((each) => each.includes('/jobs/')).length;
  assert.ok(asked.filter((each) => each.endsWith('/events')).length >= 2, 'the stream is opened again');
  assert.ok(polls <= 12, `the job was asked after ${polls} times`);
});

test('events come in any parts, and one without an end is refused', async () => {
  const read = async (...parts: string[]): Promise<unknown[]> => {
    const all: unknown[] = [];
    const body = new Response(ReadableStream.from(parts.map((part) => Buffer.from(part))));
    for await (const event of serverSentEvents(body)) all.push(event);
    return all;
  };
  assert.deepEqual(await read('event: change\nda', 'ta: {"a":1}\n', '\nevent: reset\ndata: {}\n\nevent: cut'), [
    { name: 'change', data: '{"a":1}' },
    { name: 'reset', data: '{}' },
  ]);
  await assert.rejects(read('x'.repeat(2_000_000)), { code: 'PROTOCOL' });
});
