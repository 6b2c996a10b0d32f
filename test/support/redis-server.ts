/** A real Redis on a free port, without a file on disk. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createClient } from '@redis/client';
import { freePort } from './free-port.ts';
import { waitFor } from './wait-for.ts';

export class RedisServer implements AsyncDisposable {
  readonly address: string;
  readonly port: number;
  readonly #process: ChildProcess;

  private constructor(port: number, process: ChildProcess) {
    this.port = port;
    this.address = `127.0.0.1:${port}`;
    this.#process = process;
  }

  /** @param port to start again where one was before. */
  static async start({ port, password, directives = [] }: RedisServerOptions = {}): Promise<RedisServer> {
    const chosen = port ?? (await freePort());
    const lines = [
      `port ${chosen}`,
      'bind 127.0.0.1',
      "save ''",
      'appendonly no',
      ...(password === undefined ? [] : [`requirepass ${password}`]),
      ...directives,
    ];
    const child = spawn('redis-server', ['-'], { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.end(lines.join('\n'));
    let log = '';
    child.stdout.on('data', (data: Buffer) => (log += data.toString()));
    await waitFor(`Redis to serve: ${log}`, () => log.includes('Ready to accept connections'));
    return new RedisServer(chosen, child);
  }

  /** A client of one database, for what a manager does there; `destroy` it. */
  async client(database: number, password?: string) {
    const client = createClient({
      socket: { port: this.port },
      database,
      ...(password === undefined ? {} : { password }),
    });
    client.on('error', () => undefined); // it connects again by itself
    await client.connect();
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill('SIGKILL');
    await once(this.#process, 'exit');
  }
}

export interface RedisServerOptions {
  readonly port?: number;
  readonly password?: string;
  /** Further lines of redis.conf. */
  readonly directives?: readonly string[];
}
