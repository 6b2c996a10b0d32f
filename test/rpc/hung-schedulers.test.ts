/** A scheduler that hangs: its connections stand, and nothing comes. The next one of the ring is asked; only without one do nodes help themselves. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HashRing } from '../../src/core/hash-ring.ts';
import { taskId } from '../../src/core/ids.ts';
import { HoldingRelay } from '../support/holding-relay.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { LocalSwarm, type Daemon } from '../support/local-swarm.ts';

const content = Buffer.alloc(9 * 2 ** 20, 7);

describe('nodes whose scheduler hangs', { timeout: 120_000 }, () => {
  /** Daemons that reach so many schedulers through relays that can hold back what passes. */
  async function cluster(schedulers: number): Promise<{
    readonly owned: AsyncDisposableStack;
    readonly swarm: LocalSwarm;
    readonly origin: HttpOrigin;
    readonly relays: readonly HoldingRelay[];
    readonly daemons: readonly Daemon[];
  }> {
    const owned = new AsyncDisposableStack();
    const origin = owned.use(await HttpOrigin.start());
    const swarm = owned.use(await LocalSwarm.create());
    const relays: HoldingRelay[] = [];
    while (relays.length < schedulers) relays.push(owned.use(await HoldingRelay.start(await swarm.startScheduler())));
    const addresses = relays.map(({ address }) => address);
    const daemons: Daemon[] = [];
    for (const name of ['one', 'two', 'three']) daemons.push(await swarm.startDaemon(name, { schedulers: addresses }));
    return { owned, swarm, origin, relays, daemons };
  }

  function homeOf(relays: readonly HoldingRelay[], url: string): HoldingRelay | undefined {
    const [home] = new HashRing(relays.map(({ address }) => address)).owners(taskId({ url }));
    return relays.find(({ address }) => address === home);
  }

  test('meet at the next one, and fetch one copy between them', async () => {
    const { owned, swarm, origin, relays, daemons } = await cluster(2);
    await using _owned = owned;
    const url = origin.add('/file', { content });
    homeOf(relays, url)?.hold();
    await Promise.all(daemons.map((daemon) => swarm.download(daemon, { url })));
    assert.equal(origin.requestsFor('/file').length, 1);
  });

  test('go to the origin within a second where there is no other', async () => {
    const { owned, swarm, origin, relays, daemons } = await cluster(1);
    await using _owned = owned;
    const url = origin.add('/file', { content });
    homeOf(relays, url)?.hold();
    const startedMs = performance.now();
    await Promise.all(daemons.map((daemon) => swarm.download(daemon, { url })));
    const tookMs = performance.now() - startedMs;
    assert.ok(origin.requestsFor('/file').length >= 3);
    assert.ok(tookMs < 4000, `${tookMs} ms`);
  });
});
