/** Opens the hashing threads: one kind for whole contents, one for single pieces. */
import type { Logger } from '../core/process/logger.ts';
import type { Owned } from '../core/process/lifecycle.ts';
import type { DfdaemonConfig } from './config.ts';
import { ContentHasher } from './task/proof/content-hasher.ts';
import { PieceHasher } from './task/proof/piece-hasher.ts';

/** `pieceHasher` is undefined when pieces are not compared: by configuration, or because the platform cannot do it. */
export async function openHashers({ download }: DfdaemonConfig, owned: Owned, logger: Logger) {
  const hasher = owned.add('content hasher', new ContentHasher());
  const canHash = download.pieceDigests && (await PieceHasher.isAvailable());
  if (download.pieceDigests && !canHash)
    logger.warn({}, 'pieces of content without a digest are not compared: BLAKE3 is not built for this platform');
  return { hasher, pieceHasher: canHash ? owned.add('piece hasher', new PieceHasher()) : undefined };
}
