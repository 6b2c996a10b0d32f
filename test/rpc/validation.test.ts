/** What a server refuses before a handler sees it. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { Task } from '../../gen/common/v2/common.ts';
import { AnnouncePeerRequest, AnnouncePeerResponse, SchedulerDefinition } from '../../gen/scheduler/v2/scheduler.ts';
import { Owned } from '../../src/core/process/lifecycle.ts';
import { Channels } from '../../src/rpc/channels.ts';
import { createClient } from '../../src/rpc/client.ts';
import { RpcServer, type Handlers } from '../../src/rpc/server/server.ts';
import { MessageQueue } from '../../src/rpc/streams.ts';

const taskId = 'a'.repeat(64);
const peer = { hostId: '127.0.0.1-host', taskId, peerId: '127.0.0.1-host-1' };
const started = (): AnnouncePeerRequest =>
  AnnouncePeerRequest.fromPartial({ ...peer, request: { $case: 'downloadPeerStartedRequest', value: {} } });
const emptyTask = (): AnnouncePeerResponse =>
  AnnouncePeerResponse.fromPartial({ response: { $case: 'emptyTaskResponse', value: {} } });

const owned = new Owned();
after(() => owned[Symbol.asyncDispose]());

async function serve(handlers: Handlers<typeof SchedulerDefinition>) {
  const server = RpcServer.create({ host: '127.0.0.1', port: 0 }).addService(SchedulerDefinition, handlers);
  await server.start();
  owned.add('server', server);
  return { client: createClient(SchedulerDefinition, owned.add('channels', new Channels()), server.address) };
}

describe('validation at the border', () => {
  it('refuses a bad message before the handler', async () => {
    let calls = 0;
    const { client } = await serve({
      statTask: () => {
        calls += 1;
        return Promise.resolve(Task.fromPartial({}));
      },
    });
    for (const bad of ['', 'abc', 'A'.repeat(64), '../../etc/passwd', 'a'.repeat(65)]) {
      await assert.rejects(client.statTask({ ...peer, taskId: bad }), { code: 'INVALID_ARGUMENT', message: /taskId/ });
    }
    await assert.rejects(client.statTask({ ...peer, hostId: 'a\nb' }), { code: 'INVALID_ARGUMENT' });
    await assert.rejects(client.statTask({ ...peer, hostId: 'x'.repeat(20_000) }), { code: 'INVALID_ARGUMENT' });
    assert.equal(calls, 0);
  });

  it('ends a stream at its first bad message', async () => {
    const seen: string[] = [];
    const { client } = await serve({
      announcePeer: async function* (requests) {
        for await (const request of requests) {
          seen.push(request.peerId);
          yield emptyTask();
        }
      },
    });
    const requests = new MessageQueue<AnnouncePeerRequest>();
    requests.push(started());
    requests.push({ ...started(), request: undefined });
    const answers: AnnouncePeerResponse[] = [];
    await assert.rejects(
      async () => {
        for await (const answer of client.announcePeer(requests)) answers.push(answer);
      },
      { code: 'INVALID_ARGUMENT', message: /request must have one member set/ },
    );
    assert.equal(seen.length, 1);
  });
});
