/** Two managers as processes of their own over one database server. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { ManagedProcess } from '../../../src/cli/up/managed-process.ts';
import type { DatabaseConfig } from '../../../src/manager/config.ts';
import { freePort } from '../../support/free-port.ts';
import { rootPassword } from './manager-fixture.ts';

export class Replica {
  readonly restPort: number;
  readonly grpcPort: number;
  readonly #directory: string;
  readonly #name: string;
  #process: ManagedProcess | undefined;

  constructor(directory: string, name: string, ports: { restPort: number; grpcPort: number }) {
    this.#directory = directory;
    this.#name = name;
    this.restPort = ports.restPort;
    this.grpcPort = ports.grpcPort;
  }

  /** At the same ports as before. */
  async start(): Promise<void> {
    this.#process = await ManagedProcess.start({
      name: this.#name,
      program: 'manager',
      env: { DRAGONFLY_INITIAL_ROOT_PASSWORD: rootPassword },
      args: ['--config', join(this.#directory, `${this.#name}.yaml`)],
      logPath: join(this.#directory, `${this.#name}.log`),
    });
  }

  async kill(): Promise<void> {
    this.#process?.kill('SIGKILL');
    await this.#process?.exited;
  }

  async stop(): Promise<void> {
    await this.#process?.stop();
  }
}

export interface ReplicaPair extends AsyncDisposable {
  readonly directory: string;
  readonly replicas: readonly [Replica, Replica];
}

export async function startReplicas(database: DatabaseConfig, livenessTimeout: string): Promise<ReplicaPair> {
  const directory = await mkdtemp(join(tmpdir(), 'manager-replicas-'));
  const make = async (name: string): Promise<Replica> => {
    const ports = { restPort: await freePort(), grpcPort: await freePort() };
    const config = {
      server: {
        grpc: { listenIP: '127.0.0.1', port: { start: ports.grpcPort } },
        rest: { addr: `127.0.0.1:${ports.restPort}` },
        encryptionKeyFile: join(directory, 'manager.key'),
      },
      database,
      liveness: { timeout: livenessTimeout },
    };
    await writeFile(join(directory, `${name}.yaml`), stringify(config));
    const replica = new Replica(directory, name, ports);
    await replica.start();
    return replica;
  };
  const replicas = [await make('first'), await make('second')] as const;
  return {
    directory,
    replicas,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(replicas.map((replica) => replica.stop()));
      await rm(directory, { recursive: true, force: true });
    },
  };
}
