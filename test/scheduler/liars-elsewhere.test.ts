/** A host that one scheduler of a cluster has found to lie is struck off by all of them, and the operator is told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from '../../src/core/config/config.ts';
import { silentLogger } from '../../src/core/process/logger.ts';
import { schedulerConfigSchema } from '../../src/scheduler/config.ts';
import { SchedulerService } from '../../src/scheduler/scheduler-service.ts';
import { allFeatures } from '../../src/swarm/shared/events.ts';
import { digestBytes } from '../../src/swarm/shared/piece-digests.ts';
import { Host } from '../../gen/common/v2/common.ts';
import { SchedulerDefinition } from '../../gen/scheduler/v2/scheduler.ts';
import { Channels } from '../../src/rpc/channels.ts';
import { createClient } from '../../src/rpc/client.ts';
import { runDfctl } from '../../src/cli/dfctl/dfctl.ts';
import { runTool } from '../cli/tool-io.ts';
import { rootOf, startManager } from '../manager/support/manager-fixture.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';

const layout = { contentLengthBytes: 2 ** 20, pieceLengthBytes: 2 ** 20 };

test('who lies to one scheduler is struck off by all', { timeout: 120_000 }, async () => {
  await using directory = await temporaryDirectory();
  await using manager = await startManager({ sqlite: { path: directory.join('manager.db') }, poolSize: 5 });
  await using channels = new Channels();
  const start = async (name: string): Promise<SchedulerService> => {
    const server = { listenIP: '127.0.0.1', port: 0, host: name, cacheDir: directory.join(name) };
    const yaml = JSON.stringify({ server, manager: { addr: `127.0.0.1:${manager.grpcPort}` } });
    const { config } = parseConfig(schedulerConfigSchema, yaml, 'scheduler.yaml');
    const scheduler = await SchedulerService.create(config, { logger: silentLogger });
    await scheduler.start();
    return scheduler;
  };
  await using first = await start('first');
  await using second = await start('second');
  const [liar, seed] = ['liar', 'seed'].map((hostname, place) =>
    Host.fromPartial({ id: `127.0.0.1-${hostname}`, hostname, ip: '127.0.0.1', port: 4001 + place, type: place }),
  );
  assert.ok(liar && seed);
  const clients = [first, second].map(({ addresses }) => createClient(SchedulerDefinition, channels, addresses.grpc));
  const announce = (place: number, host: Host) =>
    clients[place]?.announceHost({ host, interval: { seconds: 300, nanos: 0 } });

  for (const [place, host] of [liar, seed].entries()) {
    await announce(0, host);
    const hostId = host.id;
    first.brain.run((swarm, nowMs) =>
      swarm.registerPeer(
        {
          peerId: hostId,
          hostId,
          taskId: 'task',
          url: 'http://origin.test/file',
          priority: 0,
          needBackToSource: true,
          disableBackToSource: false,
          knownLayout: layout,
          features: allFeatures,
        },
        nowMs,
      ),
    );
    if (place === 0) await waitFor('its lease', () => first.brain.swarm.peer(hostId)?.lease !== undefined);
    const digests = new Uint8Array(digestBytes).fill(place);
    const told = { first: 0, digests, validator: '"1"', checked: hostId === seed.id };
    first.brain.run((swarm, nowMs) => swarm.pieceDigests(hostId, told, nowMs));
  }
  const isStruckOff = ({ brain }: SchedulerService): boolean =>
    (brain.swarm.host(liar.id)?.quarantinedUntilMs ?? 0) > performance.now();
  assert.ok(isStruckOff(first), 'a seed’s word is enough');

  const root = await rootOf(manager);
  await waitFor('the operator to be told', async () => {
    const nodes = await root.ok<{ id: string; accusers: string[] }[]>('GET', '/api/v1/nodes');
    return nodes.find(({ id }) => id === liar.id)?.accusers.includes(seed.id) === true;
  });
  // It comes to the second when that has been told already, or has yet to be.
  await waitFor('the second to hear of it', async () => {
    await announce(1, liar);
    return isStruckOff(second);
  });
  const token = { name: 'dfctl', scopes: ['cluster'], expired_at: '2099-01-01T00:00:00Z', user_id: 1 };
  const { token: value } = await root.ok<{ token: string }>('POST', '/api/v1/personal-access-tokens', token);
  const env = { DFCTL_MANAGER: `127.0.0.1:${manager.restPort}`, DFCTL_TOKEN: value };
  const shown = await runTool(runDfctl, ['node', 'show', 'liar'], { env });
  assert.match(shown.stdout.toString(), /^struck off .*, by the word of 127\.0\.0\.1-seed$/m);
  assert.match((await runTool(runDfctl, ['node', 'ls'], { env })).stdout.toString(), /^liar +struck off /m);
});
