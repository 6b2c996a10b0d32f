/** The configuration files of a local cluster: everything on loopback, any free port, and a directory for each service. */
import { join } from 'node:path';
import { stringify } from 'yaml';

const loopback = '127.0.0.1';
const anyPort = { listen: loopback, port: 0 };

/** Everything between the services is encrypted; tools on this machine may use plain text. */
const security = { autoIssueCert: true, tlsPolicy: 'prefer' };

/** The other services find the manager by its address, so after a restart it must have the same ports. */
export function managerConfig(directory: string, ports = { grpc: 0, rest: 0 }): string {
  return stringify({
    server: {
      grpc: { advertiseIP: loopback, listenIP: loopback, port: { start: ports.grpc, end: ports.grpc } },
      rest: { addr: `${loopback}:${ports.rest}` },
    },
    database: { type: 'sqlite', sqlite: { path: join(directory, 'manager.db') } },
    security,
    // Origins and registries of this cluster run on this machine.
    job: { preheat: { allowCIDRs: ['127.0.0.0/8'] } },
  });
}

export function schedulerConfig(directory: string, name: string, managerAddress: string): string {
  return stringify({
    server: { advertiseIP: loopback, listenIP: loopback, port: 0, host: name, cacheDir: directory },
    manager: { addr: managerAddress, schedulerClusterID: 1, keepAlive: { interval: '2s' } },
    dynConfig: { refreshInterval: '2s' },
    security,
  });
}

export interface DaemonPlace {
  readonly name: string;
  readonly directory: string;
  readonly seed: boolean;
  /** 0 picks a free one. */
  readonly proxyPort: number;
}

export function daemonSocket(directory: string): string {
  return join(directory, 'dfdaemon.sock');
}

export function dfdaemonConfig({ name, directory, seed, proxyPort }: DaemonPlace, managerAddress: string): string {
  return stringify({
    workHome: directory,
    cacheDir: join(directory, 'cache'),
    dataDir: join(directory, 'data'),
    logDir: directory,
    console: true,
    metrics: `${loopback}:0`,
    health: { tcpListen: anyPort },
    host: { hostname: name, advertiseIP: loopback },
    scheduler: {
      manager: {
        enable: true,
        netAddrs: [{ type: 'tcp', addr: managerAddress }],
        refreshInterval: '2s',
        seedPeer: { enable: seed, type: 'super', clusterID: 1 },
      },
    },
    download: {
      downloadGRPC: { unixListen: { socket: daemonSocket(directory) } },
      peerGRPC: { tcpListen: anyPort },
    },
    upload: { tcpListen: anyPort },
    security,
    proxy: {
      tcpListen: { listen: loopback, port: proxyPort },
      proxies: [{ regx: '.*' }],
      access: { shareProofs: 'all' }, // all members are processes of one user
    },
  });
}
