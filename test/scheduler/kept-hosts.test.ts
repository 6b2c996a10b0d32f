/** Daemons of the original, which hold no stream, after a restart of the scheduler. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { Host, Piece } from '../../gen/common/v2/common.ts';
import { DfdaemonUploadDefinition, DownloadTaskResponse } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { RpcServer } from '../../src/rpc/server/server.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';
import { SchedulerFixture, contentLength, pieceLength, url } from './fixture.ts';

const timeout = 30_000;
const ofOriginal = { metadata: { 'x-dragonfly-features': 'none' } };
const known = {
  actualContentLength: contentLength,
  actualPieceLength: pieceLength,
  actualPieceCount: contentLength / pieceLength,
};

interface Named {
  readonly name: string;
  readonly type?: number;
  readonly port?: number;
}

async function announce({ client }: SchedulerFixture, { name, type = 0, port = 4000 }: Named): Promise<Host> {
  const host = Host.fromPartial({ id: `127.0.0.1-${name}`, hostname: name, ip: '127.0.0.1', port, type });
  await client.announceHost({ host, interval: { seconds: 300, nanos: 0 } }, ofOriginal);
  return host;
}

void describe('a daemon of the original', () => {
  void it('is a host again as soon as the scheduler has restarted', { timeout }, async () => {
    const asked = Promise.withResolvers<string | undefined>();
    const done = Promise.withResolvers<void>();
    await using server = RpcServer.create({ host: '127.0.0.1', port: 0 }).addService(DfdaemonUploadDefinition, {
      downloadTask: async function* ({ download }) {
        asked.resolve(download?.url);
        await done.promise;
        yield DownloadTaskResponse.fromPartial({});
      },
    });
    await server.start();
    await using directory = await temporaryDirectory();
    await using before = await SchedulerFixture.start('', {}, directory.path);
    const seed = await announce(before, { name: 'seed', type: 1, port: server.port });
    const peer = await announce(before, { name: 'peer' });
    const left = await announce(before, { name: 'left' });
    await before.client.deleteHost({ hostId: left.id }, ofOriginal);
    await before[Symbol.asyncDispose]();

    await using after = await SchedulerFixture.start('', {}, directory.path);
    assert.equal(after.scheduler.brain.swarm.host(left.id), undefined);
    const given = after.peer(peer, { extended: false }).register(known).expect('normalTaskResponse');
    assert.equal(await asked.promise, url);
    const source = after.peer(seed, { extended: false }).register({ ...known, needBackToSource: true });
    await source.expect('needBackToSourceResponse');
    const piece = Piece.fromPartial({ number: 0, length: pieceLength });
    source.send({ $case: 'downloadPeerBackToSourceStartedRequest', value: {} });
    source.send({ $case: 'downloadPieceBackToSourceFinishedRequest', value: { piece } });
    const { candidateParents } = await given;
    assert.deepEqual(
      candidateParents.map(({ host }) => host?.id),
      [seed.id],
    );
    done.resolve();
  });

  void it(
    'is written down though the scheduler dies, and not once one of ours has its place',
    { timeout },
    async () => {
      await using directory = await temporaryDirectory();
      await using scheduler = await SchedulerFixture.start('', {}, directory.path);
      const written = async (): Promise<number> =>
        (JSON.parse(await readFile(directory.join('hosts.json'), 'utf8').catch(() => '[]')) as unknown[]).length;
      const host = await announce(scheduler, { name: 'replaced' });
      await waitFor('the file', async () => (await written()) === 1);
      await scheduler.client.announceHost({ host, interval: { seconds: 300, nanos: 0 } });
      await waitFor('the file without it', async () => (await written()) === 0);
    },
  );

  void it('is unknown where the file cannot be read, and the scheduler starts', { timeout }, async () => {
    await using directory = await temporaryDirectory();
    await writeFile(directory.join('hosts.json'), '[{"host": "****"}');
    await using scheduler = await SchedulerFixture.start('', {}, directory.path);
    assert.deepEqual((await scheduler.client.listHosts({})).hosts, []);
  });
});
