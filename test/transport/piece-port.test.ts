/** The port for pieces, where another program has been before. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { PieceServer } from '../../src/dfdaemon/transport/piece-server.ts';
import { TaskStore } from '../../src/dfdaemon/storage/task-store.ts';
import { hasCode, scratchDirectory } from '../storage/fixtures.ts';
import { freePort } from '../support/free-port.ts';
import { unlimited } from './fixtures.ts';

/** Has the port without SO_REUSEADDR, which no socket of Node is without, and serves nobody there; until its input ends. */
const holder = `use Socket; socket(S, PF_INET, SOCK_STREAM, 0);
bind(S, sockaddr_in($ARGV[0], inet_aton('127.0.0.1'))) or die; $| = 1; print 'bound'; <STDIN>`;

test('a port that another program has left, and that is not free yet, is waited for', async (t) => {
  await using store = await TaskStore.open({ directory: scratchDirectory(t) });
  const port = await freePort();
  const before = spawn('perl', ['-e', holder, String(port)], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(before.stdout, 'data');
  const waits = Promise.withResolvers<void>();
  const logger = { warn: () => waits.resolve() } as unknown as NonNullable<
    Parameters<typeof PieceServer.create>[0]['logger']
  >;
  const created = PieceServer.create({ store, limiter: unlimited(), host: '127.0.0.1', port, logger });
  await waits.promise;
  before.stdin.end();
  await using server = await created;
  assert.equal(server.port, port);
  await assert.rejects(
    PieceServer.create({ store, limiter: unlimited(), host: '127.0.0.1', port }),
    hasCode('IN_USE'),
    'somebody answers',
  );
});
