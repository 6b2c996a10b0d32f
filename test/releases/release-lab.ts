/** A cluster of real processes, and directories to publish in it. */
import assert from 'node:assert/strict';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { chmod, mkdir, open, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { runPublish } from '../../src/cli/publish/publish.ts';
import { runSubscribe } from '../../src/cli/subscribe/subscribe.ts';
import { LocalCluster, type LocalDaemon } from '../../src/cli/up/cluster.ts';
import { RestClient } from '../manager/support/rest-client.ts';
import { productCommand } from '../support/product.ts';
import { makeRandomFile } from '../support/random-file.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';
import { runTool, type ToolRun } from '../cli/tool-io.ts';

export const mib = 2 ** 20;
const rootPassword = 'correct horse';

export interface ReleaseLab extends AsyncDisposable {
  readonly cluster: LocalCluster;
  readonly directory: TemporaryDirectory;
  readonly root: RestClient;
  readonly rootPassword: string;
  peer(number: number): LocalDaemon;
  publish(peer: number, directory: string, reference: string, ...words: string[]): Promise<ToolRun>;
  subscribe(peer: number, name: string, path: string, ...words: string[]): Promise<ToolRun>;
  /** A process of its own. */
  subscriber(peer: number, name: string, path: string, ...words: string[]): ChildProcess;
  /** Bytes that came to a node from other nodes. */
  received(peer: number): Promise<number>;
  /** Ids of all imported content. */
  kept(): Promise<string[]>;
}

export async function releaseLab(peers: number): Promise<ReleaseLab> {
  await using opened = new AsyncDisposableStack();
  const directory = opened.use(await temporaryDirectory('df-rel-'));
  const cluster = opened.use(
    await LocalCluster.start({ directory: directory.path, command: productCommand, peers, seeds: 0, rootPassword }),
  );
  const port = Number(cluster.node('manager').process.address('rest').split(':').at(-1));
  const root = await new RestClient(port).signIn('root', rootPassword);
  const peer = (number: number): LocalDaemon => cluster.daemon(`peer-${number}`);
  const endpoint = (number: number): string[] => ['-e', peer(number).socket];
  const env = { TMPDIR: directory.path };
  const kept = opened.move();
  return {
    cluster,
    directory,
    root,
    rootPassword,
    peer,
    publish: (number, from, reference, ...words) =>
      runTool(runPublish, [from, reference, ...endpoint(number), ...words], { env }),
    subscribe: (number, name, path, ...words) =>
      runTool(runSubscribe, [name, '--to', path, ...endpoint(number), ...words], { env: process.env }),
    subscriber: (number, name, path, ...words) => {
      const [program, ...first] = productCommand('dragonfly');
      const argv = [...first, 'subscribe', name, '--to', path, ...endpoint(number), ...words];
      return spawn(program, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    },
    received: async (number) => {
      const response = await fetch(`http://${peer(number).process.address('metrics')}/metrics`);
      const lines = (await response.text()).split('\n');
      const values = lines.flatMap((line) => {
        const [, value] = /^dragonfly_client_download_traffic\{.*REMOTE_PEER.*\} (\S+)$/i.exec(line) ?? [];
        return value === undefined ? [] : [Number(value)];
      });
      return values.reduce((sum, value) => sum + value, 0);
    },
    kept: async () => {
      const tasks = await root.ok<{ id: string }[]>('GET', '/api/v1/persistent-cache-tasks?per_page=1000');
      return tasks.map(({ id }) => id).sort();
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Of everything there is, some 64 MiB. */
export async function makeDirectory(path: string): Promise<void> {
  await mkdir(join(path, 'weights/empty'), { recursive: true });
  await makeRandomFile(join(path, 'weights/a.bin'), 48 * mib, 'a');
  await makeRandomFile(join(path, 'weights/b.bin'), 16 * mib + 17, 'b');
  await writeFile(join(path, 'config.json'), '{"layers": 2}\n');
  await writeFile(join(path, 'nothing'), '');
  await writeFile(join(path, 'run.sh'), '#!/bin/sh\n');
  await chmod(join(path, 'run.sh'), 0o750);
  await symlink('weights/a.bin', join(path, 'model'));
  await symlink('../config.json', join(path, 'weights/config'));
  await mkdir(join(path, 'locked'));
  await writeFile(join(path, 'locked/file'), 'x');
  await chmod(join(path, 'locked'), 0o555);
}

/** Other bytes in the middle of a file. */
export async function change(path: string, position: number, bytes: number, seed: string): Promise<void> {
  await makeRandomFile(`${path}.new`, bytes, seed);
  await using from = await open(`${path}.new`, 'r');
  await using to = await open(path, 'r+');
  const block = Buffer.alloc(bytes);
  await from.read(block, 0, bytes, 0);
  await to.write(block, 0, bytes, position);
  await promisify(execFile)('rm', [`${path}.new`]);
}

/** By programs that are not ours: content, and modes of everything. */
export async function requireSame(one: string, other: string): Promise<void> {
  const run = promisify(execFile);
  await run('diff', ['-r', '--no-dereference', one, other]);
  const listing = async (path: string): Promise<string> =>
    (await run('find', ['.', '-printf', '%P %y %m %l\n'], { cwd: path })).stdout.split('\n').sort().join('\n');
  assert.equal(await listing(`${other}/`), await listing(`${one}/`));
}
