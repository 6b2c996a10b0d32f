/** The piece transport alone, store to store: a parent and a child of peer.ts, each in a process of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { randomFillSync } from 'node:crypto';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Transfer } from './nginx-pair.ts';

export interface StoreTransfer extends Transfer {
  /** Of the parent and of the child, as are the next. */
  readonly rssBytes: readonly [number, number];
  readonly loopDelayP99Ms: readonly [number, number];
}

interface Usage {
  readonly cpuSeconds: number;
  readonly maxRssBytes: number;
  readonly loopDelayP99Ms: number;
}

/** Where the two ends run; by default here, on the loopback. */
export interface Ends {
  /** Of the parent. */
  readonly address: string;
  /** Words to put before the command of each. */
  readonly enterParent: readonly string[];
  readonly enterChild: readonly string[];
}

const here: Ends = { address: '127.0.0.1', enterParent: [], enterChild: [] };

export class StorePair implements AsyncDisposable {
  readonly #parent: Peer;
  readonly #child: Peer;

  private constructor(parent: Peer, child: Peer) {
    this.#parent = parent;
    this.#child = child;
  }

  /** `content` as `writeContent` makes it; `directory` holds the stores, and cert.pem and key.pem for TLS. */
  static async start(
    directory: string,
    content: string,
    { bytes, tls, ends = here }: { bytes: number; tls: boolean; ends?: Ends },
  ) {
    const mode = tls ? 'tls' : 'plain';
    for (const name of ['parent', 'child']) mkdirSync(join(directory, 'store', name), { recursive: true, mode: 0o700 });
    const parent = new Peer(
      ends.enterParent,
      'parent',
      join(directory, 'store', 'parent'),
      content,
      ends.address,
      mode,
    );
    const { port } = await parent.answer<{ port: number }>();
    const child = new Peer(
      ends.enterChild,
      'child',
      join(directory, 'store', 'child'),
      ends.address,
      String(port),
      String(bytes),
      mode,
    );
    return new StorePair(parent, child);
  }

  /** The child's store is empty before and after. */
  async transfer(): Promise<StoreTransfer> {
    await this.#child.answer('remove');
    const before = await this.#usage();
    const { seconds } = await this.#child.answer<{ seconds: number }>('fetch');
    const after = await this.#usage();
    await this.#child.answer('remove');
    return {
      seconds,
      cpuSeconds: [after[0].cpuSeconds - before[0].cpuSeconds, after[1].cpuSeconds - before[1].cpuSeconds],
      rssBytes: [after[0].maxRssBytes, after[1].maxRssBytes],
      loopDelayP99Ms: [after[0].loopDelayP99Ms, after[1].loopDelayP99Ms],
    };
  }

  async #usage(): Promise<[Usage, Usage]> {
    return [await this.#parent.answer<Usage>('usage'), await this.#child.answer<Usage>('usage')];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.end();
    await this.#parent.end();
  }
}

/** No two blocks are the same; the size stands beside it. */
export function writeContent(path: string, bytes: number): void {
  const file = openSync(path, 'w');
  const block = randomFillSync(Buffer.alloc(8 * 2 ** 20));
  for (let written = 0; written < bytes; written += block.length) {
    block.writeUInt32LE(written / block.length, 0);
    writeSync(file, block, 0, Math.min(block.length, bytes - written));
  }
  closeSync(file);
  writeFileSync(`${path}.size`, String(bytes));
}

class Peer {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(enter: readonly string[], ...args: string[]) {
    const own = [join(import.meta.dirname, 'peer.ts'), ...args];
    const [program, ...words] = enter;
    const [command, all]: [string, string[]] =
      program === undefined ? [process.execPath, own] : [program, [...words, process.execPath, ...own]];
    this.#process = spawn(command, all, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface(this.#process.stdout!)[Symbol.asyncIterator]();
  }

  async answer<T>(question?: string): Promise<T> {
    if (question !== undefined) this.#process.stdin!.write(`${question}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('a peer of the benchmark has ended');
    return JSON.parse(value) as T;
  }

  async end(): Promise<void> {
    const closed = once(this.#process, 'exit');
    this.#process.stdin!.end();
    await closed;
  }
}
