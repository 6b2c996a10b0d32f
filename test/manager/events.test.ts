/** Changes as they are told to user interfaces and members. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Channels } from '../../src/rpc/channels.ts';
import { createClient } from '../../src/rpc/client.ts';
import { SourceType } from '../../gen/manager/v2/manager.ts';
import { ManagerWatchDefinition } from '../../gen/manager/v2/watch.ts';
import { databaseConfig, eventually } from './support/engines.ts';
import { rootOf, startManager } from './support/manager-fixture.ts';
import { RestClient } from './support/rest-client.ts';

const inMemory = databaseConfig({ sqlite: { path: ':memory:' } });

/** The events of a stream as they come, until the iteration is left. */
async function* events(
  port: number,
  token: string,
  path = '/api/v1/events',
): AsyncGenerator<{ event: string; data: { topic?: string; ids?: number[] } }> {
  const controller = new AbortController();
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    headers: { authorization: `Bearer ${token}` },
    signal: controller.signal,
  });
  assert.equal(response.status, 200);
  let text = '';
  try {
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      text += Buffer.from(chunk).toString();
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const match = /^event: (\w+)\ndata: (.*)$/.exec(text.slice(0, end));
        text = text.slice(end + 2);
        if (match) yield { event: match[1] ?? '', data: JSON.parse(match[2] ?? '{}') as { topic?: string } };
      }
    }
  } finally {
    controller.abort();
  }
}

async function tokenOf(port: number, name: string, password: string): Promise<string> {
  const { token } = await new RestClient(port).ok<{ token: string }>('POST', '/api/v1/users/signin', {
    name,
    password,
  });
  return token;
}

test('readers of events hear what changed in what they may read, until their session ends', async () => {
  await using manager = await startManager(inMemory);
  const root = await rootOf(manager);
  const { id } = await root.ok<{ id: number }>('POST', '/api/v1/users', { name: 'guest1', password: 'password1' });
  const heard: string[] = [];
  const token = await tokenOf(manager.restPort, 'guest1', 'password1');
  const reading = (async () => {
    for await (const { event, data } of events(manager.restPort, token)) {
      if (event === 'change') heard.push(`${data.topic ?? ''} ${data.ids?.join() ?? ''}`);
      else if (event === 'reset') heard.push(event);
    }
  })();
  await eventually(() => assert.deepEqual(heard, ['reset']));
  await root.ok('POST', '/api/v1/configs', { name: 'k', value: 'v', user_id: 1 });
  await root.ok('PATCH', '/api/v1/clusters/1', { bio: 'changed' });
  await eventually(() => assert.deepEqual(heard, ['reset', 'clusters 1']));
  await root.ok('PATCH', `/api/v1/users/${id}`, { state: 'disable' });
  await reading;
});

test('a program with a token for jobs hears of jobs alone, until its token is gone', async () => {
  await using manager = await startManager(inMemory);
  const root = await rootOf(manager);
  const expires = new Date(Date.now() + 86_400_000).toISOString();
  const owned = { user_id: 1, expired_at: expires };
  const { id, token } = await root.ok<{ id: number; token: string }>('POST', '/api/v1/personal-access-tokens', {
    name: 'jobs',
    scopes: ['job'],
    ...owned,
  });
  const other = await root.ok<{ token: string }>('POST', '/api/v1/personal-access-tokens', {
    name: 'clusters',
    scopes: ['cluster'],
    ...owned,
  });
  const heard: string[] = [];
  const path = '/oapi/v1/events';
  const reading = (async () => {
    for await (const { event, data } of events(manager.restPort, token, path)) {
      if (event === 'change') heard.push(`${data.topic ?? ''} ${data.ids?.join() ?? ''}`);
      else heard.push(event);
    }
  })();
  await eventually(() => assert.deepEqual(heard, ['reset']));
  await root.ok('PATCH', '/api/v1/clusters/1', { bio: 'changed' });
  await root.ok('POST', '/api/v1/jobs', { type: 'gc', args: { type: 'job' } });
  await eventually(() => assert.equal(heard[1], 'jobs 1'));
  assert.ok(heard.slice(1).every((each) => each === 'jobs 1'));
  await assert.rejects(events(manager.restPort, other.token, path).next());
  await root.ok('DELETE', `/api/v1/personal-access-tokens/${id}`);
  await reading;
});

test('members that watch hear of changed clusters at once', async () => {
  await using manager = await startManager(inMemory);
  await using channels = new Channels();
  const root = await rootOf(manager);
  const watch = createClient(ManagerWatchDefinition, channels, `127.0.0.1:${manager.grpcPort}`);
  const heard: string[] = [];
  const stop = new AbortController();
  const reading = (async () => {
    const request = { sourceType: SourceType.PEER_SOURCE, hostname: 'n', ip: '127.0.0.1', schedulerClusterId: 1 };
    for await (const { topic, id } of watch.watchChanges(request, { signal: stop.signal }))
      heard.push(`${topic} ${id}`);
  })();
  await eventually(() => assert.equal(heard.length, 5));
  await root.ok('PATCH', '/api/v1/clusters/1', { peer_cluster_config: { load_limit: 7 } });
  await eventually(() => assert.ok(heard.includes('scheduler_cluster 1')));
  stop.abort();
  await assert.rejects(reading);
});
