/**
 * A whole cluster on this machine: manager, scheduler, seed peers and peers, each a real process on loopback with ports
 * and a directory of its own, found through the manager as on many machines. `dragonfly up` shows it; tests use it too.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DragonflyError } from '../../core/errors.ts';
import { formatJoinToken } from '../../rpc/identity/proof.ts';
import { ManagedProcess, describeExit, type Exit } from './managed-process.ts';
import { daemonSocket, dfdaemonConfig, managerConfig, schedulerConfig } from './config.ts';

export interface LocalClusterOptions {
  /** An existing directory, in which every service gets one of its own. */
  readonly directory: string;
  readonly peers: number;
  readonly seeds?: number;
  readonly schedulers?: number;
  /** Aborting it while the services start stops those that already run. */
  readonly signal?: AbortSignal;
  /** The first password of the user root; by default the manager creates one and writes it to its log. */
  readonly rootPassword?: string;
  /** The command that starts a program, if it is not the running product itself. */
  readonly command?: (program: string) => readonly string[];
}

export interface LocalNode {
  readonly name: string;
  readonly directory: string;
  readonly program: 'manager' | 'scheduler' | 'dfdaemon';
  readonly process: ManagedProcess;
}

export interface LocalDaemon extends LocalNode {
  readonly seed: boolean;
  /** The socket of the local API, for `dfget --endpoint`. */
  readonly socket: string;
}

export class LocalCluster {
  readonly #options: LocalClusterOptions;
  readonly #nodes = new Map<string, LocalNode>();
  readonly #crashed = Promise.withResolvers<never>();
  readonly #joinSecret = randomBytes(32).toString('base64url');
  #joinToken: string | undefined;
  #closing: Promise<void> | undefined;
  #onExit: (node: LocalNode, exit: Exit) => void = (node, exit) => this.fail(crashOf(node, exit));

