/** One connection to Redis: a server, the master that sentinels name, or a Redis cluster. */
import type { ConnectionOptions } from 'node:tls';
import { aborted, onAbort, type Closable } from '../../core/process/lifecycle.ts';
import { splitHostPort } from '../../core/net/host-port.ts';
import { backOffMs } from '../../rpc/back-off.ts';
import { redisConnectTimeoutMs, redisSilenceMs } from '../limits.ts';
import type { RedisConfig } from './redis-config.ts';

export interface RedisOptions {
  readonly settings: RedisConfig;
  readonly database: number;
  readonly tls: ConnectionOptions | undefined;
  /** Called for errors of the connection, which reconnects by itself. */
  readonly onError: (error: Error) => void;
}

/** The Redis commands that the job queue uses; they wait while the connection is down. */
interface Commands {
  connect: () => Promise<unknown>;
  destroy: () => unknown;
  blPop: (key: string, seconds: number) => Promise<{ element: string } | null>;
  lPush: (key: string, element: string) => Promise<number>;
  get: (key: string) => Promise<string | null>;
  set: (key: string, value: string, options: { EX: number }) => Promise<unknown>;
  sMembers: (key: string) => Promise<string[]>;
  hmGet: (key: string, fields: string[]) => Promise<(string | null)[]>;
  on: (event: 'error', listener: (error: Error) => void) => unknown;
}

export class RedisConnection implements Closable {
  readonly #commands: Commands;

  private constructor(commands: Commands) {
    this.#commands = commands;
  }

  /** Resolves when Redis answers. Until then it keeps retrying and passes each failure to `onError`. */
  static async open(options: RedisOptions, signal: AbortSignal): Promise<RedisConnection> {
    const commands = await commandsOf(options);
    signal.throwIfAborted();
    commands.on('error', options.onError);
    using _aborting = onAbort(signal, () => destroyed(commands));
    await Promise.race([commands.connect(), aborted(signal)]); // one that was ended in a pause between two tries says so late
    signal.throwIfAborted();
    return new RedisConnection(commands);
  }

  /** Takes the first element off a list, waiting some seconds for one. */
  async pop(list: string, seconds: number): Promise<string | undefined> {
    return (await this.#commands.blPop(list, seconds))?.element;
  }

  /** Puts an element back, so that it is the next to be taken. */
  async putBack(list: string, element: string): Promise<void> {
    await this.#commands.lPush(list, element);
  }

  async get(key: string): Promise<string | undefined> {
    return (await this.#commands.get(key)) ?? undefined;
  }

  async set(key: string, value: string, ttlSeconds: number): Promise<void> {
    await this.#commands.set(key, value, { EX: ttlSeconds });
  }

  /** Of a set. */
  async members(key: string): Promise<string[]> {
    return this.#commands.sMembers(key);
  }

  /** Of a hash; null for what is not there. */
  async fields(key: string, names: readonly string[]): Promise<(string | null)[]> {
    return this.#commands.hmGet(key, [...names]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    destroyed(this.#commands);
    return Promise.resolve();
  }
}

async function commandsOf({ settings, database, tls }: RedisOptions): Promise<Commands> {
  // Loaded on demand: it has hundreds of modules, and most schedulers have no Redis.
  const { createClient, createCluster, createSentinel } = await import('@redis/client');
  const { addrs, masterName, username, password, sentinelUsername, sentinelPassword } = settings;
  const nodes = addrs.map((address) => splitHostPort(address));
  const [first = { host: '', port: 0 }] = nodes;
  const socket = {
    ...(tls ? { ...tls, tls: true as const } : {}),
    connectTimeout: redisConnectTimeoutMs,
    // A server that is silent for this long counts as lost.
    socketTimeout: redisSilenceMs,
    reconnectStrategy: (failures: number) => backOffMs(failures + 1),
  };
  const client = { ...credentials(username, password), socket, pingInterval: redisSilenceMs / 4 };
  // A node of a cluster has database 0 only.
  if (masterName === '' && nodes.length > 1)
    return createCluster({ rootNodes: nodes.map((node) => ({ socket: { ...socket, ...node } })), defaults: client });
  if (masterName === '') return createClient({ ...client, socket: { ...socket, ...first }, database });
  return createSentinel({
    name: masterName,
    sentinelRootNodes: nodes,
    nodeClientOptions: { ...client, database },
    sentinelClientOptions: { ...credentials(sentinelUsername, sentinelPassword), socket },
    passthroughClientErrorEvents: true,
  });
}

function credentials(username: string, password: string): { username?: string; password?: string } {
  return { ...(username === '' ? {} : { username }), ...(password === '' ? {} : { password }) };
}

/** The library throws when a connection is closed that never opened. */
function destroyed(commands: Commands): void {
  try {
    void commands.destroy();
  } catch {
    // it is closed already
  }
}
