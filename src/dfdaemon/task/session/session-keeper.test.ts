import assert from 'node:assert/strict';
import { describe, mock, test } from 'node:test';
import { DragonflyError } from '../../../core/errors.ts';
import { silentLogger } from '../../../core/process/logger.ts';
import { PieceSet } from '../../../swarm/shared/piece-set.ts';
import { SessionKeeper, type SessionKeeperOptions } from './session-keeper.ts';

describe('a session with a scheduler that has restarted', () => {
  test('and does not know this host yet is opened again as soon as it does', async () => {
    mock.timers.enable({ apis: ['setTimeout'] }); // no back-off ever ends
    const heard: string[] = [];
    const taken: (() => void)[] = [];
    const ended = new AbortController();
    const [lost, reopened] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const keeper = newKeeper({
      events: {
        ...noEvents,
        lost: () => (heard.push('lost'), lost.resolve()),
        refused: ({ code }) => (heard.push(code), lost.resolve()),
      },
      onTaken: (listener) => (taken.push(listener), () => heard.push('stopped listening')),
      open: () => (heard.length === 0 ? refusing('HOST_UNKNOWN') : reopened.resolve()),
      signal: ended.signal,
    });
    keeper.open();
    await lost.promise;
    assert.deepEqual(heard, ['lost']);
    taken[0]?.();
    await reopened.promise;
    assert.deepEqual(heard, ['lost', 'stopped listening']);
    keeper.leave('done');
    ended.abort();
    mock.timers.reset();
  });

  test('and has a word about the content is believed', async () => {
    const refused = Promise.withResolvers<DragonflyError>();
    const keeper = newKeeper({
      events: { ...noEvents, refused: refused.resolve },
      onTaken: () => () => undefined,
      open: () => refusing('PERMISSION_DENIED'),
      signal: new AbortController().signal,
    });
    keeper.open();
    assert.equal((await refused.promise).code, 'PERMISSION_DENIED');
  });
});

const noEvents: SessionKeeperOptions['events'] = {
  connected: () => undefined,
  metadata: () => undefined,
  parents: () => undefined,
  digests: () => undefined,
  dropParents: () => undefined,
  lease: () => undefined,
  revokeLease: () => undefined,
  emptyTask: () => undefined,
  lost: () => undefined,
  refused: () => undefined,
};

// eslint-disable-next-line require-yield
async function* refusing(code: 'HOST_UNKNOWN' | 'PERMISSION_DENIED'): AsyncGenerator<never> {
  throw new DragonflyError(code, 'no');
}

/** @param open what the scheduler answers; nothing, for ever, when it is undefined. */
function newKeeper({
  open,
  ...rest
}: Pick<SessionKeeperOptions, 'events' | 'onTaken' | 'signal'> & {
  open: () => AsyncGenerator<never> | void;
}): SessionKeeper {
  const silent = new Promise<never>(() => undefined);
  return new SessionKeeper({
    ...rest,
    ids: { hostId: 'host', taskId: 'task', peerId: 'peer' },
    newPeerId: () => 'another',
    logger: silentLogger,
    run: (session) =>
      session.run({
        open: async () => {
          const responses = open();
          return responses ? { address: 'scheduler:1', extended: true, responses, silence: () => silent } : silent;
        },
        registration: {},
        reader: undefined,
        pieceDigests: false,
        forOriginal: async () => ({}),
        held: new PieceSet(),
        scheduler: undefined,
      }),
  });
}
