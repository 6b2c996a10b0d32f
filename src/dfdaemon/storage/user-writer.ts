/**
 * Program: writes what it gets as descriptor 3 to a path, with the rights of one user and nothing more. Started by write-as-user.ts as root; it gives up
 * being root before it looks at the path, so that the kernel decides about every step to it.
 */
import { createReadStream } from 'node:fs';
import { chmod, open, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { toDragonflyError } from '../../core/errors.ts';
import { openSpecial, outputError, outputTarget, publish, temporaryBeside } from '../../core/output-file.ts';

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

async function main({ uid, gid, groups, path, overwrite, mode }: UserWriterRequest): Promise<void> {
  process.setgroups?.([...groups]);
  process.setgid?.(gid);
  process.setuid?.(uid);
  const ended = new AbortController();
  process.once('SIGTERM', () => ended.abort());
  const content = (): ReturnType<typeof createReadStream> => createReadStream('', { fd: contentFd, start: 0 });
  const target = await outputTarget(path, overwrite);
  if (target.kind === 'special') {
    await pipeline(content(), await openSpecial(target.path, ended.signal), { signal: ended.signal });
    return;
  }
  const temporary = temporaryBeside(target.path);
  try {
    const file = await open(temporary, 'wx', 0o600);
    await pipeline(content(), file.createWriteStream(), { signal: ended.signal });
    await chmod(temporary, mode);
    await publish(temporary, target.path, overwrite);
  } catch (error) {
    throw outputError(target.path, error);
  } finally {
    await rm(temporary, { force: true });
  }
}

function answer(value: UserWriterAnswer): void {
  process.stdout.write(JSON.stringify(value));
}

main(JSON.parse(process.argv[2] ?? '{}') as UserWriterRequest).then(
  () => answer('written'),
  (error: unknown) => {
    const { code, message, hint } = toDragonflyError(error);
    answer({ code, message, ...(hint !== undefined && { hint }) });
  },
);
