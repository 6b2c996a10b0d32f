/** A disk whose second half has died, under a serving parent. Needs root and loop devices; skipped without. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { toDragonflyError } from '../../src/core/errors.ts';
import { TaskStore } from '../../src/dfdaemon/storage/task-store.ts';
import { PieceServer } from '../../src/dfdaemon/transport/piece-server.ts';
import { storeContent } from '../storage/fixtures.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { Child, pieceLengthBytes, taskId, transportContent, unlimited } from './fixtures.ts';

const mebibyte = 2 ** 20;
const pieces = 10;
const content = transportContent(pieces * pieceLengthBytes);

const skip = process.geteuid?.() === 0 && existsSync('/dev/loop-control') ? false : 'needs root and loop devices';

describe('a disk that cannot be read', { skip }, () => {
  for (const useSendfile of [true, false]) {
    test(`costs its pieces, not the daemon (${useSendfile ? 'sendfile' : 'read and write'})`, async (t) => {
      await using directory = await temporaryDirectory();
      const disk = directory.join('disk');
      const mounted = directory.join('mounted');
      mkdirSync(mounted);
      execFileSync('truncate', ['-s', '96M', disk]);
      const mount = (): void => void execFileSync('mount', ['-o', 'loop', disk, mounted], { stdio: 'ignore' });
      const unmount = (): void => void execFileSync('umount', [mounted]);
      execFileSync('mkfs.ext4', ['-q', '-O', '^has_journal', disk]);
      mount();
      const storage = join(mounted, 'storage');
      try {
        {
          await using store = await TaskStore.open({ directory: storage });
          await storeContent(store.open(taskId, { url: 'http://origin/x' }), content, { pieceLengthBytes });
        }
        unmount();
        mount(); // with an empty page cache
        await using store = await TaskStore.open({ directory: storage });
        truncateSync(disk, 32 * mebibyte);
        await using server = await PieceServer.create({
          store,
          limiter: unlimited(),
          host: '127.0.0.1',
          port: 0,
          useSendfile,
        });
        const child = await Child.create(t, content.length);
        for (let number = 0; number < pieces; number += 1) {
          await child.fetch(number, server.port).catch((error: unknown) => {
            assert(['UNAVAILABLE', 'PIECE_UNAVAILABLE'].includes(toDragonflyError(error).code), String(error));
          });
        }
        await store.recovered();
        const held = [...(store.get(taskId)?.pieces ?? [])];
        assert(held.length > 0 && held.length < pieces, `the parent still claims ${held.length} pieces`);
        for (const number of held) if (!child.task.pieces.has(number)) await child.fetch(number, server.port);
        await child.store.verify(child.task);
        assert(held.every((number) => child.task.pieces.has(number)));
      } finally {
        truncateSync(disk, 96 * mebibyte);
        unmount();
      }
    });
  }
});
