/** What this node reports to the schedulers: identity, location and load. Collected anew for every announcement. */
import { readFile, statfs } from 'node:fs/promises';
import os from 'node:os';
import { NetworkLoad } from '../network-load.ts';
import { version } from '../../core/version.ts';
import { hostId } from '../../core/ids.ts';
import { Host } from '../../../gen/common/v2/common.ts';
import { seedPeerConfig, type DfdaemonConfig } from '../config.ts';

/** Used when neither the interface nor a limit provides a value: the original's default limit of 50 GB/s. */
const unknownBitsPerSec = 50e9 * 8;

/** The identity of this daemon; fixed for the life of the process. */
export interface HostIdentity {
  readonly hostId: string;
  readonly hostname: string;
  /** Address other nodes dial. */
  readonly ip: string;
  readonly isSeed: boolean;
  readonly idc: string;
  readonly location: string;
  readonly schedulerClusterId: number;
}

export function createHostIdentity(options: {
  readonly hostname?: string | undefined;
  readonly ip: string;
  readonly isSeed: boolean;
  readonly idc: string;
  readonly location: string;
  readonly schedulerClusterId: number;
}): HostIdentity {
  const hostname = options.hostname ?? os.hostname();
  const { ip } = options;
  return { ...options, hostname, hostId: hostId(ip, hostname, options.isSeed) };
}

/** @param ip by which other nodes reach this one. */
export function hostIdentity(config: DfdaemonConfig, ip: string): HostIdentity {
  const { hostname, idc, location, schedulerClusterID } = config.host;
  const { enable: isSeed } = seedPeerConfig(config);
  return createHostIdentity({ hostname, ip, isSeed, idc, location, schedulerClusterId: schedulerClusterID });
}

export interface HostPorts {
  readonly grpc: number;
  readonly proxy: number;
}

export class HostInfo {
  readonly identity: HostIdentity;
  /** The ports as others dial them; 0 until they are open. */
  ports: HostPorts = { grpc: 0, proxy: 0 };
  readonly #dataDirectory: string;
  readonly #maxTxBytesPerSec: number;
  readonly #maxRxBytesPerSec: number;
  readonly #network: NetworkLoad;
  #lastCpu = cpuTimes();

  constructor(
    identity: HostIdentity,
    options: { dataDirectory: string; maxTxBytesPerSec: number; maxRxBytesPerSec: number },
  ) {
    this.identity = identity;
    this.#dataDirectory = options.dataDirectory;
    this.#maxTxBytesPerSec = options.maxTxBytesPerSec;
    this.#maxRxBytesPerSec = options.maxRxBytesPerSec;
    this.#network = new NetworkLoad(identity.ip);
  }

  /** @param uploads number of connections that fetch pieces from this host. */
  async read(uploads: number): Promise<Host> {
    const { identity, ports } = this;
    const [disk, kernelVersion, memoryAvailable, capacity = Infinity, traffic] = await Promise.all([
      this.#disk(),
      kernel(),
      availableMemory(),
      this.#network.capacityBitsPerSec(),
      this.#network.traffic(),
    ]);
    const most = (bytesPerSec: number): number => Math.min(capacity, bytesPerSec * 8, unknownBitsPerSec);
    const total = os.totalmem();
    return Host.fromPartial({
      id: identity.hostId,
      type: identity.isSeed ? 1 : 0,
      hostname: identity.hostname,
      name: process.env['POD_NAME']
        ? `${process.env['POD_NAMESPACE'] ?? 'default'}-${process.env['POD_NAME']}`
        : identity.hostname,
      ip: identity.ip,
      port: ports.grpc,
      downloadPort: ports.grpc,
      proxyPort: ports.proxy,
      os: os.platform(),
      platform: os.platform(),
      platformFamily: os.type(),
      platformVersion: os.release(),
      kernelVersion,
      cpu: {
        logicalCount: os.availableParallelism(),
        physicalCount: os.availableParallelism(),
        percent: this.#cpuPercent(),
      },
      memory: {
        total,
        available: memoryAvailable,
        used: total - memoryAvailable,
        usedPercent: (1 - memoryAvailable / total) * 100,
        processUsedPercent: (process.memoryUsage.rss() / total) * 100,
        free: os.freemem(),
      },
      network: {
        tcpConnectionCount: 0,
        uploadTcpConnectionCount: uploads,
        idc: identity.idc,
        location: identity.location,
        // Children of the original choose parents by the remaining bandwidth.
        maxTxBandwidth: most(this.#maxTxBytesPerSec),
        maxRxBandwidth: most(this.#maxRxBytesPerSec),
        ...(traffic && { txBandwidth: traffic.txBitsPerSec, rxBandwidth: traffic.rxBitsPerSec }),
      },
      disk,
      build: { gitVersion: version, platform: `${os.platform()}/${os.arch()}` },
      schedulerClusterId: identity.schedulerClusterId,
      bundles: true,
    });
  }

  async #disk(): Promise<NonNullable<Parameters<typeof Host.fromPartial>[0]['disk']>> {
    const fs = await statfs(this.#dataDirectory);
    const total = fs.blocks * fs.bsize;
    const free = fs.bavail * fs.bsize;
    return {
      total,
      free,
      used: total - free,
      usedPercent: total === 0 ? 0 : ((total - free) / total) * 100,
      inodesTotal: fs.files,
      inodesFree: fs.ffree,
      inodesUsed: fs.files - fs.ffree,
      inodesUsedPercent: fs.files === 0 ? 0 : ((fs.files - fs.ffree) / fs.files) * 100,
    };
  }

  /** The share of all cores that was busy since the last reading. */
  #cpuPercent(): number {
    const before = this.#lastCpu;
    const now = cpuTimes();
    this.#lastCpu = now;
    const elapsed = now.total - before.total;
    return elapsed <= 0 ? 0 : Math.min(100, Math.max(0, ((now.busy - before.busy) / elapsed) * 100));
  }
}

function cpuTimes(): { busy: number; total: number } {
  let busy = 0;
  let total = 0;
  for (const { times } of os.cpus()) {
    const used = times.user + times.nice + times.sys + times.irq;
    busy += used;
    total += used + times.idle;
  }
  return { busy, total };
}

async function kernel(): Promise<string> {
  return (await readFile('/proc/sys/kernel/osrelease', 'utf8').catch(() => os.release())).trim();
}

/** Linux counts reclaimable page cache as available; elsewhere only free memory is known. */
async function availableMemory(): Promise<number> {
  const text = await readFile('/proc/meminfo', 'utf8').catch(() => '');
  const kibibytes = /^MemAvailable:\s+(\d+) kB$/m.exec(text)?.[1];
  return kibibytes === undefined ? os.freemem() : Number(kibibytes) * 1024;
}
