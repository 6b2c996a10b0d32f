/** A scheduler that is broken, or somebody else's: whatever it says, the download ends with the origin's content. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { aborted } from '../../src/core/process/lifecycle.ts';
import type { CallContext } from '../../src/rpc/call-context.ts';
import { instanceHeader, swarmFeature } from '../../src/rpc/features.ts';
import { Host, Peer } from '../../gen/common/v2/common.ts';
import { AnnouncePeerResponse, SchedulerDefinition } from '../../gen/scheduler/v2/scheduler.ts';
import { RpcServer } from '../../src/rpc/server/server.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { LocalSwarm } from '../support/local-swarm.ts';

const content = randomBytes(9 * 2 ** 20 + 5);
const pieceLength = 4 * 2 ** 20;
const nobody = 1;

const say = (response: Parameters<typeof AnnouncePeerResponse.fromPartial>[0]['response']): AnnouncePeerResponse =>
  AnnouncePeerResponse.fromPartial({ response });
const metadata = (contentLength: number, length = pieceLength) => ({ contentLength, pieceLength: length });
const lease = (contentLength?: number): AnnouncePeerResponse =>
  say({
    $case: 'needBackToSourceResponse',
    value: {
      originLease: { id: '1' },
      ...(contentLength !== undefined && { taskMetadata: metadata(contentLength) }),
    },
  });
const tells = (contentLength: number, length?: number): AnnouncePeerResponse =>
  say({ $case: 'taskMetadataResponse', value: metadata(contentLength, length) });
const parent = (port: number): AnnouncePeerResponse => {
  const host = Host.fromPartial({ id: 'ghost', hostname: 'ghost', ip: '127.0.0.1', port, downloadPort: port });
  const value = { candidateParents: [Peer.fromPartial({ id: 'ghost', host })], additional: true };
  return say({ $case: 'normalTaskResponse', value });
};

describe('a hostile scheduler', { timeout: 300_000 }, () => {
  const cleanup = new AsyncDisposableStack();
  let swarm: LocalSwarm;
  let origin: HttpOrigin;
  let hole = 0;

  before(async () => {
    swarm = cleanup.use(await LocalSwarm.create());
    origin = cleanup.use(await HttpOrigin.start());
    const sockets = new Set<Socket>();
    const silent = createServer((socket) => void sockets.add(socket)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    cleanup.defer(() => {
      silent.close();
      for (const socket of sockets) socket.destroy();
    });
    hole = (silent.address() as AddressInfo).port;
  });
  after(() => cleanup.disposeAsync());

  const lies: Record<string, () => readonly AnnouncePeerResponse[]> = {
    'calls the content empty': () => [say({ $case: 'emptyTaskResponse', value: {} })],
    'tells a length that no disk has': () => [tells(Number.MAX_SAFE_INTEGER)],
    'tells of more pieces than there can be': () => [tells(Number.MAX_SAFE_INTEGER, 1)],
    'tells twice the length, and leases the origin': () => [lease(2 * content.length)],
    'tells half the length, and leases the origin': () => [lease(Math.floor(content.length / 2))],
    'tells a false length, and gives nothing': () => [tells(2 * content.length)],
    'gives a parent that is not there': () => [parent(nobody)],
    'gives a parent that says nothing': () => [parent(hole)],
    'says nothing': () => [],
  };
  for (const [what, answers] of Object.entries(lies)) {
    test(`that ${what}`, async () => {
      await using scheduler = await startScheduler(answers());
      const name = `node-${scheduler.port}`;
      const daemon = await swarm.startDaemon(name, {
        schedulers: [`127.0.0.1:${scheduler.port}`],
        adjust: (config) => ({ ...config, scheduler: { ...config.scheduler, scheduleTimeout: 200 } }),
      });
      const url = origin.add(`/${name}`, { content });
      const outputPath = swarm.directory.join(`${name}.out`);
      const receipt = await swarm.download(daemon, { url, outputPath });
      assert.ok(readFileSync(outputPath).equals(content));
      assert.equal(receipt.bytesFromOrigin, content.length);
      await swarm.stopDaemon(name);
    });
  }
});

/** Of the call, or of the server. */
function end({ signal, draining }: CallContext): Promise<void> {
  return Promise.race([aborted(signal), aborted(draining)]);
}

/** Takes every host, and says this to every peer. */
async function startScheduler(answers: readonly AnnouncePeerResponse[]): Promise<RpcServer> {
  const server = RpcServer.create(
    { host: '127.0.0.1', port: 0 },
    { features: [swarmFeature], header: () => ({ [instanceHeader]: 'hostile' }) },
  ).addService(SchedulerDefinition, {
    announceHost: () => Promise.resolve({}),
    announceTasks: () => Promise.resolve({ rejectedTaskIds: [] }),
    holdHost: async function* (_, context) {
      yield { unreachable: false, originalDaemons: false, changedObjects: [] };
      await end(context);
    },
    announcePeer: async function* (_, context) {
      yield* answers;
      await end(context);
    },
  });
  await server.start();
  return server;
}
