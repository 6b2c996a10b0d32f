/** Which scheduler a task goes to: where daemons of the original may be, the one they would choose. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { OriginalRing } from '../../src/core/original-ring.ts';
import { HashRing } from '../../src/core/hash-ring.ts';
import { taskId } from '../../src/core/ids.ts';
import { createClient } from '../../src/rpc/client.ts';
import { Host } from '../../gen/common/v2/common.ts';
import { SchedulerDefinition } from '../../gen/scheduler/v2/scheduler.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { LocalSwarm, type Daemon } from '../support/local-swarm.ts';
import { OriginalScheduler } from '../support/original-scheduler.ts';
import { waitFor } from '../support/wait-for.ts';

describe('two schedulers and two daemons', { timeout: 200_000 }, () => {
  let swarm: LocalSwarm;
  let origin: HttpOrigin;
  let daemons: Daemon[];
  let files = 0;

  before(async () => {
    [swarm, origin] = [await LocalSwarm.create(), await HttpOrigin.start()];
    await swarm.startScheduler();
    await swarm.startScheduler();
    daemons = [await swarm.startDaemon('one'), await swarm.startDaemon('two')];
  });
  after(async () => {
    await swarm[Symbol.asyncDispose]();
    await origin[Symbol.asyncDispose]();
  });

  /** Downloads a new file at a daemon; the task, and the schedulers that know it. */
  async function homeOf(daemon: Daemon, addresses: readonly string[]) {
    const url = origin.add(`/${(files += 1)}`, { content: Buffer.alloc(1000, files) });
    await swarm.download(daemon, { url });
    const id = taskId({ url });
    const known = await Promise.all(
      addresses.map(async (address) => {
        const client = createClient(SchedulerDefinition, swarm.channels, address);
        const { hosts } = await client.listHosts({});
        const hostId = hosts.find(({ hostname }) => hostname === daemon.name)?.id ?? '';
        return client.statTask({ hostId, taskId: id }).then(
          () => address,
          () => undefined,
        );
      }),
    );
    return { id, homes: known.filter((address) => address !== undefined) };
  }

  async function everyTaskGoesBy(ring: HashRing | OriginalRing): Promise<boolean> {
    for (const daemon of daemons) {
      for (let round = 0; round < 8; round += 1) {
        const { id, homes } = await homeOf(daemon, ring.nodes);
        if (homes.length !== 1 || homes[0] !== ring.owners(id)[0]) return false;
      }
    }
    return true;
  }

  test('share evenly among themselves, and change to the ring of the original when one of its daemons comes', async () => {
    const addresses = swarm.schedulerAddresses;
    assert.ok(await everyTaskGoesBy(new HashRing(addresses)));
    // It announces itself to every scheduler; that one of them knows is enough.
    const [first = ''] = addresses;
    const client = createClient(SchedulerDefinition, swarm.channels, first);
    const host = Host.fromPartial({
      id: '127.0.0.1-rust',
      hostname: 'rust',
      ip: '127.0.0.1',
      port: 4000,
      downloadPort: 4000,
    });
    await client.announceHost({ host, interval: undefined }, { metadata: { 'x-dragonfly-features': 'none' } });
    await waitFor('the ring of the original', () => everyTaskGoesBy(new OriginalRing(addresses)));
  });

  test('go by the ring of the original from the start beside one of its schedulers', async () => {
    const scheduler = await OriginalScheduler.start();
    const schedulers = [swarm.schedulerAddresses[1] ?? '', scheduler.address];
    const daemon = await swarm.startDaemon('three', { schedulers });
    const ring = new OriginalRing(schedulers);
    for (let round = 0; round < 12; round += 1) {
      const url = origin.add(`/mixed-${round}`, { content: Buffer.alloc(1000, round) });
      await swarm.download(daemon, { url });
      const id = taskId({ url });
      const owner = ring.owners(id)[0] ?? '';
      const registered = scheduler.registrations.some((registration) => registration.taskId === id);
      assert.equal(registered, owner === scheduler.address);
    }
    await swarm.stopDaemon('three');
    await scheduler[Symbol.asyncDispose]();
  });
});
