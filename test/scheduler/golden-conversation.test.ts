/**
 * What daemons of the original have said to their scheduler, put to ours: it calls the seed peer and answers each stream as the original's
 * did. How it was recorded stands with it.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { DfdaemonUploadDefinition } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { AnnounceHostRequest, AnnouncePeerRequest, AnnouncePeerResponse } from '../../gen/scheduler/v2/scheduler.ts';
import { aborted } from '../../src/core/process/lifecycle.ts';
import { RpcServer } from '../../src/rpc/server/server.ts';
import { MessageQueue } from '../../src/rpc/streams.ts';
import { waitFor } from '../support/wait-for.ts';
import { SchedulerFixture } from './fixture.ts';

interface Said {
  readonly call: number;
  readonly method: 'AnnounceHost' | 'AnnouncePeer';
  readonly from: 'client' | 'server';
  readonly hex: string;
}

const { conversation } = JSON.parse(
  readFileSync(new URL('../vectors/original-conversation.json', import.meta.url), 'utf8'),
) as { readonly conversation: readonly Said[] };
const calls = [...Map.groupBy(conversation, ({ call }) => call).values()];
const callsOf = (method: Said['method']): readonly (readonly Said[])[] =>
  calls.filter(([first]) => first?.method === method);

/** As daemons of the original call. */
const metadata = { 'x-dragonfly-features': 'none' };

void it('our scheduler answers daemons of the original as theirs did', { timeout: 120_000 }, async () => {
  const wanted = Promise.withResolvers<string>();
  // The seed peer's own, which was called on another port, is not part of the recording.
  await using seed = RpcServer.create({ host: '127.0.0.1', port: 0 }).addService(DfdaemonUploadDefinition, {
    downloadTask: async function* ({ download }, { signal }) {
      wanted.resolve(download?.url ?? '');
      await aborted(signal);
      yield* [];
    },
  });
  await seed.start();
  await using fixture = await SchedulerFixture.start();
  for (const [said] of callsOf('AnnounceHost')) {
    const request = AnnounceHostRequest.decode(bytesOf(said));
    if (request.host?.type !== 0 && request.host) request.host.port = seed.port;
    await fixture.client.announceHost(request, { metadata });
  }
  const streams = callsOf('AnnouncePeer').map((said) => ({ said, registered: registrationOf(said) }));
  const isSeed = (stream: (typeof streams)[number]): boolean => stream.registered.peerId.endsWith('-seed');
  const replayed = streams.filter((stream) => !isSeed(stream)).map(({ said }) => replay(fixture, said));
  assert.equal(await wanted.promise, streams[0]?.registered.url);
  replayed.push(...streams.filter(isSeed).map(({ said }) => replay(fixture, said)));
  const kinds = await Promise.all(replayed);
  assert.deepEqual(kinds, [
    ['normalTaskResponse'],
    ['normalTaskResponse'],
    ['normalTaskResponse'],
    ['needBackToSourceResponse'],
  ]);
  const { swarm } = fixture.scheduler.brain;
  for (const { registered } of streams)
    await waitFor(`the end of ${registered.peerId}`, () => swarm.peer(registered.peerId)?.state === 'Succeeded');
});

/** Says what the daemon said, and waits for an answer wherever it had got one. */
async function replay(fixture: SchedulerFixture, said: readonly Said[]): Promise<string[]> {
  const requests = new MessageQueue<AnnouncePeerRequest>();
  const answers = fixture.client.announcePeer(requests, { metadata })[Symbol.asyncIterator]();
  const kinds: string[] = [];
  for (const one of said) {
    if (one.from === 'client') requests.push(AnnouncePeerRequest.decode(bytesOf(one)));
    else kinds.push(await sameAnswer(answers, AnnouncePeerResponse.decode(bytesOf(one))));
  }
  return kinds;
}

/** The kind, and what it says of content and parents. */
async function sameAnswer(
  answers: AsyncIterator<AnnouncePeerResponse>,
  { response: theirs }: AnnouncePeerResponse,
): Promise<string> {
  const next = await answers.next();
  assert(next.done !== true, 'an answer');
  const { response: ours } = next.value;
  assert.equal(ours?.$case, theirs?.$case);
  if (ours?.$case !== 'normalTaskResponse' || theirs?.$case !== 'normalTaskResponse') return ours?.$case ?? '';
  const known = new Map(theirs.value.candidateParents.map((parent) => [parent.id, parent]));
  const parents = ours.value.candidateParents.filter(({ id }) => known.has(id));
  assert.ok(parents.length > 0, 'a parent that the original named, too');
  for (const { id, host, task } of parents) {
    const recorded = known.get(id);
    assert.deepEqual(
      [task?.id, task?.url, task?.contentLength, task?.pieceCount],
      [recorded?.task?.id, recorded?.task?.url, recorded?.task?.contentLength, recorded?.task?.pieceCount],
    );
    const { id: hostId, hostname, ip, downloadPort, type } = recorded?.host ?? {};
    assert.deepEqual(
      [host?.id, host?.hostname, host?.ip, host?.downloadPort, host?.type],
      [hostId, hostname, ip, downloadPort, type],
    );
  }
  return ours.$case;
}

function registrationOf([first]: readonly Said[]): { readonly peerId: string; readonly url: string } {
  const { peerId, request } = AnnouncePeerRequest.decode(bytesOf(first));
  assert.equal(request?.$case, 'registerPeerRequest');
  return { peerId, url: request.value.download?.url ?? '' };
}

function bytesOf(said: Said | undefined): Buffer {
  return Buffer.from(said?.hex ?? '', 'hex');
}
