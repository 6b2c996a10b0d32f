import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { describe, it } from 'node:test';
import { waitFor } from '../support/wait-for.ts';
import { SchedulerFixture, contentLength, pieceLength, type TestPeer } from './fixture.ts';

const timeout = 120_000;

/** The port of a daemon that takes connections until it dies. */
async function listening(): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

async function close(server: Server): Promise<void> {
  server.close();
  await once(server, 'close');
}

/** A host that holds all of the task and announces itself as one of the original: without a stream to be known dead by. */
async function holder(fixture: SchedulerFixture, port: number): Promise<{ hostId: string; peer: TestPeer }> {
  const host = await fixture.host({ port });
  const peer = fixture.peer(host, { extended: false });
  peer.register({
    actualContentLength: contentLength,
    actualPieceLength: pieceLength,
    actualPieceCount: contentLength / pieceLength,
    needBackToSource: true,
  });
  await peer.expect('needBackToSourceResponse');
  return { hostId: host.id, peer };
}

const failed = (parentId: string) =>
  ({
    $case: 'downloadPieceFailedRequest',
    value: { parentId, temporary: true, notHeld: false, pieceNumber: 0 },
  }) as const;

void describe('a host without a stream that gives a child nothing', () => {
  void it('is gone at once when nothing listens there any more', { timeout }, async () => {
    await using fixture = await SchedulerFixture.start();
    const { server, port } = await listening();
    const { hostId, peer } = await holder(fixture, port);
    const child = fixture.peer(await fixture.host()).register();
    await close(server);
    assert.ok(fixture.scheduler.brain.swarm.host(hostId));
    child.send(failed(peer.id));
    await waitFor('the host to be dropped', () => fixture.scheduler.brain.swarm.host(hostId) === undefined);
    const { hosts } = await fixture.client.listHosts({});
    assert.ok(hosts.every(({ id }) => id !== hostId));
  });

  void it('stays while it takes connections', { timeout }, async () => {
    await using fixture = await SchedulerFixture.start();
    const { server, port } = await listening();
    const { hostId, peer } = await holder(fixture, port);
    const dialled = once(server, 'connection');
    fixture
      .peer(await fixture.host())
      .register()
      .send(failed(peer.id));
    await dialled;
    const child = fixture
      .peer(await fixture.host())
      .register()
      .send(failed(peer.id));
    await child.next();
    assert.ok(fixture.scheduler.brain.swarm.host(hostId));
    await close(server);
  });
});
