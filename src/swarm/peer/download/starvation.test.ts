/** A download that gets nothing: how long it waits, whom it asks, and when it goes to the origin by itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PieceSet } from '../../shared/piece-set.ts';
import { seededRandom } from '../../shared/random.ts';
import type { PeerEffect } from './effects.ts';
import type { PeerEvent } from './events.ts';
import { downloadLimits } from './limits.ts';
import { PeerMachine } from './peer-machine.ts';
import { patienceMs, type SchedulerKinds } from './starvation.ts';

/** A download in virtual time that carries out its effects at the origin. */
class Run {
  readonly machine: PeerMachine;
  readonly effects: PeerEffect[] = [];
  schedulers: SchedulerKinds = 'held';
  nowMs = 0;

  constructor({ mayGoToOrigin = true, hasFallback = false } = {}) {
    const rules = { mayGoToOrigin, hasFallback, scheduleTimeoutMs: 30_000, pieceTimeoutMs: 20_000, settleMs: 0 };
    this.machine = new PeerMachine({ ...rules, picker: { random: seededRandom(1) } });
    this.send({ kind: 'started', held: new PieceSet() });
  }

  send(event: PeerEvent): void {
    const { nowMs, schedulers } = this;
    const moment = { nowMs, schedulers, bytesPerSec: 0, latestBytesPerSec: 0, answerMs: 0 };
    const effects = this.machine.step(event, moment);
    this.effects.push(...effects);
    // Fetches never end; failures do.
    if (effects.some(({ kind }) => kind === 'fail')) this.machine.step({ kind: 'settled' }, moment);
  }

  lose(
    code: 'UNAVAILABLE' | 'HOST_UNKNOWN' | 'PEER_UNKNOWN' | 'PERMISSION_DENIED' = 'UNAVAILABLE',
    extended = true,
  ): void {
    this.send({ kind: 'session-ended', extended, code, originSaid: false, mayDiffer: false });
  }

  pass(ms: number): void {
    const untilMs = this.nowMs + ms;
    while (this.machine.dueMs <= untilMs) {
      this.nowMs = Math.max(this.nowMs, this.machine.dueMs);
      this.send({ kind: 'tick' });
    }
    this.nowMs = untilMs;
  }

  count(kind: PeerEffect['kind']): number {
    return this.effects.filter((effect) => effect.kind === kind).length;
  }
}

const lost = {
  kind: 'session-ended',
  extended: true,
  code: 'UNAVAILABLE',
  originSaid: false,
  mayDiffer: false,
} as const;

test('a scheduler that is there is asked before the node goes to the origin by itself', () => {
  const run = new Run();
  run.send({ kind: 'session-opened', extended: true });
  run.pass(downloadLimits.starvedAsks * downloadLimits.nothingGivenMs);
  assert.equal(run.count('ask-scheduler'), downloadLimits.starvedAsks);
  assert.equal(run.count('nobody-gives'), 0);
  run.pass(downloadLimits.nothingGivenMs);
  assert.equal(run.count('nobody-gives'), 1);
  assert.equal(run.count('fetch-origin'), 1);
});

test('one that says each time that somebody is at the origin is asked on, for as long as that can be', () => {
  const run = new Run();
  run.send({ kind: 'session-opened', extended: true });
  const mostMs = 30_000 * (downloadLimits.starvedAsks + 1);
  while (run.count('nobody-gives') === 0 && run.nowMs < 2 * mostMs) {
    const asked = run.count('ask-scheduler');
    run.pass(downloadLimits.nothingGivenMs);
    if (run.count('ask-scheduler') > asked) run.send({ kind: 'parents-withdrawn', parentIds: [] });
  }
  // The last promise that counts comes just before the end; after that the download asks at its usual interval.
  assert.equal(run.nowMs, mostMs + downloadLimits.starvedAsks * downloadLimits.nothingGivenMs);
});

test('without any scheduler nobody is waited for', () => {
  const run = new Run();
  run.schedulers = 'none';
  run.lose();
  run.pass(0);
  assert.equal(run.count('nobody-gives'), 1);
});

test('a node that may not go to the origin fails instead', () => {
  const run = new Run({ mayGoToOrigin: false });
  run.pass(30_000);
  assert.equal(run.count('nobody-gives'), 0);
  assert.ok(run.effects.some((effect) => effect.kind === 'fail' && effect.because === 'starved'));
});

