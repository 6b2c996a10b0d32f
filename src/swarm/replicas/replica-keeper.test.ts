import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { persistentHosts, type KeptFacts } from './kept-task.ts';
import type { HostPlace } from './placement.ts';
import type { ReplicaEffect } from './replica-effect.ts';
import { ReplicaKeeper } from './replica-keeper.ts';

const hour = 3_600_000;
const id = 'a'.repeat(64);

function facts(changes: Partial<KeptFacts> = {}): KeptFacts {
  const layout = { contentLengthBytes: 100, pieceLengthBytes: 4_194_304 };
  return {
    taskId: id,
    replicas: 2,
    createdMs: 0,
    ttlMs: hour,
    owner: '1000@a',
    digest: 'sha256:1',
    ...layout,
    ...changes,
  };
}

function place(hostId: string, changes: Partial<HostPlace> = {}): HostPlace {
  return { hostId, ip: `ip-${hostId}`, idc: '', location: '', freeBytes: 1000, shares: true, ...changes };
}

function keeperWith(hosts: readonly HostPlace[], limits = {}): ReplicaKeeper {
  const keeper = new ReplicaKeeper(limits);
  for (const host of hosts) keeper.hostSeen(host, 0);
  return keeper;
}

/** Host `a` has imported the content and waits. */
function imported(keeper: ReplicaKeeper, changes: Partial<KeptFacts> = {}): ReplicaEffect[] {
  keeper.uploadStarted(facts(changes), 'a', 1);
  return keeper.uploadFinished(id, 'a', { waits: true, nowMs: 2 });
}

const abc = ['a', 'b', 'c'].map((name) => place(name));

