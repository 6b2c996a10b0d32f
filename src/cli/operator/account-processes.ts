/** The control plane of one account as processes of this machine, in a directory of its own: on loopback, encrypted, with its own keys. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { writeWholeFile } from '../../core/files/whole-file.ts';
import { formatJoinToken } from '../../rpc/identity/proof.ts';
import { dfdaemonConfig, managerConfig, schedulerConfig } from '../up/config.ts';
import { ManagedProcess } from '../up/managed-process.ts';
import { merged, type Component } from './objects.ts';
import type { ObservedProcess, ProcessAction, WantedProcess } from './process-plan.ts';

interface Running {
  readonly wanted: WantedProcess;
  readonly process: ManagedProcess;
}

export interface AccountProcessesOptions {
  readonly directory: string;
  /** The command that starts a program from this image; throws when there is none. */
  readonly command: (image: string, program: string) => readonly string[];
  /** Called when a process has ended by itself. */
  readonly onExit: () => void;
}

const keptSchema = z.object({
  joinSecret: z.string(),
  rootPassword: z.string(),
  encryptionSecret: z.string(),
  /** Kept, because other services find the manager, and clients their proxy, at the previous address. */
  ports: z.record(z.string(), z.object({ grpc: z.number(), rest: z.number(), proxy: z.number() }).partial()),
});
type Kept = z.output<typeof keptSchema>;

const programs = { manager: 'manager', scheduler: 'scheduler', 'seed-peer': 'dfdaemon', client: 'dfdaemon' } as const;
/** Settings that are fine for a machine's own cluster but not for accounts that share the machine. */
const restrictions: Readonly<Record<Component, Readonly<Record<string, unknown>>>> = {
  manager: { job: { preheat: { allowCIDRs: [] } }, security: { tlsPolicy: 'force' } },
  scheduler: { security: { tlsPolicy: 'force' } },
  'seed-peer': { proxy: { enable: false }, security: { tlsPolicy: 'force' } },
  client: { proxy: { access: { shareProofs: 'digests' } }, security: { tlsPolicy: 'force' } },
};

export class AccountProcesses {
  readonly #options: AccountProcessesOptions;
  readonly #kept: Kept;
  readonly #running = new Map<string, Running>();

  /** Creates the directory and the keys once. */
  static async open(options: AccountProcessesOptions): Promise<AccountProcesses> {
    await mkdir(options.directory, { recursive: true, mode: 0o700 });
    let kept: Kept;
    try {
      kept = keptSchema.parse(JSON.parse(await readFile(join(options.directory, 'keys.json'), 'utf8')));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      kept = { joinSecret: secret(), rootPassword: secret(), encryptionSecret: secret(), ports: {} };
    }
    const account = new AccountProcesses(options, kept);
    await account.#keep();
    return account;
  }

  private constructor(options: AccountProcessesOptions, kept: Kept) {
    this.#options = options;
    this.#kept = kept;
  }

  observed(): ObservedProcess[] {
    return [...this.#running.values()].map(({ wanted: { name, component, image, digest }, process }) => ({
      name,
      component,
      image,
      digest,
      isReady: process.running,
    }));
  }

  endpoints(): Record<string, string> {
    const address = (name: string, listener: string): string | undefined =>
      this.#running.get(name)?.process.addresses[listener];
    const rest = address('manager-1', 'rest');
    const all = {
      console: rest && `http://${rest}`,
      manager: address('manager-1', 'grpc'),
      scheduler: address('scheduler-1', 'grpc'),
      proxy: address('client-1', 'proxy'),
    };
    return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined));
  }

  async carryOut(action: ProcessAction, signal: AbortSignal): Promise<void> {
    if (action.do === 'end') return this.#end(action.name);
    await this.#end(action.process.name);
    await this.#start(action.process, signal);
  }

  /** Daemons are stopped first, so that they can say good-bye to the scheduler and the manager. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const component of ['client', 'seed-peer', 'scheduler', 'manager']) {
      const own = [...this.#running.values()].filter(({ wanted }) => wanted.component === component);
      await Promise.all(own.map(({ wanted }) => this.#end(wanted.name)));
    }
  }

  /** Deletes everything that was kept, too. */
  async delete(): Promise<void> {
    await this[Symbol.asyncDispose]();
    await rm(this.#options.directory, { recursive: true, force: true });
  }

  async #end(name: string): Promise<void> {
    const running = this.#running.get(name);
    this.#running.delete(name);
    await running?.process.stop();
  }

  async #start(wanted: WantedProcess, signal: AbortSignal): Promise<void> {
    const { name, component, image } = wanted;
    const directory = join(this.#options.directory, name);
    const config = join(directory, 'config.yaml');
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeWholeFile(config, this.#configOf(wanted, directory), { mode: 0o600 });
    const program = programs[component];
    const manager = this.#running.get('manager-1')?.process.addresses['authority'];
    const { joinSecret, rootPassword, encryptionSecret } = this.#kept;
    const own = { DRAGONFLY_INITIAL_ROOT_PASSWORD: rootPassword, DRAGONFLY_ENCRYPTION_SECRET: encryptionSecret };
    const token = manager === undefined ? joinSecret : formatJoinToken(joinSecret, manager);
    const process = await ManagedProcess.start({
      name,
      program,
      command: this.#options.command(image, program),
      args: ['--config', config],
      env: { DRAGONFLY_JOIN_TOKEN: token, ...(component === 'manager' && own) },
      logPath: join(directory, 'log'),
      signal,
    });
    this.#running.set(name, { wanted, process });
    void process.exited.then(() => {
      if (this.#running.get(name)?.process === process) this.#options.onExit();
    });
    const ports = Object.entries(process.addresses).map(([listener, at]) => [listener, portOf(at)] as const);
    this.#kept.ports[name] = Object.fromEntries(ports.filter(([listener]) => /^(?:grpc|rest|proxy)$/.test(listener)));
    await this.#keep();
    if (component === 'manager')
      await writeWholeFile(
        join(this.#options.directory, 'join-token'),
        formatJoinToken(joinSecret, process.address('authority')),
        { mode: 0o600 },
      );
  }

  #configOf({ name, component, config }: WantedProcess, directory: string): string {
    const { grpc = 0, rest = 0, proxy = 0 } = this.#kept.ports[name] ?? {};
    const manager = this.#running.get('manager-1')?.process.addresses['grpc'] ?? '';
    const seed = component === 'seed-peer';
    const local =
      component === 'manager'
        ? managerConfig(directory, { grpc, rest })
        : component === 'scheduler'
          ? schedulerConfig(directory, name, manager)
          : dfdaemonConfig({ name, directory, seed, proxyPort: proxy }, manager);
    return stringify(merged(merged(parse(local) as Record<string, unknown>, restrictions[component]), config));
  }

  #keep(): Promise<void> {
    return writeWholeFile(join(this.#options.directory, 'keys.json'), JSON.stringify(this.#kept), { mode: 0o600 });
  }
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}

function secret(): string {
  return randomBytes(32).toString('base64url');
}
