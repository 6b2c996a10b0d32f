/** A scheduler and whole daemons as processes, for benchmarks: each its own directory, ports and store. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ManagedProcess } from '../../src/cli/up/managed-process.ts';
import { Channels } from '../../src/rpc/channels.ts';
import { createClient } from '../../src/rpc/client.ts';
import { DfdaemonDownloadDefinition, DownloadTaskRequest, type Receipt } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { DfdaemonLocalDefinition } from '../../gen/dfdaemon/v2/local.ts';

export interface SwarmOptions {
  readonly directory: string;
  /** cert.pem and key.pem in `directory` secure everything, and are their own authority. */
  readonly tls?: boolean;
  /** More of the configuration of every daemon, merged into `download`, `upload` and so on. */
  readonly config?: Readonly<Record<string, unknown>>;
}

export interface FinishedDownload {
  readonly taskId: string;
  readonly receipt: Receipt;
  /** From the call to the file at its path. */
  readonly seconds: number;
}

export class BenchDaemon {
  readonly name: string;
  readonly directory: string;
  readonly socket: string;
  readonly process: ManagedProcess;
  readonly #channels: Channels;

  constructor(name: string, directory: string, process: ManagedProcess, channels: Channels) {
    this.name = name;
    this.directory = directory;
    this.socket = join(directory, 'd.sock');
    this.process = process;
    this.#channels = channels;
  }

  get pid(): number {
    return this.process.pid;
  }

  get local() {
    return createClient(DfdaemonLocalDefinition, this.#channels, `unix:${this.socket}`);
  }

  get client() {
    return createClient(DfdaemonDownloadDefinition, this.#channels, `unix:${this.socket}`);
  }

  /** As dfget does it: with an output, the content is placed there by the daemon. */
  async download(url: string, outputPath?: string, signal = AbortSignal.timeout(600_000)): Promise<FinishedDownload> {
    const startedMs = performance.now();
    const request = DownloadTaskRequest.fromPartial({
      download: { url, ...(outputPath !== undefined && { outputPath, overwrite: true }) },
      gatherPieces: true,
    });
    let finished: Omit<FinishedDownload, 'seconds'> | undefined;
    for await (const { taskId, response } of this.client.downloadTask(request, { signal }))
      if (response?.$case === 'receipt') finished = { taskId, receipt: response.value };
    if (!finished) throw new Error(`${this.name} ended a download without a receipt`);
    return { ...finished, seconds: (performance.now() - startedMs) / 1000 };
  }

  remove(taskId: string): Promise<unknown> {
    return this.client.deleteLocalTask({ taskId }, { signal: AbortSignal.timeout(60_000) });
  }

  /** Values of its metrics by name; those with labels are summed up. */
  async metrics(): Promise<Map<string, number>> {
    const text = await (await fetch(`http://${this.process.address('metrics')}/metrics`)).text();
    const values = new Map<string, number>();
    for (const [, name = '', value] of text.matchAll(/^([a-z_0-9]+)(?:\{[^}]*\})? ([-+.\w]+)$/gm))
      values.set(name, (values.get(name) ?? 0) + Number(value));
    return values;
  }
}

export class BenchSwarm {
  readonly #options: SwarmOptions;
  readonly #channels = new Channels();
  readonly #owned = new AsyncDisposableStack();
  #scheduler = '';
  #schedulerPid = 0;

  private constructor(options: SwarmOptions) {
    this.#options = options;
    this.#owned.use(this.#channels);
  }

  static async start(options: SwarmOptions): Promise<BenchSwarm> {
    const swarm = new BenchSwarm(options);
    const { directory } = options;
    const tls = options.tls ? { tls: { caCert: join(directory, 'cert.pem'), ...swarm.#certificate() } } : {};
    const server = { listenIP: '127.0.0.1', advertiseIP: '127.0.0.1', port: 0, cacheDir: join(directory, 'cache') };
    const scheduler = await swarm.#run('scheduler', 'scheduler', {
      server: { ...server, ...tls },
      manager: { addr: '' },
    });
    swarm.#scheduler = scheduler.address('grpc');
    swarm.#schedulerPid = scheduler.pid;
    return swarm;
  }

  get schedulerPid(): number {
    return this.#schedulerPid;
  }

  /** Starts it, or starts it again on what it left. `more` configures this one alone, as `config` does all; `command` starts it, where that is not this checkout's. */
  async daemon(
    name: string,
    more: Readonly<Record<string, unknown>> = {},
    command?: readonly string[],
  ): Promise<BenchDaemon> {
    const path = join(this.#options.directory, name);
    const tcpListen = { port: 0, listen: '127.0.0.1' };
    const { tls, config = {} } = this.#options;
    const security = tls
      ? { security: { insecure: false, caCert: join(this.#options.directory, 'cert.pem'), ...this.#certificate() } }
      : {};
    const own: Record<string, unknown> = {
      host: { hostname: name, advertiseIP: '127.0.0.1' },
      scheduler: { netAddrs: [{ addr: this.#scheduler }] },
      download: {
        peerGRPC: { tcpListen, ...security },
        downloadGRPC: { unixListen: { socket: join(path, 'd.sock') } },
      },
      upload: { tcpListen },
      health: { tcpListen: { port: 0 } },
      proxy: { enable: false },
    };
    for (const [key, value] of [...Object.entries(config), ...Object.entries(more)])
      own[key] = typeof value === 'object' ? { ...(own[key] as object | undefined), ...value } : value;
    const paths = {
      workHome: path,
      dataDir: join(path, 'data'),
      cacheDir: join(path, 'cache'),
      metrics: '127.0.0.1:0',
    };
    const process = await this.#run(name, 'dfdaemon', { ...paths, ...own }, command);
    return new BenchDaemon(name, path, process, this.#channels);
  }

  async #run(
    name: string,
    program: 'scheduler' | 'dfdaemon',
    config: object,
    command?: readonly string[],
  ): Promise<ManagedProcess> {
    const path = join(this.#options.directory, name);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    writeFileSync(join(path, 'config.yaml'), JSON.stringify(config));
    const args = ['--config', join(path, 'config.yaml')];
    const logPath = join(path, 'log');
    return this.#owned.use(
      await ManagedProcess.start({ name, program, command, args, cwd: path, logPath, readyDeadlineMs: 120_000 }),
    );
  }

  #certificate(): { cert: string; key: string } {
    const { directory } = this.#options;
    return { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}
