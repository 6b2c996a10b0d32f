/**
 * A cluster in which each part is ours or the original's: manager, scheduler, seed peer and peers as processes on loopback,
 * with a real nginx as the origin, and MariaDB and Redis, which the original's manager cannot do without.
 */
import { connect } from 'node:net';
import { once } from 'node:events';
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createConnection } from 'mysql2/promise';
import { engineKinds } from '../../test/manager/support/engines.ts';
import { TestAuthority } from '../../test/rpc/certificates.ts';
import { freePort } from '../../test/support/free-port.ts';
import { NginxOrigin } from '../../test/support/nginx-origin.ts';
import { makeRandomFile } from '../../test/support/random-file.ts';
import { RedisServer } from '../../test/support/redis-server.ts';
import {
  databaseUser,
  daemonConfig,
  loopback,
  managerConfig,
  schedulerConfig,
  type DaemonPorts,
  type Ports,
  type TlsFiles,
} from './configuration.ts';
import { Jobs } from './jobs.ts';
import { Part, type Kind } from './part.ts';
import type { Recorder } from './recorder.ts';
import { Relay } from './relay.ts';

export interface Mix {
  readonly manager: Kind;
  readonly scheduler: Kind;
  readonly seed: Kind;
  readonly peers: Kind;
}

export interface MixedClusterOptions {
  readonly mix: Mix;
  readonly binaries: string;
  readonly directory: string;
  readonly schedulers?: number;
  readonly peers?: number;
  /** Of the origin; loopback by default. */
  readonly address?: string;
  /**
   * Mutual TLS at every gRPC port, with one certificate for all; with daemons of the original at the manager's only: they dial
   * schedulers and each other in the clear, whatever certificates they are given.
   */
  readonly tls?: boolean;
  /** Daemons of the original ask for pieces by QUIC. */
  readonly quic?: boolean;
  /** Proxies count blobs of registries by digest, or by URL; whoever asks them for one says it otherwise. */
  readonly blobsByDigest?: boolean | undefined;
  /** What stands before the manager and each scheduler; by default a relay before each scheduler. */
  readonly relay?: (host: string, port: number) => Promise<Recorder>;
  /** What stands before the piece port of each daemon of ours; nothing by default. */
  readonly pieceRelay?: (host: string, port: number) => Promise<AsyncDisposable & { readonly port: number }>;
}

export interface OriginFile {
  readonly url: string;
  readonly urlPath: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

const settleMs = 35_000;

export interface MetricsPort {
  /** As the chart of the original names it, and its dashboards ask for it. */
  readonly container: 'manager' | 'scheduler' | 'seed-client' | 'client';
  readonly port: number;
}

export interface Daemon {
  readonly part: Part;
  readonly proxy: string;
  readonly ports: DaemonPorts;
}

export class MixedCluster implements AsyncDisposable {
  readonly mix: Mix;
  readonly origin: NginxOrigin;
  readonly jobs: Jobs;
  readonly manager: Part;
  readonly schedulers: readonly Part[];
  readonly relays: readonly (Relay | Recorder)[];
  readonly redisPort: number;
  /** Of all parts. */
  readonly metrics: readonly MetricsPort[];
  readonly seed: Daemon;
  readonly peers: readonly Daemon[];
  readonly blobsByDigest: boolean | undefined;
  readonly #owned: AsyncDisposableStack;

