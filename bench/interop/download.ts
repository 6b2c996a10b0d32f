/** Downloads of a cluster of both kinds, by the tools of each. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { sha256OfFile } from '../../test/support/random-file.ts';
import { socketPath } from './configuration.ts';
import type { Daemon, MixedCluster, OriginFile } from './mixed-cluster.ts';

const run = promisify(execFile);
const deadlineMs = 300_000;

/** By the `dfget` of the peer's own kind. Throws with its last words when it fails, or the content is wrong. */
export async function dfget({ part }: Daemon, { url, sha256 }: OriginFile): Promise<void> {
  const output = join(part.directory, `out-${createHash('sha256').update(url).digest('hex').slice(0, 12)}`);
  await rm(output, { force: true });
  const args = ['--endpoint', socketPath(part.directory), '-O', output, url];
  await run(part.programPath('dfget'), args, { timeout: deadlineMs, killSignal: 'SIGKILL' });
  const got = await sha256OfFile(output);
  await rm(output);
  if (got !== sha256) throw new Error(`${part.name} got other bytes: ${got}`);
}

/** Through the peer's proxy, as a container engine does. */
export async function byProxy(
  { part, proxy }: Daemon,
  { url, sha256 }: OriginFile,
  header: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { hostname, port } = new URL(proxy);
  const hash = createHash('sha256');
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  request({
    host: hostname,
    port,
    path: url,
    headers: { host: new URL(url).host, ...header },
    signal: AbortSignal.timeout(deadlineMs),
  })
    .on('response', (response) => {
      if (response.statusCode !== 200) reject(new Error(`the proxy of ${part.name} answered ${response.statusCode}`));
      response
        .on('data', (data: Buffer) => hash.update(data))
        .on('end', resolve)
        .on('error', reject);
    })
    .on('error', reject)
    .end();
  await promise;
  const got = hash.digest('hex');
  if (got !== sha256) throw new Error(`the proxy of ${part.name} gave other bytes: ${got}`);
}

export async function dfgetAll(cluster: MixedCluster, file: OriginFile): Promise<void> {
  await Promise.all(cluster.peers.map((peer) => dfget(peer, file)));
}