describe('replicas', () => {
  test('an import is settled when as many hosts hold it as were asked for, and not before', () => {
    const keeper = keeperWith(abc);
    assert.deepEqual(imported(keeper), [{ kind: 'make', taskId: id, hostId: 'b' }]);
    assert.deepEqual(keeper.made(id, 'b', 3), [{ kind: 'settled', taskId: id }]);
  });

  test('a replica that fails is made by another host', () => {
    const keeper = keeperWith(abc);
    imported(keeper);
    assert.deepEqual(keeper.makeFailed(id, 'b', 3), [{ kind: 'make', taskId: id, hostId: 'c' }]);
    assert.deepEqual(keeper.made(id, 'c', 4), [{ kind: 'settled', taskId: id }]);
  });

  test('another zone comes first, then another machine, then another rack', () => {
    const a = place('a', { idc: 'z1', ip: '1', location: 'eu|r1' });
    const sameRack = place('b', { idc: 'z1', ip: '2', location: 'eu|r1' });
    const otherRack = place('c', { idc: 'z1', ip: '3', location: 'eu|r2' });
    const sameMachine = place('d', { idc: 'z1', ip: '1', location: 'us|r9', freeBytes: 10_000 });
    const otherZone = place('e', { idc: 'z2', ip: '5', location: 'eu|r1' });
    const order: string[] = [];
    const keeper = keeperWith([a, sameRack, otherRack, sameMachine, otherZone]);
    keeper.uploadStarted(facts({ replicas: 5 }), 'a', 1);
    for (const effect of keeper.uploadFinished(id, 'a', { waits: true, nowMs: 2 }))
      if (effect.kind === 'make') order.push(effect.hostId);
    assert.deepEqual(order, ['e', 'c', 'b', 'd']);
  });

  test('hosts without room, and those that give nothing to others, get none', () => {
    const keeper = keeperWith([place('a'), place('b', { freeBytes: 99 }), place('c', { shares: false })]);
    assert.deepEqual(imported(keeper), []);
    assert.deepEqual(keeper.hostSeen(place('d'), 3), [{ kind: 'make', taskId: id, hostId: 'd' }]);
  });

  test('an import for which there are too few hosts is given up, and leaves nothing elsewhere', () => {
    const keeper = keeperWith([place('a'), place('b')], { patienceMs: 100 });
    imported(keeper, { replicas: 3 });
    assert.deepEqual(keeper.made(id, 'b', 3), []);
    assert.equal(keeper.nextTickMs(), 103);
    assert.deepEqual(keeper.tick(103), [
      { kind: 'stuck', taskId: id, hosts: 2 },
      { kind: 'remove', taskId: id, hostId: 'b', ofObject: false },
    ]);
    assert.equal(keeper.get(id), undefined);
    assert.deepEqual(keeper.uploadFailed(id, 'a', 104), [], 'its host has deleted its own');
  });

  test('a repeated import that fails leaves what was acknowledged before', async (context) => {
    const gives = (effects: readonly ReplicaEffect[]): void =>
      assert.ok(effects.every(({ kind }) => kind !== 'remove'));
    const failed = (keeper: ReplicaKeeper): void => {
      const effects = keeper.tick(200);
      assert.ok(effects.some(({ kind }) => kind === 'stuck'));
      gives(effects);
    };
    const few = (): ReplicaKeeper => keeperWith([place('a'), place('z')], { patienceMs: 100, returnMs: 10 });
    await context.test('at its own host, of which the scheduler has forgotten that it holds it', () => {
      const keeper = few();
      imported(keeper, { replicas: 3 });
      keeper.makeFailed(id, 'z', 3);
      failed(keeper);
      gives(keeper.held(facts(), 'a', { persistent: true, nowMs: 201 }));
      assert.deepEqual(persistentHosts(keeper.get(id) ?? assert.fail()), ['a']);
    });
    await context.test('at hosts that tell of it afterwards', () => {
      const keeper = few();
      imported(keeper, { replicas: 3 });
      keeper.makeFailed(id, 'z', 3);
      failed(keeper);
      keeper.uploadFailed(id, 'a', 201);
      gives(keeper.held(facts(), 'y', { persistent: true, nowMs: 202 }));
      assert.deepEqual(persistentHosts(keeper.get(id) ?? assert.fail()), ['y']);
    });
    await context.test('at hosts that tell of it meanwhile, for as long as they were promised', () => {
      const keeper = few();
      imported(keeper, { replicas: 4, ttlMs: 1_000 });
      gives(keeper.held(facts(), 'y', { persistent: true, nowMs: 3 }));
      keeper.made(id, 'z', 4);
      failed(keeper);
      gives(keeper.uploadFailed(id, 'a', 201));
      gives(keeper.tick(2_000));
      assert.deepEqual(
        persistentHosts(keeper.get(id) ?? assert.fail()),
        ['y', 'z'],
        'whatever else was made is of use',
      );
    });
    await context.test('at a host that was asked for a replica before it could say that it has one', () => {
      const keeper = few();
      imported(keeper, { replicas: 3 });
      keeper.held(facts(), 'z', { persistent: true, nowMs: 3 });
      keeper.made(id, 'z', 4);
      failed(keeper);
      assert.deepEqual(persistentHosts(keeper.get(id) ?? assert.fail()), ['z']);
    });
    await context.test('when its host gives up', () => {
      const keeper = few();
      imported(keeper, { replicas: 3 });
      keeper.held(facts(), 'y', { persistent: true, nowMs: 3 });
      gives(keeper.uploadFailed(id, 'a', 4));
      assert.deepEqual(persistentHosts(keeper.get(id) ?? assert.fail()), ['y']);
    });
  });

  test('a host that is gone gets time to come back, then its replica is made elsewhere; when it comes back later, one may go', () => {
    const keeper = keeperWith(abc, { returnMs: 1000 });
    imported(keeper);
    keeper.made(id, 'b', 3);
    assert.deepEqual(keeper.hostLeft('b', 10), []);
    assert.equal(keeper.nextTickMs(), 1010);
    assert.deepEqual(keeper.tick(1010), [{ kind: 'make', taskId: id, hostId: 'c' }]);
    assert.deepEqual(keeper.made(id, 'c', 1011), []);
    keeper.hostSeen(place('b'), 2000);
    const released = keeper.held(facts(), 'b', { persistent: true, nowMs: 2001 });
    assert.deepEqual(
      released.map(({ kind }) => kind),
      ['release'],
    );
    assert.equal(persistentHosts(keeper.get(id) ?? assert.fail()).length, 2);
  });

  test('a host that comes back in time costs nothing', () => {
    const keeper = keeperWith(abc, { returnMs: 1000 });
    imported(keeper);
    keeper.made(id, 'b', 3);
    keeper.hostLeft('b', 10);
    keeper.hostSeen(place('b'), 20);
    assert.deepEqual(keeper.held(facts(), 'b', { persistent: true, nowMs: 21 }), []);
    assert.deepEqual(keeper.tick(1010), []);
  });

  test('a scheduler that has forgotten everything hears of it from the holders, and waits for all of them', () => {
    const keeper = keeperWith(abc, { returnMs: 1000 });
    assert.deepEqual(keeper.held(facts(), 'a', { persistent: true, nowMs: 5 }), []);
    assert.deepEqual(keeper.held(facts(), 'b', { persistent: true, nowMs: 6 }), []);
    assert.deepEqual(keeper.tick(1005), []);
    assert.deepEqual(persistentHosts(keeper.get(id) ?? assert.fail()), ['a', 'b']);
  });

  test('of holders that have not told within that time, the replicas are made anew', () => {
    const keeper = keeperWith(abc, { returnMs: 1000 });
    keeper.held(facts(), 'a', { persistent: true, nowMs: 5 });
    assert.deepEqual(keeper.tick(1005), [{ kind: 'make', taskId: id, hostId: 'b' }]);
  });

  test('a copy in the cache of a host is kept rather than made once more', () => {
    const keeper = keeperWith(abc, { returnMs: 0 });
    imported(keeper);
    keeper.made(id, 'b', 3);
    keeper.held(facts(), 'c', { persistent: false, nowMs: 4 });
    assert.deepEqual(keeper.hostLeft('a', 5), [{ kind: 'keep', taskId: id, hostId: 'c' }]);
  });

  test('what is deleted goes from every holder, and from those that come back with it', () => {
    const keeper = keeperWith(abc);
    imported(keeper);
    keeper.made(id, 'b', 3);
    keeper.hostLeft('b', 4);
    assert.deepEqual(keeper.deleted(id, 5), [{ kind: 'remove', taskId: id, hostId: 'a', ofObject: false }]);
    assert.deepEqual(keeper.held(facts(), 'b', { persistent: true, nowMs: 6 }), [
      { kind: 'remove', taskId: id, hostId: 'b', ofObject: false },
    ]);
    assert.equal(keeper.get(id), undefined);
    assert.throws(() => keeper.deleted(id, 7), { code: 'NOT_FOUND' });
  });

  test('a deleted task can be imported again', () => {
    const keeper = keeperWith(abc);
    imported(keeper);
    keeper.deleted(id, 5);
    assert.deepEqual(imported(keeper), [{ kind: 'make', taskId: id, hostId: 'b' }]);
  });

  test('at the end of its time a task goes', () => {
    const keeper = keeperWith(abc);
    imported(keeper);
    keeper.made(id, 'b', 3);
    assert.deepEqual(keeper.tick(hour), [
      { kind: 'remove', taskId: id, hostId: 'a', ofObject: false },
      { kind: 'remove', taskId: id, hostId: 'b', ofObject: false },
    ]);
  });

  test('the same content is imported once; a host that was cut off may begin again', () => {
    const keeper = keeperWith(abc);
    keeper.uploadStarted(facts(), 'a', 1);
    assert.throws(() => keeper.uploadStarted(facts(), 'b', 2), { code: 'ALREADY_EXISTS' });
    keeper.uploadStarted(facts(), 'a', 3);
    keeper.hostLeft('a', 4);
    keeper.uploadStarted(facts(), 'b', 5);
    keeper.uploadFinished(id, 'b', { waits: true, nowMs: 6 });
    assert.throws(() => keeper.uploadStarted(facts(), 'c', 7), { code: 'ALREADY_EXISTS' });
  });

  test('an import that failed leaves nothing at other hosts', () => {
    const keeper = keeperWith(abc);
    imported(keeper);
    assert.deepEqual(keeper.uploadFailed(id, 'a', 3), [{ kind: 'remove', taskId: id, hostId: 'b', ofObject: false }]);
    // The running download succeeds, but too late.
    assert.deepEqual(keeper.made(id, 'b', 4), [{ kind: 'remove', taskId: id, hostId: 'b', ofObject: false }]);
  });

  test('what contradicts the other holders is refused', () => {
    const keeper = keeperWith(abc);
    imported(keeper);
    for (const other of [{ digest: 'sha256:2' }, { contentLengthBytes: 7 }])
      assert.throws(() => keeper.held(facts(other), 'b', { persistent: true, nowMs: 3 }), { code: 'INVALID_ARGUMENT' });
  });

  test('so many replicas at once, and the next when one is done', () => {
    const hosts = ['a', 'b', 'c', 'd'].map((name) => place(name));
    const keeper = keeperWith(hosts, { maxMaking: 2 });
    assert.equal(imported(keeper, { replicas: 4 }).length, 2);
    assert.equal(keeper.made(id, 'b', 3).length, 1);
    assert.deepEqual(keeper.made(id, 'c', 4), []);
    assert.deepEqual(keeper.made(id, 'd', 5), [{ kind: 'settled', taskId: id }]);
  });

  test('whatever happens: nothing is settled or released below the number asked for', () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    const event = fc.record({
      kind: fc.constantFrom('seen', 'left', 'held', 'made', 'failed', 'released', 'tick', 'finished', 'started'),
      host: fc.constantFrom(...names),
      persistent: fc.boolean(),
      stepMs: fc.integer({ min: 0, max: 2000 }),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 120 }), fc.integer({ min: 1, max: 4 }), (events, replicas) => {
        const keeper = keeperWith(
          names.map((name) => place(name)),
          { returnMs: 1500, patienceMs: 3000, maxMaking: 2 },
        );
        let nowMs = 1;
        for (const { kind, host, persistent, stepMs } of events) {
          nowMs += stepMs;
          const known = facts({ replicas });
          const effects = attempt(() => {
            if (kind === 'seen') return keeper.hostSeen(place(host), nowMs);
            if (kind === 'left') return keeper.hostLeft(host, nowMs);
            if (kind === 'held') return keeper.held(known, host, { persistent, nowMs });
            if (kind === 'made') return keeper.made(id, host, nowMs);
            if (kind === 'failed') return keeper.makeFailed(id, host, nowMs);
            if (kind === 'released') return keeper.released(id, host, nowMs);
            if (kind === 'started') return keeper.uploadStarted(known, host, nowMs);
            if (kind === 'finished') return keeper.uploadFinished(id, host, { waits: persistent, nowMs });
            return keeper.tick(nowMs);
          });
          const task = keeper.get(id);
          const present = task ? persistentHosts(task) : [];
          for (const effect of effects) {
            if (effect.kind === 'settled') assert.ok(present.length >= replicas);
            if (effect.kind === 'release') assert.ok(present.length >= replicas && !present.includes(effect.hostId));
            if (effect.kind === 'make') assert.ok(!task?.replicas.has(effect.hostId));
          }
        }
      }),
      { numRuns: 2000 },
    );
  });
});

