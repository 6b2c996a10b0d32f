/**
 * Writes content to a path as one of this machine's users: the file belongs to him, where he may create one. A separate
 * process does it, since in Node file permissions apply to a whole process; only root can become another user.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, closeSync } from 'node:fs';
import { DragonflyError, type ErrorCode } from '../../core/errors.ts';
import { onAbort } from '../../core/process/lifecycle.ts';
import { ownCommand } from '../../core/own-files.ts';
import { maxUserWriterAnswerBytes, maxUserWriters, userWriterTimeoutMs } from './limits.ts';
import type { UserWriterAnswer, UserWriterRequest } from './user-writer.ts';

let running = 0;

/** Atomic, like linkOut. Throws OUTPUT, NO_SPACE, RESOURCE_EXHAUSTED when too many write at once, the signal's reason. */
export async function writeAsUser(contentPath: string, request: UserWriterRequest, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (running >= maxUserWriters)
    throw new DragonflyError('RESOURCE_EXHAUSTED', `${running} outputs of other users are being written already`, {
      hint: 'Try again, or add --transfer-from-dfdaemon.',
    });
  running += 1;
  const fd = openSync(contentPath, 'r');
  try {
    const [command, ...words] = ownCommand();
    const child = spawn(command, [...words, 'user-writer', JSON.stringify(request)], {
      stdio: ['ignore', 'pipe', 'ignore', fd],
      env: {},
      cwd: '/',
    });
    const ends = AbortSignal.any([signal, AbortSignal.timeout(userWriterTimeoutMs)]);
    const end = (): void => void child.kill('SIGTERM');
    using _ending = onAbort(ends, end);
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (text.length > maxUserWriterAnswerBytes) end();
    });
    await once(child, 'close');
    signal.throwIfAborted();
    const answer = parse(text);
    if (answer !== 'written')
      throw new DragonflyError(
        answer.code as ErrorCode,
        answer.message,
        answer.hint === undefined ? {} : { hint: answer.hint },
      );
  } finally {
    closeSync(fd);
    running -= 1;
  }
}

function parse(text: string): UserWriterAnswer {
  try {
    return JSON.parse(text) as UserWriterAnswer;
  } catch {
    return { code: 'OUTPUT', message: 'the program that writes outputs as their user ended without a word' };
  }
}