  /** Rejects, with everything stopped again, when a service does not start. */
  static async start(options: LocalClusterOptions): Promise<LocalCluster> {
    const { peers, seeds = 1, schedulers = 1 } = options;
    const cluster = new LocalCluster(options);
    try {
      await cluster.#start('manager', 'manager', (place) => managerConfig(place));
      cluster.#joinToken = formatJoinToken(cluster.#joinSecret, cluster.node('manager').process.address('authority'));
      await cluster.#startAll(schedulers, 'scheduler', 'scheduler', (place, name) =>
        schedulerConfig(place, name, cluster.managerAddress),
      );
      const daemonConfig = (place: string, name: string): string => cluster.#daemonConfig(place, name);
      await cluster.#startAll(seeds, 'seed', 'dfdaemon', daemonConfig);
      await cluster.#startAll(peers, 'peer', 'dfdaemon', daemonConfig);
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(options: LocalClusterOptions) {
    this.#options = options;
    // Nobody may be waiting for the promise when a service crashes; that must not end the process.
    this.#crashed.promise.catch(() => undefined);
  }

  /** Rejects with UNAVAILABLE, the service's name and its last lines, when a service exits unexpectedly and no supervisor handles it. */
  get crashed(): Promise<never> {
    return this.#crashed.promise;
  }

  /** From now on this function handles services that exit; their exits no longer count as a crash of the cluster. */
  onExit(handle: (node: LocalNode, exit: Exit) => void): void {
    this.#onExit = handle;
  }

  /** Gives the cluster up because of this service. */
  fail(error: DragonflyError): void {
    this.#crashed.reject(error);
  }

  get closing(): boolean {
    return this.#closing !== undefined;
  }

  get managerAddress(): string {
    return this.node('manager').process.address('grpc');
  }

  get nodes(): LocalNode[] {
    return [...this.#nodes.values()];
  }

  /** Seed peers come first, each kind by its number. */
  get daemons(): LocalDaemon[] {
    const byNumber = (a: LocalDaemon, b: LocalDaemon): number => a.name.localeCompare(b.name, 'en', { numeric: true });
    const daemons = this.nodes.filter(isDaemon).sort(byNumber);
    return [...daemons.filter(({ seed }) => seed), ...daemons.filter(({ seed }) => !seed)];
  }

  get seeds(): LocalDaemon[] {
    return this.daemons.filter(({ seed }) => seed);
  }

  get peers(): LocalDaemon[] {
    return this.daemons.filter(({ seed }) => !seed);
  }

  node(name: string): LocalNode {
    const node = this.#nodes.get(name);
    if (!node) throw new DragonflyError('NOT_FOUND', `the local cluster has no ${name}`);
    return node;
  }

  daemon(name: string): LocalDaemon {
    const node = this.node(name);
    if (isDaemon(node)) return node;
    throw new DragonflyError('NOT_FOUND', `${name} is no dfdaemon`);
  }

  /** Ends a service like a power cut, and does not count it as a crash. */
  async kill(name: string): Promise<void> {
    const { process } = this.node(name);
    this.#stopped.add(process);
    process.kill('SIGKILL');
    await process.exited;
  }

  /** Starts a service again with the files it left in its directory; the manager and each proxy keep their ports. */
  async restart(name: string): Promise<LocalNode> {
    const { program, process, directory } = this.node(name);
    this.#stopped.add(process);
    await process.stop();
    if (program === 'manager') {
      const ports = { grpc: portOf(process.address('grpc')), rest: portOf(process.address('rest')) };
      await writeFile(configPath(directory), managerConfig(directory, ports));
    } else if (program === 'dfdaemon') {
      await writeFile(configPath(directory), this.#daemonConfig(directory, name, portOf(process.address('proxy'))));
    }
    return this.#run(name, program);
  }

  /** Daemons are stopped first, so that they can say good-bye to the scheduler and the manager. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= (async () => {
      for (const program of ['dfdaemon', 'scheduler', 'manager'] as const) {
        const group = this.nodes.filter((node) => node.program === program);
        for (const { process } of group) this.#stopped.add(process);
        await Promise.all(group.map(({ process }) => process.stop()));
      }
    })();
    return this.#closing;
  }

  readonly #stopped = new WeakSet<ManagedProcess>();

  readonly #daemonConfig = (directory: string, name: string, proxyPort = 0): string =>
    dfdaemonConfig({ name, directory, seed: name.startsWith('seed-'), proxyPort }, this.managerAddress);

  async #startAll(
    count: number,
    prefix: string,
    program: LocalNode['program'],
    config: (directory: string, name: string) => string,
  ): Promise<void> {
    const names = Array.from({ length: count }, (_, index) => `${prefix}-${index + 1}`);
    // All have to settle before a failure is passed on, because none may start after the cluster was stopped.
    const started = await Promise.allSettled(names.map((name) => this.#start(name, program, config)));
    const failed = started.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
  }

  async #start(
    name: string,
    program: LocalNode['program'],
    config: (directory: string, name: string) => string,
  ): Promise<void> {
    const directory = join(this.#options.directory, name);
    await mkdir(directory, { recursive: true });
    await writeFile(configPath(directory), config(directory, name));
    await this.#run(name, program);
  }

  async #run(name: string, program: LocalNode['program']): Promise<LocalNode> {
    const directory = join(this.#options.directory, name);
    const args = ['--config', configPath(directory)];
    const logPath = join(directory, 'log');
    // The manager takes the secret; the others get it together with the fingerprint by which they recognise the manager.
    const { rootPassword, signal, command } = this.#options;
    const env: Record<string, string> = { DRAGONFLY_JOIN_TOKEN: this.#joinToken ?? this.#joinSecret };
    if (program === 'manager' && rootPassword !== undefined) env['DRAGONFLY_INITIAL_ROOT_PASSWORD'] = rootPassword;
    const process = await ManagedProcess.start({
      name,
      program,
      command: command?.(program),
      args,
      env,
      logPath,
      signal,
    });
    const common = { name, directory, program, process };
    const node: LocalNode | LocalDaemon =
      program === 'dfdaemon' ? { ...common, seed: name.startsWith('seed-'), socket: daemonSocket(directory) } : common;
    this.#nodes.set(name, node);
    // The cluster was stopped while this process started.
    if (this.#closing) await process.stop();
    void process.exited.then((exit) => {
      if (!this.#stopped.has(process)) this.#onExit(node, exit);
    });
    return node;
  }
}

export function crashOf({ name, directory, process }: LocalNode, exit: Exit): DragonflyError {
  return new DragonflyError(
    'UNAVAILABLE',
    `${name} ended with ${describeExit(exit)}; its last lines:\n${process.tail()}`,
    { hint: `The whole log is ${join(directory, 'log')}.` },
  );
}

function isDaemon(node: LocalNode): node is LocalDaemon {
  return node.program === 'dfdaemon';
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}

function configPath(directory: string): string {
  return join(directory, 'config.yaml');
}