function attempt(event: () => ReplicaEffect[]): ReplicaEffect[] {
  try {
    return event();
  } catch {
    return [];
  }
}

describe('replicas of what belongs to a store', () => {
  const object = { url: 's3://b/k', region: 'r', endpoint: 'http://s', state: 'pending' } as const;
  const stored = { ...object, state: 'stored', etag: 'e' } as const;

  test('what the store does not have yet outlives its time, and its holders hear when that runs', () => {
    const keeper = keeperWith(abc);
    imported(keeper, { object });
    keeper.made(id, 'b', 3);
    assert.deepEqual(keeper.tick(2 * hour), []);
    const gone = keeper.held(facts({ object: stored }), 'a', { persistent: true, nowMs: 2 * hour + 1 });
    const removed = gone.flatMap((effect) => (effect.kind === 'remove' ? [effect.hostId] : []));
    assert.deepEqual(new Set(removed), new Set(['a', 'b']));
  });

  test('a holder that still takes it for pending is told', () => {
    const keeper = keeperWith(abc);
    imported(keeper, { object });
    keeper.made(id, 'b', 3);
    const told = keeper.held(facts({ object: stored }), 'a', { persistent: true, nowMs: 4 });
    assert.deepEqual(told, [{ kind: 'tell', taskId: id, hostId: 'b' }]);
    assert.equal(keeper.get(id)?.facts.object?.etag, 'e');
    keeper.hostLeft('b', 5);
    keeper.hostSeen(place('b'), 6);
    const again = keeper.held(facts({ object }), 'b', { persistent: true, nowMs: 7 });
    assert.deepEqual(again, [{ kind: 'tell', taskId: id, hostId: 'b' }]);
    assert.equal(keeper.get(id)?.facts.object?.state, 'stored');
  });

  test('nothing else goes in under a name whose content waits for the store, though its hosts are away', () => {
    const keeper = keeperWith(abc);
    imported(keeper, { object });
    keeper.made(id, 'b', 3);
    keeper.hostLeft('a', 4);
    keeper.hostLeft('b', 4);
    assert.throws(() => keeper.uploadStarted(facts({ object }), 'c', 5), { code: 'ALREADY_EXISTS' });
  });

  test('a deleted one that was pending does not come back', () => {
    const keeper = keeperWith(abc);
    imported(keeper, { object });
    keeper.hostLeft('b', 3);
    keeper.deleted(id, 4);
    const back = keeper.held(facts({ object }), 'b', { persistent: true, nowMs: 3 * hour });
    assert.deepEqual(back, [{ kind: 'remove', taskId: id, hostId: 'b', ofObject: true }]);
  });
});