  static async start(options: MixedClusterOptions): Promise<MixedCluster> {
    await using owned = new AsyncDisposableStack();
    const {
      mix,
      binaries,
      directory,
      schedulers = 1,
      peers = 3,
      address = loopback,
      tls = false,
      quic = false,
      blobsByDigest,
      relay: before,
      pieceRelay,
    } = options;
    const origin = owned.use(await NginxOrigin.start({ directory, address }));
    const redis = owned.use(await RedisServer.start());
    const mariadb = engineKinds.find(({ name }) => name === 'mariadb');
    if (!mariadb || mariadb.missing !== false) throw new Error('MariaDB is not installed');
    const engine = owned.use(await mariadb.start());
    const { mysql } = await engine.newDatabase();
    if (!mysql) throw new Error('no settings of MariaDB');
    const certificate = tls ? await writeCertificate(directory) : undefined;
    const ports: Ports = {
      managerRest: await freePort(),
      managerGrpc: await freePort(),
      managerMetrics: await freePort(),
      redis: redis.port,
      mysql: mysql.port,
      tls: certificate,
      memberTls: mix.seed === 'ours' && mix.peers === 'ours' ? certificate : undefined,
      blobsByDigest,
    };
    // The two kinds have no database in common.
    const other = (await engine.newDatabase()).mysql;
    const databases = { ours: mysql.dbname, original: other?.dbname ?? '' };
    await createDatabaseUser(mysql.port);
    const token = Buffer.from(randomUUID()).toString('base64url');
    const jobs = new Jobs(`http://${loopback}:${ports.managerRest}`, token);
    const part = (values: Omit<ConstructorParameters<typeof Part>[0], 'binaries' | 'directory'>): Part =>
      owned.use(new Part({ ...values, binaries, directory: join(directory, values.name) }));
    const manager = part({
      name: 'manager',
      program: 'manager',
      kind: mix.manager,
      config: (kind) => managerConfig(join(directory, 'manager'), databases[kind], ports),
      env: { DRAGONFLY_PAT: token, DRAGONFLY_INITIAL_ROOT_PASSWORD: 'dragonfly-1' },
      isReady: () => jobs.isServing(),
    });
    await manager.start();
    const managerRelay = before && owned.use(await before(loopback, ports.managerGrpc));
    const dialled = { ...ports, managerGrpc: managerRelay?.port ?? ports.managerGrpc };
    const relays: (Relay | Recorder)[] = [];
    const metrics: MetricsPort[] = [{ container: 'manager', port: ports.managerMetrics }];
    const schedulerParts: Part[] = [];
    for (let index = 1; index <= schedulers; index += 1) {
      const name = `scheduler-${index}`;
      const port = await freePort();
      const relay = owned.use(await (before ?? Relay.start)(loopback, port));
      relays.push(relay);
      const metricsPort = await freePort();
      const place = { name, directory: join(directory, name), port, advertisedPort: relay.port, metricsPort };
      metrics.push({ container: 'scheduler', port: metricsPort });
      const scheduler = part({
        name,
        program: 'scheduler',
        kind: mix.scheduler,
        config: () => schedulerConfig(place, dialled),
        isReady: () => accepts(port),
      });
      await scheduler.start();
      schedulerParts.push(scheduler);
    }
    await jobs.schedulersActive(schedulers);
    const daemon = async (name: string, kind: Kind, seed: boolean): Promise<Daemon> => {
      const own = await daemonPorts();
      const config = (): string =>
        daemonConfig({ name, directory: join(directory, name), seed, quic, daemon: own }, dialled);
      const isReady = async (): Promise<boolean> =>
        (await accepts(own.upload)) && (await accepts(own.tcp)) && (await accepts(own.proxy));
      const pieces = kind === 'ours' && pieceRelay ? owned.use(await pieceRelay(loopback, own.tcp)) : undefined;
      const env = pieces && { DFDAEMON_UPLOAD_ADVERTISEPORT: String(pieces.port) };
      const started = part({ name, program: 'dfdaemon', kind, config, isReady, ...(env && { env }) });
      await started.start();
      metrics.push({ container: seed ? 'seed-client' : 'client', port: own.metrics });
      return { part: started, proxy: `http://${loopback}:${own.proxy}`, ports: own };
    };
    const seed = await daemon('seed', mix.seed, true);
    const peerDaemons: Daemon[] = [];
    for (let index = 1; index <= peers; index += 1) peerDaemons.push(await daemon(`peer-${index}`, mix.peers, false));
    // The original's parts look for each other's members every 30 s.
    if (mix.manager === 'original' || mix.scheduler === 'original') await delay(settleMs);
    return new MixedCluster(
      {
        mix,
        origin,
        jobs,
        manager,
        schedulers: schedulerParts,
        relays,
        seed,
        peers: peerDaemons,
        redisPort: redis.port,
        metrics,
        blobsByDigest,
      },
      owned.move(),
    );
  }

