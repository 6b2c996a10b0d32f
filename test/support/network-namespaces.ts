/** Hosts of their own on one machine: network namespaces joined by a bridge, each link shaped. Needs root and `ip`. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface NamespaceHost {
  readonly namespace: string;
  /** IPv4 address on the bridge. */
  readonly address: string;
  /** Interface inside the namespace, for `tc` and `nft`. */
  readonly device: string;
  /** Words to put before a command so that it runs on this host. */
  readonly enter: readonly string[];
}

/** Of tokens, in the words of `tc`. */
interface Bucket {
  readonly burst: string;
  readonly latency: string;
}

const wideBucket: Bucket = { burst: '256kb', latency: '50ms' };
export const narrowBucket: Bucket = { burst: '16kb', latency: '200ms' };

export interface NetworkOptions {
  readonly hosts: number;
  /** Both directions of each host's link, in bits per second; undefined for no limit. */
  readonly rateBitsPerSec?: (host: number) => number | undefined;
}

/** Names and addresses carry a random part: several test files may each have a network at the same time. */
export class NamespaceNetwork {
  readonly hosts: readonly NamespaceHost[];
  readonly #bridge: string;
  readonly #ports = new Map<NamespaceHost, string>();

  static async create({ hosts, rateBitsPerSec }: NetworkOptions): Promise<NamespaceNetwork> {
    const random = randomBytes(2);
    const id = random.toString('hex');
    const subnet = `10.${64 + ((random[0] ?? 0) % 128)}.${random[1] ?? 0}`;
    const bridge = `df${id}`;
    const list = Array.from({ length: hosts }, (_, index) => host(id, subnet, index));
    const network = new NamespaceNetwork(list, bridge);
    try {
      await ip('link', 'add', bridge, 'type', 'bridge');
      await ip('link', 'set', bridge, 'up');
      for (const [index, item] of list.entries()) {
        network.#ports.set(item, `df${id}p${index}`);
        await network.#connect(item, `df${id}p${index}`, rateBitsPerSec?.(index));
      }
    } catch (error) {
      await network[Symbol.asyncDispose]();
      throw error;
    }
    return network;
  }

  private constructor(hosts: readonly NamespaceHost[], bridge: string) {
    this.hosts = hosts;
    this.#bridge = bridge;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { namespace } of this.hosts) await ip('netns', 'delete', namespace).catch(() => undefined);
    await ip('link', 'delete', this.#bridge).catch(() => undefined);
  }

  async #connect({ namespace, address, device }: NamespaceHost, port: string, rateBitsPerSec?: number): Promise<void> {
    await ip('netns', 'add', namespace);
    await ip('link', 'add', port, 'type', 'veth', 'peer', 'name', device, 'netns', namespace);
    await ip('link', 'set', port, 'master', this.#bridge, 'up');
    await ip('-n', namespace, 'addr', 'add', `${address}/24`, 'dev', device);
    await ip('-n', namespace, 'link', 'set', device, 'up');
    await ip('-n', namespace, 'link', 'set', 'lo', 'up');
    if (rateBitsPerSec !== undefined) await shape(port, namespace, device, rateBitsPerSec);
  }

  /** Gives the link of a host another limit than it has. */
  async relimit(host: NamespaceHost, rateBitsPerSec: number): Promise<void> {
    const port = this.#ports.get(host) ?? '';
    await run('tc', ['qdisc', 'change', 'dev', port, ...words(rateBitsPerSec)]);
    await run('tc', ['-n', host.namespace, 'qdisc', 'change', 'dev', host.device, ...words(rateBitsPerSec)]);
  }

  /** Limits the link of a host that had no limit so far. BBR takes long bursts for the line, and loses most of what it sends then. */
  async limit(host: NamespaceHost, rateBitsPerSec: number, bucket: Bucket = wideBucket): Promise<void> {
    await shape(this.#ports.get(host) ?? '', host.namespace, host.device, rateBitsPerSec, bucket);
  }
}

function host(id: string, subnet: string, index: number): NamespaceHost {
  const namespace = `df-${id}-${index}`;
  const enter = ['ip', 'netns', 'exec', namespace];
  return { namespace, address: `${subnet}.${index + 1}`, device: 'eth0', enter };
}

async function shape(
  port: string,
  namespace: string,
  device: string,
  rateBitsPerSec: number,
  bucket = wideBucket,
): Promise<void> {
  await run('tc', ['qdisc', 'add', 'dev', port, ...words(rateBitsPerSec, bucket)]);
  await run('tc', ['-n', namespace, 'qdisc', 'add', 'dev', device, ...words(rateBitsPerSec, bucket)]);
}

function words(rateBitsPerSec: number, { burst, latency } = wideBucket): string[] {
  return ['root', 'tbf', 'rate', `${rateBitsPerSec}bit`, 'burst', burst, 'latency', latency];
}

async function ip(...args: string[]): Promise<void> {
  await run('ip', args);
}
