/** A cluster in which every part has a host (network namespace) and a disk (tmpfs) of its own, so that each can fall ill alone. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ManagedProcess } from '../../../src/cli/up/managed-process.ts';
import { Channels } from '../../../src/rpc/channels.ts';
import { createClient } from '../../../src/rpc/client.ts';
import { DfdaemonDownloadDefinition, DownloadTaskRequest } from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import { NamespaceNetwork, type NamespaceHost } from '../../../test/support/network-namespaces.ts';

export const partNames = ['origin', 'manager', 'scheduler', 'seed', 'parent', 'child'] as const;
export type PartName = (typeof partNames)[number];

const diskBytes = 96 * 2 ** 20;
const linkBitsPerSec = 160e6;

/** One part with what can be done to it. */
export class Part {
  readonly name: PartName;
  readonly host: NamespaceHost;
  readonly directory: string;
  pid = 0;
  readonly #start: () => Promise<number>;

  constructor(name: PartName, host: NamespaceHost, directory: string, start: () => Promise<number>) {
    this.name = name;
    this.host = host;
    this.directory = directory;
    this.#start = start;
  }

  async start(): Promise<void> {
    this.pid = await this.#start();
  }

  kill(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  /** Ends it at once and starts it again, with something done to its files meanwhile. */
  async restart(meanwhile: () => void): Promise<void> {
    this.kill('SIGKILL');
    while (isThere(this.pid)) await new Promise((resolve) => setTimeout(resolve, 5));
    meanwhile();
    await this.start();
  }

  /** What it has on its disk now, to be put back later. */
  backUp(): void {
    rmSync(this.#backUpPath, { recursive: true, force: true });
    cpSync(this.directory, this.#backUpPath, { recursive: true, filter: (path) => !path.endsWith('.sock') });
  }

  restore(): void {
    execFileSync('find', [this.directory, '-mindepth', '1', '-delete']);
    cpSync(this.#backUpPath, this.directory, { recursive: true });
  }

  /** Runs on its host. */
  onHost(...command: readonly string[]): void {
    execFileSync('ip', ['netns', 'exec', this.host.namespace, ...command], { stdio: 'pipe' });
  }

  get #backUpPath(): string {
    return `${this.directory}.back-up`;
  }
}

export class ChaosCluster {
  readonly parts = new Map<PartName, Part>();
  readonly #directory: string;
  readonly #network: NamespaceNetwork;
  readonly #channels = new Channels();
  readonly #owned = new AsyncDisposableStack();
  readonly #originBytesPerSec: number;
  readonly #clockMs: number;
  readonly #records: boolean;
  #originUrl = '';
  /** Addresses of the others are configured, so that a part started again has the same. */
  readonly #ports = { manager: 65003, rest: 8080, scheduler: 8002, peer: 65000, pieces: 65002 };

  private constructor(
    directory: string,
    network: NamespaceNetwork,
    options: { originBytesPerSec: number; clockMs: number; records: boolean },
  ) {
    this.#directory = directory;
    this.#network = network;
    this.#originBytesPerSec = options.originBytesPerSec;
    this.#clockMs = options.clockMs;
    this.#records = options.records;
  }

  static async start(
    directory: string,
    options: {
      readonly originBytesPerSec: number;
      readonly clockMs: number;
      /** Downloads are written down event by event. */
      readonly records: boolean;
      readonly clockAtStart?: PartName;
    },
  ): Promise<ChaosCluster> {
    const network = await NamespaceNetwork.create({ hosts: partNames.length, rateBitsPerSec: () => linkBitsPerSec });
    const cluster = new ChaosCluster(directory, network, options);
    cluster.#owned.use(network);
    cluster.#owned.use(cluster.#channels);
    try {
      for (const [index, name] of partNames.entries()) {
        const host = network.hosts[index];
        if (!host) throw new Error('a host is missing');
        await cluster.#open(name, host, options.clockAtStart === name);
      }
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  part(name: PartName): Part {
    const part = this.parts.get(name);
    if (!part) throw new Error(`there is no ${name}`);
    return part;
  }

  /** The bridge port of the part: what happens there happens to its line. */
  async limitLine(name: PartName, bitsPerSec: number): Promise<void> {
    await this.#network.relimit(this.part(name).host, bitsPerSec);
  }

  get originBytes(): number {
    return Number(readFileSync(join(this.part('origin').directory, '.sent'), 'latin1') || '0');
  }

  url(file: string): string {
    return `${this.#originUrl}/${file}`;
  }

  async download(on: PartName, file: string, outputPath: string, signal: AbortSignal): Promise<void> {
    const client = createClient(
      DfdaemonDownloadDefinition,
      this.#channels,
      `unix:${join(this.part(on).directory, 'd.sock')}`,
    );
    const download = { url: this.url(file), outputPath, overwrite: true };
    const answers = client.downloadTask(DownloadTaskRequest.fromPartial({ download }), { signal });
    for await (const { response } of answers) if (response?.$case === 'receipt') return;
    throw new Error('the download ended without a receipt');
  }

  /** Copies what the parts have logged, and the recordings of their downloads. @param startedMs when they were asked for, by this process's clock. */
  keep(directory: string, startedMs: number): void {
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'started'), new Date(performance.timeOrigin + startedMs).toISOString());
    for (const { name, directory: own } of this.parts.values()) {
      if (existsSync(`${own}.log`)) cpSync(`${own}.log`, join(directory, `${name}.log`));
      const recordings = join(own, 'data', 'recordings');
      if (existsSync(recordings)) cpSync(recordings, join(directory, name), { recursive: true });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const part of this.parts.values()) if (isThere(part.pid)) part.kill('SIGCONT');
    await this.#owned.disposeAsync();
  }

  async #open(name: PartName, host: NamespaceHost, clockAtStart: boolean): Promise<void> {
    const directory = join(this.#directory, name);
    mkdirSync(directory, { mode: 0o700 });
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${diskBytes},mode=700`, 'tmpfs', directory]);
    this.#owned.defer(() => void execFileSync('umount', ['-l', directory]));
    const start = (): Promise<number> =>
      name === 'origin' ? this.#startOrigin(host, directory) : this.#startService(name, host, directory, clockAtStart);
    const part = new Part(name, host, directory, start);
    this.parts.set(name, part);
    await part.start();
  }

  async #startOrigin(host: NamespaceHost, directory: string): Promise<number> {
    writeFileSync(join(directory, '.sent'), '0');
    const program = join(import.meta.dirname, 'origin-process.ts');
    const [ip = '', ...words] = host.enter;
    const child = spawn(
      ip,
      [...words, process.execPath, program, directory, host.address, String(this.#originBytesPerSec)],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    this.#owned.defer(() => ended(child));
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    this.#originUrl = `http://${host.address}:${line.toString().trim()}`;
    return child.pid ?? 0;
  }

  async #startService(
    name: Exclude<PartName, 'origin'>,
    host: NamespaceHost,
    directory: string,
    clockAtStart: boolean,
  ): Promise<number> {
    const program = name === 'manager' || name === 'scheduler' ? name : 'dfdaemon';
    const config = join(this.#directory, `${name}.yaml`);
    writeFileSync(config, JSON.stringify(this.#configOf(name, host, directory)));
    const shift = {
      NODE_OPTIONS: `--import=${join(import.meta.dirname, 'shifted-clock.ts')}`,
      CHAOS_CLOCK_MS: String(this.#clockMs),
      CHAOS_CLOCK_AT_START: clockAtStart ? '1' : '0',
    };
    const service = await ManagedProcess.start({
      name,
      program,
      args: ['--config', config, ...(this.#records ? ['--log-level', 'debug'] : [])],
      enter: host.enter,
      cwd: this.#directory,
      logPath: join(this.#directory, `${name}.log`),
      ...(this.#clockMs !== 0 && { env: shift }),
    });
    this.#owned.use(service);
    return service.pid;
  }

  #configOf(name: PartName, { address }: NamespaceHost, directory: string): object {
    const at = (part: PartName, port: number): string => `${this.part(part).host.address}:${port}`;
    const { manager, rest, scheduler, peer, pieces } = this.#ports;
    const plain = { security: { registerFromAnyAddress: true } };
    if (name === 'manager') {
      return {
        server: {
          grpc: { advertiseIP: address, listenIP: address, port: { start: manager, end: manager } },
          rest: { addr: `${address}:${rest}` },
        },
        database: { type: 'sqlite', sqlite: { path: join(directory, 'manager.db') } },
        ...plain,
      };
    }
    if (name === 'scheduler') {
      return {
        server: {
          advertiseIP: address,
          listenIP: address,
          port: scheduler,
          host: name,
          cacheDir: directory,
        },
        manager: { addr: at('manager', manager), schedulerClusterID: 1, keepAlive: { interval: '2s' } },
        dynConfig: { refreshInterval: '2s' },
      };
    }
    return {
      workHome: directory,
      dataDir: join(directory, 'data'),
      cacheDir: join(directory, 'cache'),
      host: { hostname: name, advertiseIP: address },
      scheduler: {
        manager: {
          enable: true,
          netAddrs: [{ type: 'tcp', addr: at('manager', manager) }],
          refreshInterval: '2s',
          seedPeer: { enable: name === 'seed', type: 'super', clusterID: 1 },
        },
      },
      download: {
        ...(this.#records && { recordings: 20 }),
        peerGRPC: { tcpListen: { port: peer, listen: address } },
        downloadGRPC: { unixListen: { socket: join(directory, 'd.sock') } },
      },
      upload: { tcpListen: { port: pieces, listen: address } },
      health: { tcpListen: { port: 0 } },
      proxy: { enable: false },
    };
  }
}

export function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