test('whose caller has another way, it fails when another node would go to the origin', () => {
  const lonely = new Run({ mayGoToOrigin: false, hasFallback: true });
  lonely.schedulers = 'none';
  lonely.lose();
  lonely.pass(0);
  assert.equal(lonely.count('fail'), 1);

  const [other, run] = [new Run(), new Run({ mayGoToOrigin: false, hasFallback: true })];
  for (const each of [other, run]) {
    each.send({ kind: 'session-opened', extended: true });
    each.pass((downloadLimits.starvedAsks + 1) * downloadLimits.nothingGivenMs);
  }
  assert.equal(run.count('ask-scheduler'), other.count('ask-scheduler'));
  assert.deepEqual([other.count('fetch-origin'), run.count('fetch-origin'), run.count('fail')], [1, 0, 1]);
});

test('whoever gets something to do has all its patience again', () => {
  const run = new Run();
  run.send({ kind: 'session-opened', extended: true });
  run.pass(downloadLimits.starvedAsks * downloadLimits.nothingGivenMs);
  run.send({ kind: 'lease-granted', lease: { id: '1', first: 0, end: undefined } });
  run.send({ kind: 'lease-revoked', leaseId: '1' });
  run.pass(downloadLimits.starvedAsks * downloadLimits.nothingGivenMs);
  assert.equal(run.count('ask-scheduler'), 2 * downloadLimits.starvedAsks);
  assert.equal(run.count('nobody-gives'), 0);
});

test('a scheduler that is lost is waited for from then on, and once', () => {
  const run = new Run();
  run.schedulers = 'original';
  run.send({ kind: 'session-opened', extended: false });
  run.pass(20_000);
  run.schedulers = 'extended';
  run.lose('UNAVAILABLE', false);
  run.pass(downloadLimits.schedulerReturnMs - 1000);
  assert.equal(run.count('nobody-gives'), 0);
  run.lose('UNAVAILABLE', false);
  run.pass(1000);
  assert.equal(run.count('nobody-gives'), 1);
});

test('a scheduler that a busy machine starts again within nine seconds finds nobody at the origin', () => {
  for (const extended of [true, false]) {
    const run = new Run();
    run.schedulers = extended ? 'held' : 'original';
    run.send({ kind: 'session-opened', extended });
    run.schedulers = 'returning';
    run.lose('UNAVAILABLE', extended);
    run.pass(9_000);
    run.schedulers = extended ? 'held' : 'original';
    run.send({ kind: 'session-opened', extended });
    run.pass(1_000);
    assert.equal(run.count('nobody-gives') + run.count('fetch-origin'), 0, extended ? 'ours' : 'the original’s');
  }
});

test('a lost session is opened again, at once when a scheduler takes this host again', () => {
  const run = new Run();
  run.schedulers = 'returning';
  run.lose('HOST_UNKNOWN');
  assert.equal(run.count('open-session'), 1);
  run.send({ kind: 'host-taken' });
  run.pass(0);
  assert.equal(run.count('open-session'), 2);
  run.lose();
  run.pass(2 * downloadLimits.sessionBackoffMs);
  assert.equal(run.count('open-session'), 3);
});

test('a scheduler that has dropped this download is told of it again', () => {
  const run = new Run();
  run.lose('PEER_UNKNOWN');
  run.pass(downloadLimits.sessionBackoffMs);
  assert.equal(run.count('fail'), 0);
  assert.equal(run.count('open-session'), 2);
});

test('it is opened so many times in a row, unless it has given parents', () => {
  const run = new Run();
  run.send({ kind: 'lease-granted', lease: { id: '1', first: 0, end: undefined } });
  const lose = (times: number): void => {
    for (let count = 0; count < times; count += 1) {
      run.lose();
      run.pass(downloadLimits.sessionBackoffMaxMs);
    }
  };
  lose(10);
  run.send({ kind: 'parents-offered', parents: [{ peerId: 'parent', distance: 0 }], replace: false });
  lose(100);
  assert.equal(run.count('open-session'), 1 + 10 + downloadLimits.sessionAttempts);
});

test('what the scheduler says of the content is believed', () => {
  const run = new Run();
  run.lose('PERMISSION_DENIED');
  assert.ok(run.effects.some((effect) => effect.kind === 'fail' && effect.because === 'refused'));
});

