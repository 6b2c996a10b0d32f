/** A scheduler and daemons in this process, for tests of how they work together; each with its own ports and directory. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseConfig } from '../../src/core/config/config.ts';
import { deadlineSignal } from '../../src/core/process/lifecycle.ts';
import type { Registry } from '../../src/core/metrics.ts';
import { createLogger, silentLogger, type Logger } from '../../src/core/process/logger.ts';
import { DfdaemonService } from '../../src/dfdaemon/service.ts';
import { dfdaemonConfigSchema, type DfdaemonConfig } from '../../src/dfdaemon/config.ts';
import { Channels } from '../../src/rpc/channels.ts';
import { createClient } from '../../src/rpc/client.ts';
import { Download } from '../../gen/common/v2/common.ts';
import { DfdaemonDownloadDefinition, type Receipt } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import type { SchedulerOverrides } from '../../src/scheduler/assembly.ts';
import { SchedulerService } from '../../src/scheduler/scheduler-service.ts';
import { schedulerConfigSchema } from '../../src/scheduler/config.ts';
import { temporaryDirectory, type TemporaryDirectory } from './temporary-directory.ts';

/** Set TEST_LOG=debug to see what the services say. */
const level = process.env['TEST_LOG'] as 'debug' | 'info' | undefined;
const logger: Logger = level === undefined ? silentLogger : createLogger('test', { level });

export interface Daemon {
  readonly name: string;
  readonly service: DfdaemonService;
  readonly socket: string;
}

export interface DaemonOptions {
  readonly seed?: boolean;
  /** More YAML for its configuration, at the top level. */
  readonly yaml?: string;
  /** Changes to the configuration that YAML at the top level cannot express. */
  readonly adjust?: (config: DfdaemonConfig) => DfdaemonConfig;
  /** Addresses of schedulers; those of the swarm by default. */
  readonly schedulers?: readonly string[];
}

export class LocalSwarm implements AsyncDisposable {
  readonly directory: TemporaryDirectory;
  readonly channels = new Channels();
  readonly #schedulers = new Map<string, SchedulerService>();
  readonly #daemons = new Map<string, Daemon>();

  private constructor(directory: TemporaryDirectory) {
    this.directory = directory;
  }

  static async create(): Promise<LocalSwarm> {
    return new LocalSwarm(await temporaryDirectory('df-'));
  }

  get schedulerAddresses(): string[] {
    return [...this.#schedulers.keys()];
  }

  get daemons(): Daemon[] {
    return [...this.#daemons.values()];
  }

  get schedulerMetrics(): { readonly registry: Registry }[] {
    return [...this.#schedulers.values()].map(({ metrics }) => metrics);
  }

  /**
   * Resolves with its address. @param port 0 for any; a fixed one to restart at the same address.
   * @param manager the section of that name, as YAML; so is `scheduler`.
   */
  async startScheduler(
    port = 0,
    manager = '{addr: ""}',
    scheduler = '{}',
    overrides: SchedulerOverrides = {},
  ): Promise<string> {
    const name = `scheduler-${this.#schedulers.size}`;
    const server = `{port: ${port}, host: ${name}, listenIP: 127.0.0.1, advertiseIP: 127.0.0.1, cacheDir: ${this.directory.join(name)}}`;
    const yaml = `server: ${server}\nmanager: ${manager}\nscheduler: ${scheduler}\n`;
    const service = await SchedulerService.create(parseConfig(schedulerConfigSchema, yaml, 'scheduler.yaml').config, {
      logger,
      ...overrides,
    });
    await service.start();
    const address = service.addresses.grpc;
    this.#schedulers.set(address, service);
    return address;
  }

  async stopScheduler(address: string): Promise<void> {
    await this.#schedulers.get(address)?.[Symbol.asyncDispose]();
    this.#schedulers.delete(address);
  }

  async startDaemon(name: string, options: DaemonOptions = {}): Promise<Daemon> {
    const root = this.directory.join(name);
    mkdirSync(root, { recursive: true, mode: 0o700 });
    const socket = join(root, 'd.sock');
    const schedulers = (options.schedulers ?? this.schedulerAddresses)
      .map((address) => `{addr: "${address}"}`)
      .join(', ');
    const yaml = `
dataDir: ${join(root, 'data')}
cacheDir: ${join(root, 'cache')}
host: {advertiseIP: 127.0.0.1, hostname: ${name}}
scheduler: {scheduleTimeout: 10s, netAddrs: [${schedulers}], manager: {seedPeer: {enable: ${options.seed === true}}}}
health: {tcpListen: {port: 0}}
proxy: {tcpListen: {port: 0}}
upload: {tcpListen: {port: 0, listen: 127.0.0.1}}
download:
  peerGRPC: {tcpListen: {port: 0, listen: 127.0.0.1}}
  downloadGRPC: {unixListen: {socket: ${socket}}}
${options.yaml ?? ''}`;
    const { config } = parseConfig(dfdaemonConfigSchema, yaml, `${name}.yaml`);
    const service = await DfdaemonService.start(options.adjust?.(config) ?? config, logger);
    const daemon = { name, service, socket };
    this.#daemons.set(name, daemon);
    return daemon;
  }

  async stopDaemon(name: string): Promise<void> {
    await this.#daemons.get(name)?.service[Symbol.asyncDispose]();
    this.#daemons.delete(name);
  }

  client(daemon: Daemon) {
    return createClient(DfdaemonDownloadDefinition, this.channels, `unix:${daemon.socket}`);
  }

  /** Downloads through the daemon's socket, as dfget does; resolves with the receipt. */
  async download(
    daemon: Daemon,
    download: Parameters<typeof Download.fromPartial>[0],
    parent: AbortSignal = new AbortController().signal,
  ): Promise<Receipt> {
    using deadline = deadlineSignal(parent, 60_000);
    const { signal } = deadline;
    let receipt: Receipt | undefined;
    const request = { download: Download.fromPartial({ priority: 6, enableTaskIdBasedBlobDigest: true, ...download }) };
    for await (const { response } of this.client(daemon).downloadTask(request, { signal })) {
      if (response?.$case === 'receipt') receipt = response.value;
    }
    if (!receipt) throw new Error('the download ended without a receipt');
    return receipt;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.channels[Symbol.asyncDispose]();
    await Promise.all([...this.#daemons.keys()].map((name) => this.stopDaemon(name)));
    await Promise.all([...this.#schedulers.keys()].map((address) => this.stopScheduler(address)));
    await this.directory[Symbol.asyncDispose]();
  }
}
