/** Reads a file as one of the users of this machine, in a separate process, as for outputs (storage/write-as-user.ts). */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { DragonflyError, type ErrorCode } from '../../core/errors.ts';
import { onAbort } from '../../core/process/lifecycle.ts';
import { ownCommand } from '../../core/own-files.ts';
import { importLimits } from './limits.ts';
import type { UserReaderAnswer, UserReaderRequest } from './user-reader.ts';

/**
 * @param target descriptor that gets the content; undefined to look only. @returns what the file is afterwards. Throws
 * the kernel's error for the path, and the signal's reason.
 */
export async function readAsUser(
  user: Omit<UserReaderRequest, 'copies'>,
  target: number | undefined,
  signal: AbortSignal,
): Promise<{ readonly lengthBytes: number; readonly stamp: string }> {
  signal.throwIfAborted();
  const request: UserReaderRequest = { ...user, copies: target !== undefined };
  const [command, ...words] = ownCommand();
  const child = spawn(command, [...words, 'user-reader', JSON.stringify(request)], {
    stdio: ['ignore', 'pipe', 'ignore', ...(target === undefined ? [] : [target])],
    env: {},
    cwd: '/',
  });
  const end = (): void => void child.kill('SIGTERM');
  using _ending = onAbort(signal, end);
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    if (text.length > importLimits.userReaderAnswerBytes) end();
  });
  await once(child, 'close');
  signal.throwIfAborted();
  const answer = parse(text);
  if (!('code' in answer)) return answer;
  const { code, message, hint } = answer;
  throw new DragonflyError(code as ErrorCode, message, hint === undefined ? {} : { hint });
}

function parse(text: string): UserReaderAnswer {
  try {
    return JSON.parse(text) as UserReaderAnswer;
  } catch {
    return { code: 'INTERNAL', message: 'the program that reads files as their user ended without a word' };
  }
}
