/** Directories of small files at a real nginx, listed in the ways of several services, and a swarm that downloads them by dfget. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createDfget } from '../../src/cli/dfget/dfget.ts';
import { LocalSwarm, type Daemon } from '../support/local-swarm.ts';
import { NginxOrigin, type OriginRequest } from '../support/nginx-origin.ts';
import { runTool, type ToolRun } from '../cli/tool-io.ts';

export type Files = Readonly<Record<string, Buffer>>;

/** Names that make trouble where they are escaped once too often or too rarely. */
export const oddNames = [
  'a b',
  '100%',
  '%41',
  'é€',
  'q?x=1',
  'h#1',
  "it's (1) & more;",
  '+plus',
  'deep/er/ünder',
  'x'.repeat(200),
];

export class BundleWorld implements AsyncDisposable {
  readonly swarm: LocalSwarm;
  readonly origin: NginxOrigin;
  readonly #owned: AsyncDisposableStack;
  #outputs = 0;

  private constructor(swarm: LocalSwarm, origin: NginxOrigin, owned: AsyncDisposableStack) {
    this.swarm = swarm;
    this.origin = origin;
    this.#owned = owned;
  }

  /** nginx alone, and a scheduler with a seed where there is to be one. */
  static async create({ seed = true, scheduler = true } = {}): Promise<BundleWorld> {
    await using owned = new AsyncDisposableStack();
    const swarm = owned.use(await LocalSwarm.create());
    const directory = swarm.directory.join('origin');
    await mkdir(directory);
    const origin = owned.use(await NginxOrigin.start({ directory }));
    if (scheduler) await swarm.startScheduler();
    if (seed && scheduler) await swarm.startDaemon('seed', { seed: true });
    return new BundleWorld(swarm, origin, owned.move());
  }

  /** So many files of some bytes each in directories, some of them empty, beside those with odd names. */
  static files(count: number, { odd = true } = {}): Files {
    const files: Record<string, Buffer> = {};
    for (let number = 0; number < count; number += 1)
      files[`d${number % 7}/f${number}`] = randomBytes(number % 50 === 0 ? 0 : 1 + ((number * 37) % 3000));
    for (const name of odd ? oddNames : []) files[name] = randomBytes(100);
    return files;
  }

  /** Below the document root of nginx. */
  async put(directory: string, files: Files): Promise<void> {
    for (const [name, content] of Object.entries(files)) {
      const path = join(this.origin.root, directory, name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, content);
    }
  }

  /** A repository of a hub, whose listing says of the files what `listed` is. Returns the arguments of dfget. */
  async hub(repository: string, files: Files, { listed = files, revision = 'main' } = {}): Promise<string[]> {
    await this.put(`Owner/${repository}/resolve/${revision}`, files);
    const listing = Object.entries(listed).map(([path, content]) => ({
      type: 'file',
      path,
      size: content.length,
      oid: createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex'),
    }));
    await this.put(`api/models/Owner/${repository}/tree`, { [revision]: Buffer.from(JSON.stringify(listing)) });
    return [`hf://Owner/${repository}/`, '--hf-base-url', this.origin.url, '--hf-revision', revision];
  }

  output(): string {
    this.#outputs += 1;
    return this.swarm.directory.join(`out-${this.#outputs}`);
  }

  dfget(
    { socket }: Pick<Daemon, 'socket'>,
    source: readonly string[],
    output: string,
    ...more: string[]
  ): Promise<ToolRun> {
    const argv = ['--recursive', '--max-files', '100000', '-e', socket, '-O', output, '--receipt=json', ...more];
    return runTool(createDfget(), [...source, ...argv]);
  }

  /** Of the content, not of listings, in the log of nginx. */
  async requests(below: string): Promise<OriginRequest[]> {
    await this.origin.settled();
    return this.origin.requestsBelow(below);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}

export function succeeded(run: ToolRun): readonly Receipt[] {
  assert.equal(run.error?.message, undefined, run.stderr);
  assert.equal(run.exitCode, 0);
  return run.stdout
    .toString()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Receipt);
}

export interface Receipt {
  readonly url: string;
  readonly files?: number;
  readonly taskId: string;
  readonly bytesFromOrigin: number;
  readonly bytesFromLocal: number;
}

/** The directory has these files and nothing else. */
export async function assertHolds(output: string, files: Files): Promise<void> {
  const found = await readdir(output, { recursive: true, withFileTypes: true });
  const names = found
    .filter((one) => !one.isDirectory())
    .map((one) => join(one.parentPath, one.name).slice(output.length + 1));
  assert.deepEqual(names.toSorted(), Object.keys(files).toSorted());
  for (const [name, content] of Object.entries(files))
    assert.ok((await readFile(join(output, name))).equals(content), `${name} has other content`);
}