  private constructor(
    parts: Pick<
      MixedCluster,
      | 'mix'
      | 'origin'
      | 'jobs'
      | 'manager'
      | 'schedulers'
      | 'relays'
      | 'seed'
      | 'peers'
      | 'redisPort'
      | 'metrics'
      | 'blobsByDigest'
    >,
    owned: AsyncDisposableStack,
  ) {
    this.mix = parts.mix;
    this.origin = parts.origin;
    this.jobs = parts.jobs;
    this.manager = parts.manager;
    this.schedulers = parts.schedulers;
    this.relays = parts.relays;
    this.redisPort = parts.redisPort;
    this.metrics = parts.metrics;
    this.blobsByDigest = parts.blobsByDigest;
    this.seed = parts.seed;
    this.peers = parts.peers;
    this.#owned = owned;
  }

  /** A new file at the origin; `slow` at 5 MiB/s for each connection. */
  async file(name: string, sizeBytes: number, { slow = false } = {}): Promise<OriginFile> {
    const { sha256 } = await makeRandomFile(join(this.origin.root, name), sizeBytes);
    const urlPath = `${slow ? '/slow' : ''}/${name}`;
    return { url: `${this.origin.url}${urlPath}`, urlPath, sizeBytes, sha256 };
  }

  /** How often the origin has sent the content, by its log. */
  async copies({ urlPath, sizeBytes }: OriginFile): Promise<number> {
    return (await this.origin.bytesSent(urlPath)) / sizeBytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned[Symbol.asyncDispose]();
  }
}

async function writeCertificate(directory: string): Promise<TlsFiles> {
  const authority = await TestAuthority.create();
  const { cert, key } = await authority.issue(loopback);
  const files = {
    caCert: join(directory, 'ca.pem'),
    cert: join(directory, 'cert.pem'),
    key: join(directory, 'key.pem'),
  };
  await writeFile(files.caCert, authority.ca);
  await writeFile(files.cert, cert);
  await writeFile(files.key, key, { mode: 0o600 });
  return files;
}

async function createDatabaseUser(port: number): Promise<void> {
  const { user, password } = databaseUser;
  const connection = await createConnection({ host: loopback, port, user: 'root' });
  try {
    await connection.query(`create user '${user}'@'%' identified by '${password}'`);
    await connection.query(`grant all on *.* to '${user}'@'%'`);
  } finally {
    await connection.end();
  }
}

async function daemonPorts(): Promise<DaemonPorts> {
  const [upload = 0, tcp = 0, quic = 0, proxy = 0, metrics = 0, health = 0, stats = 0] = await Promise.all(
    Array.from({ length: 7 }, () => freePort()),
  );
  return { upload, tcp, quic, proxy, metrics, health, stats };
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect({ port, host: loopback });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

const kinds: readonly Kind[] = ['ours', 'original'];

/** `ours,original,ours,original`: manager, scheduler, seed peer, peers. */
export function parseMix(text: string): Mix {
  const [manager, scheduler, seed, peers] = text.split(',').map((word) => kinds.find((kind) => kind === word));
  if (!manager || !scheduler || !seed || !peers) throw new Error(`--mix ${text}: four times ours or original`);
  return { manager, scheduler, seed, peers };
}

export function allMixes(): Mix[] {
  return Array.from({ length: 2 ** 4 }, (_, bits) => {
    const kind = (bit: number): Kind => kinds[(bits >> bit) & 1] ?? 'ours';
    return { manager: kind(3), scheduler: kind(2), seed: kind(1), peers: kind(0) };
  });
}
