/** Where the parts of a cluster keep their files: removed at the end, or left for whoever asks what happened. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface ClusterDirectory extends AsyncDisposable {
  readonly path: string;
}

export async function clusterDirectory(prefix: string, keep: boolean): Promise<ClusterDirectory> {
  const path = await mkdtemp(join(tmpdir(), prefix));
  if (keep) console.log(`files of this cluster: ${path}`);
  return {
    path,
    [Symbol.asyncDispose]: async () => (keep ? undefined : rm(path, { recursive: true, force: true, maxRetries: 3 })),
  };
}
