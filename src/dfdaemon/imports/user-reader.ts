/**
 * Program (`dragonfly user-reader`, internal): copies a file to descriptor 3 with the rights of one user and nothing more, or only says what it
 * is when there is no such descriptor. Started as root by read-as-user.ts, it drops root before it touches the path.
 */
import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import type { Command } from '../../core/process/command.ts';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { longestWriteBytes } from '../../core/files/longest-write.ts';

export interface UserReaderRequest {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
  readonly path: string;
  readonly copies: boolean;
}

export type UserReaderAnswer =
  | { readonly lengthBytes: number; /** Changes with every write. */ readonly stamp: string }
  | { readonly code: string; readonly message: string; readonly hint?: string };

const targetFd = 3;

function read({ uid, gid, groups, path, copies }: UserReaderRequest): UserReaderAnswer {
  process.setgroups?.([...groups]);
  process.setgid?.(gid);
  process.setuid?.(uid);
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!fstatSync(fd).isFile())
      throw new DragonflyError('INVALID_ARGUMENT', `${path} is no file: only files are imported`);
    if (copies) copy(fd);
    const { size, mtimeNs } = fstatSync(fd, { bigint: true });
    return { lengthBytes: Number(size), stamp: `${size}:${mtimeNs}` };
  } finally {
    closeSync(fd);
  }
}

function copy(fd: number): void {
  const block = Buffer.allocUnsafe(longestWriteBytes);
  for (let offset = 0; ;) {
    const count = readSync(fd, block, 0, block.length, offset);
    if (count === 0) return;
    for (let done = 0; done < count;) done += writeSync(targetFd, block, done, count - done, offset + done);
    offset += count;
  }
}

export const runUserReader: Command = async ([request = '{}'], io) => {
  let answer: UserReaderAnswer;
  try {
    answer = read(JSON.parse(request) as UserReaderRequest);
  } catch (error) {
    const { code, message, hint } = toDragonflyError(error);
    answer = { code, message, ...(hint !== undefined && { hint }) };
  }
  io.stdout.write(JSON.stringify(answer));
  return 0;
};
