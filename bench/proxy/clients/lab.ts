/** Origins of every kind with a relay in front that counts, and a cluster whose nodes have stored nothing. */
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LocalCluster } from '../../../src/cli/up/cluster.ts';
import { DockerRegistry } from '../../../test/proxy/support/docker-registry.ts';
import { localAddress } from '../../../test/proxy/support/engines-fixture.ts';
import { startThrottledHub, type ThrottledHub } from '../../../test/proxy/support/throttled-hub.ts';
import { freePort } from '../../../test/support/free-port.ts';
import { LocalSwarm } from '../../../test/support/local-swarm.ts';
import { NginxOrigin } from '../../../test/support/nginx-origin.ts';
import { makeRandomFile } from '../../../test/support/random-file.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { waitFor } from '../../../test/support/wait-for.ts';
import { CountingRelay, type Counter } from './counting-relay.ts';
import { isThere } from './programs.ts';

export const mebibyte = 2 ** 20;
export const fileBytes = 64 * mebibyte;
export const execute = promisify(execFile);
/** How many run at once. */
export const nodeCount = 3;

/** One of those that run at once. */
export interface Run {
  /** A directory of its own, empty. */
  readonly directory: string;
  readonly env: NodeJS.ProcessEnv;
  /** `http://…`, empty when it goes directly. */
  readonly proxy: string;
}

export interface Arrived {
  readonly path: string;
  readonly sha256: string;
}

export interface Client {
  readonly name: string;
  readonly program: string;
  readonly relay: Counter;
  /** Length of what is brought. */
  readonly bytes: number;
  /** Addresses to use in place of the proxies. */
  readonly doors?: readonly string[];
  /** Makes content that nobody has seen; returns what brings it, and resolves with the path of what arrived and its digest. */
  readonly prepare: () => Promise<(run: Run) => Promise<Arrived | void>>;
}

/** What clients of the store show, and what it takes. */
export const s3Env = {
  AWS_ACCESS_KEY_ID: 'key',
  AWS_SECRET_ACCESS_KEY: 'secret',
  AWS_REGION: 'us-east-1',
  AWS_DEFAULT_REGION: 'us-east-1',
  AWS_CA_BUNDLE: undefined,
};
/** Of the model hub; one for each time it is measured. */
const repositories = ['tried/directly', 'tried/by-doors'];

interface Parts {
  readonly directory: TemporaryDirectory;
  readonly address: string;
  readonly nginx: NginxOrigin;
  readonly files: CountingRelay;
  readonly registry: DockerRegistry;
  readonly images: CountingRelay;
  readonly objects: CountingRelay;
  readonly hub: ThrottledHub;
  readonly proxies: readonly string[];
  readonly s3Doors: readonly string[];
  readonly hubDoors: readonly string[];
  readonly owned: AsyncDisposableStack;
}

export class ClientLab implements AsyncDisposable {
  readonly directory: TemporaryDirectory;
  /** An address that programs do not take for loopback, which they never reach by a proxy. */
  readonly address: string;
  readonly nginx: NginxOrigin;
  readonly files: CountingRelay;
  readonly registry: DockerRegistry;
  readonly images: CountingRelay;
  readonly objects: CountingRelay;
  readonly hub: ThrottledHub;
  readonly proxies: readonly string[];
  readonly s3Doors: readonly string[];
  readonly hubDoors: readonly string[];
  readonly #owned: AsyncDisposableStack;
  #made = 0;

  static async start({ rateBytesPerSec }: { rateBytesPerSec: number }): Promise<ClientLab> {
    await using owned = new AsyncDisposableStack();
    const directory = owned.use(await temporaryDirectory('df-clients-'));
    const { address } = owned.use(await localAddress());
    const nginx = owned.use(await NginxOrigin.start({ directory: directory.path, rateBytesPerSec }));
    const files = owned.use(await CountingRelay.open(address, new URL(nginx.url).host));
    const registry = owned.use(await DockerRegistry.start({ directory: directory.join('registry') }));
    const images = owned.use(await CountingRelay.open(address, registry.host));
    const objects = owned.use(await CountingRelay.open(address, await startStore(owned)));
    const hub = owned.use(await startThrottledHub(repositories, Number.POSITIVE_INFINITY));
    const cluster = owned.use(await LocalCluster.start({ directory: directory.path, peers: nodeCount }));
    const proxies = cluster.peers.map(({ process: node }) => `http://${node.address('proxy')}`);
    const doors = await openDoors(owned, { store: objects.url, hub: hub.url });
    return new ClientLab({
      directory,
      address,
      nginx,
      files,
      registry,
      images,
      objects,
      hub,
      proxies,
      ...doors,
      owned: owned.move(),
    });
  }

  private constructor(parts: Parts) {
    this.directory = parts.directory;
    this.address = parts.address;
    this.nginx = parts.nginx;
    this.files = parts.files;
    this.registry = parts.registry;
    this.images = parts.images;
    this.objects = parts.objects;
    this.hub = parts.hub;
    this.proxies = parts.proxies;
    this.s3Doors = parts.s3Doors;
    this.hubDoors = parts.hubDoors;
    this.#owned = parts.owned;
  }

  /** Never the same. */
  nextNumber(): number {
    return (this.#made += 1);
  }

  /** Random content at the file server. */
  async publish(name: string): Promise<{ url: string; path: string; sha256: string }> {
    const file = `${name}-${this.nextNumber()}`;
    const { path, sha256 } = await makeRandomFile(this.directory.join(file), fileBytes);
    // What was written a moment ago has no validator to go by.
    await execute('touch', ['-d', '1 hour ago', path]);
    await rename(path, join(this.nginx.root, file));
    return { url: `${this.files.url}/${file}`, path: join(this.nginx.root, file), sha256 };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owned.disposeAsync();
  }
}

export function sha256Of(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Nodes with the store and the hub behind their doors; what users configure there. */
async function openDoors(
  owned: AsyncDisposableStack,
  { store, hub }: { store: string; hub: string },
): Promise<{ s3Doors: string[]; hubDoors: string[] }> {
  const swarm = owned.use(await LocalSwarm.create());
  await swarm.startScheduler();
  const key = { accessKeyID: s3Env.AWS_ACCESS_KEY_ID, secretKey: s3Env.AWS_SECRET_ACCESS_KEY };
  const bucket = { name: 'models', endpoint: store, ...key, writable: true };
  const s3 = { tcpListen: { port: 0 }, buckets: [bucket], clients: [key] };
  const yaml = `doors: ${JSON.stringify({ s3, huggingface: { endpoint: hub } })}`;
  const names = Array.from({ length: nodeCount }, (_, node) => `door-${node}`);
  const daemons = await Promise.all(names.map((name) => swarm.startDaemon(name, { yaml })));
  return {
    s3Doors: daemons.map(({ service }) => `http://${service.addresses['s3']}`),
    hubDoors: daemons.map(({ service }) => `http://${service.addresses['proxy']}/hf`),
  };
}

/** A store that knows all of S3; it takes any key. */
async function startStore(owned: AsyncDisposableStack): Promise<string> {
  const port = await freePort('127.0.0.1');
  if (!(await isThere('moto_server'))) return `127.0.0.1:${port}`;
  const child = spawn('moto_server', ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
  owned.defer(() => void child.kill());
  await waitFor('the store to answer', () =>
    fetch(`http://127.0.0.1:${port}/models`, { method: 'PUT' }).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  return `127.0.0.1:${port}`;
}
