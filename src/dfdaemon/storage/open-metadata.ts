/** Opens the metadata of a store, also when a fault of the disk has damaged it. */
import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { toDragonflyError } from '../../core/errors.ts';
import type { Logger } from '../../core/process/logger.ts';
import { Metadata } from './metadata.ts';
import { isDamaged } from './storage-error.ts';

/** Damaged metadata is put aside: the store starts empty, and what it held is fetched again when it is asked for. */
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