test('one of the original gets another peer id, and only its word on the caller counts', () => {
  const run = new Run();
  run.lose('PERMISSION_DENIED', false);
  assert.equal(run.count('fail'), 0);
  run.pass(downloadLimits.sessionBackoffMs);
  const renewed = run.effects.flatMap((effect) => (effect.kind === 'open-session' ? [effect.renewId] : []));
  assert.deepEqual(renewed, [false, true]);
});

test('a scheduler that hangs sends nobody to the origin while another one is left to be asked', () => {
  const run = new Run();
  run.send({ kind: 'session-opened', extended: true });
  run.pass(900);
  run.send({ ...lost, silent: 'one' });
  run.pass(0);
  assert.equal(run.count('open-session'), 2, 'the next is asked at once');
  assert.equal(run.count('fetch-origin'), 0);
  run.pass(100);
  run.send({ kind: 'session-opened', extended: true });
  run.pass(downloadLimits.nothingGivenMs - 1);
  assert.equal(run.count('fetch-origin'), 0, 'it gives parents, or the lease');
});

test('where every scheduler hangs, that was waited for when it was found out', () => {
  const run = new Run();
  run.pass(750);
  run.send({ ...lost, silent: 'all' });
  run.pass(downloadLimits.starvedMs - 1);
  assert.equal(run.count('fetch-origin'), 0, 'it is asked once more');
  run.pass(1);
  assert.equal(run.count('fetch-origin'), 1);
  const bound = new Run({ mayGoToOrigin: false });
  bound.send({ ...lost, silent: 'all' });
  bound.pass(1000);
  assert.equal(bound.count('fail'), 0, 'who may not go there waits for it to come back');
  const fed = new Run();
  fed.send({ kind: 'session-opened', extended: true });
  fed.send({
    kind: 'layout-known',
    contentLengthBytes: 2 ** 24,
    pieceCount: 4,
    pieceLengthBytes: 2 ** 22,
    held: new PieceSet(),
  });
  fed.send({ kind: 'parents-offered', parents: [{ peerId: 'parent', distance: 1 }], replace: true });
  fed.send({ ...lost, silent: 'all' });
  fed.pass(200);
  assert.equal(fed.count('fetch-origin'), 0, 'it goes on with the parents that it knows');
});

test('patience follows what there is to hope for', () => {
  const nobody = { isSilent: false, seen: false, hasParents: false, scheduleTimeoutMs: 30_000, pieceTimeoutMs: 20_000 };
  const { starvedMs, nothingGivenMs, schedulerReturnMs, schedulerAnswerMs } = downloadLimits;
  assert.equal(patienceMs({ ...nobody, scheduler: 'lost', kinds: 'none' }), 0);
  assert.equal(patienceMs({ ...nobody, scheduler: 'connected', kinds: 'held' }), nothingGivenMs);
  assert.equal(patienceMs({ ...nobody, hasParents: true, scheduler: 'connected', kinds: 'held' }), 30_000);
  assert.equal(patienceMs({ ...nobody, scheduler: 'connected', kinds: 'original' }), 30_000);
  assert.equal(patienceMs({ ...nobody, scheduler: 'asked', kinds: 'original' }), 30_000);
  assert.equal(patienceMs({ ...nobody, scheduler: 'asked', kinds: 'extended' }), starvedMs);
  assert.equal(patienceMs({ ...nobody, scheduler: 'asked', kinds: 'returning' }), schedulerReturnMs);
  assert.equal(patienceMs({ ...nobody, scheduler: 'asked', kinds: 'held' }), schedulerAnswerMs);
  assert.equal(patienceMs({ ...nobody, scheduler: 'lost', kinds: 'held' }), starvedMs);
  assert.equal(patienceMs({ ...nobody, seen: true, scheduler: 'lost', kinds: 'extended' }), schedulerReturnMs);
  assert.equal(patienceMs({ ...nobody, hasParents: true, scheduler: 'lost', kinds: 'held' }), 20_000);
  const hung = { ...nobody, isSilent: true, seen: true };
  assert.equal(patienceMs({ ...hung, scheduler: 'lost', kinds: 'held' }), starvedMs);
  assert.equal(patienceMs({ ...hung, scheduler: 'asked', kinds: 'held' }), starvedMs);
  assert.equal(patienceMs({ ...hung, hasParents: true, scheduler: 'lost', kinds: 'held' }), 20_000);
});
