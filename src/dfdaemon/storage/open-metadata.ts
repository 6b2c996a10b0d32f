/** Opens the metadata of a store, even when a disk fault has damaged it. */
import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { toDragonflyError } from '../../core/errors.ts';
import type { Logger } from '../../core/process/logger.ts';
import { Metadata } from './metadata.ts';
import { isDamaged } from './storage-error.ts';

/** Moves damaged metadata aside: the store starts empty, and its content is fetched again on request. */
export function openMetadata({ directory, logger }: { directory: string; logger?: Logger | undefined }): Metadata {
  try {
    return Metadata.open(directory);
  } catch (error) {
    if (!isDamaged(error)) throw error;
    const path = join(directory, 'metadata.sqlite');
    for (const end of ['-wal', '-shm']) rmSync(path + end, { force: true });
    renameSync(path, `${path}.damaged`);
    logger?.error(
      { error: toDragonflyError(error).message, kept: `${path}.damaged` },
      'the storage metadata is damaged: the store starts empty',
    );
    return Metadata.open(directory);
  }
}
