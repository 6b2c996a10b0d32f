/** `dfstore cp`: import and export under the name that other tools use. */
import type { CommandIo } from '../../core/process/command.ts';
import { DragonflyError } from '../../core/errors.ts';
import { isObjectUrl } from './storage-flags.ts';
import { exportObject, importObject, type StoreExportFlags, type StoreImportFlags } from './transfer.ts';

export type CopyFlags = Omit<StoreImportFlags, 'url'> & Omit<StoreExportFlags, 'output'>;

export async function copy(from: string, to: string, flags: CopyFlags, io: CommandIo): Promise<number> {
  const [fromStore, toStore] = [isObjectUrl(from), isObjectUrl(to)];
  if (fromStore && !toStore) return exportObject(from, { ...flags, output: to }, io);
  if (toStore && !fromStore) return importObject(from, { ...flags, url: to }, io);
  throw new DragonflyError('INVALID_ARGUMENT', `${fromStore ? 'both are' : 'neither is the URL of'} an object`, {
    hint: 'Copy a file to an object, "dfstore cp FILE s3://bucket/key", or an object to a file.',
  });
}
