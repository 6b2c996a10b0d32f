/**
 * Program (`dragonfly user-writer`, internal): copies descriptor 3 to a path with the rights of one user and nothing
 * more. Started as root by write-as-user.ts, it drops root before it touches the path, so that the kernel checks every
 * component of it. Everything it needs is imported first, since later it may not be allowed to read our files.
 */
import { createReadStream } from 'node:fs';
import { chmod, open, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { Command } from '../../core/process/command.ts';
import { toDragonflyError } from '../../core/errors.ts';
import { openSpecial, outputError, outputTarget, publish, temporaryBeside } from '../../core/files/output-file.ts';

export interface UserWriterRequest {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
  readonly path: string;
  readonly overwrite: boolean;
  readonly mode: number;
}

export type UserWriterAnswer = 'written' | { readonly code: string; readonly message: string; readonly hint?: string };

const contentFd = 3;

async function write(
  { uid, gid, groups, path, overwrite, mode }: UserWriterRequest,
  signal: AbortSignal,
): Promise<void> {
  process.setgroups?.([...groups]);
  process.setgid?.(gid);
  process.setuid?.(uid);
  const content = (): ReturnType<typeof createReadStream> => createReadStream('', { fd: contentFd, start: 0 });
  const target = await outputTarget(path, overwrite);
  if (target.kind === 'special') {
    await pipeline(content(), await openSpecial(target.path, signal), { signal: signal });
    return;
  }
  const temporary = temporaryBeside(target.path);
  try {
    const file = await open(temporary, 'wx', 0o600);
    await pipeline(content(), file.createWriteStream(), { signal: signal });
    await chmod(temporary, mode);
    await publish(temporary, target.path, overwrite);
  } catch (error) {
    throw outputError(target.path, error);
  } finally {
    await rm(temporary, { force: true });
  }
}

export const runUserWriter: Command = async ([request = '{}'], io) => {
  const answer = (value: UserWriterAnswer): boolean => io.stdout.write(JSON.stringify(value));
  try {
    await write(JSON.parse(request) as UserWriterRequest, io.signal);
    answer('written');
  } catch (error) {
    const { code, message, hint } = toDragonflyError(error);
    answer({ code, message, ...(hint !== undefined && { hint }) });
  }
  return 0;
};
