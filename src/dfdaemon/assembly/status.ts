/** Status endpoints of a daemon: health and readiness, and metrics where configured. */
import { metricsRoute, StatusServer } from '../../core/metrics.ts';
import type { ReadyAddresses } from '../../core/process/ready.ts';
import { portNumber } from '../config.ts';
import type { BodyMemory } from '../proxy/proxy-server.ts';
import type { Schedulers } from '../cluster/schedulers.ts';
import type { PieceServer } from '../transport/piece-server.ts';
import type { Downloads } from './downloads.ts';
import type { DaemonNode } from './node.ts';

/** Readiness message of a node that can download but cannot serve. */
export const unreachableText = 'ready, but other nodes cannot reach this one';

/** Returns the addresses they are bound to. Throws IN_USE. */
export async function openStatusServers(node: DaemonNode, schedulers: Schedulers): Promise<ReadyAddresses> {
  const health = await openHealth(node, schedulers);
  const { metrics } = node.config;
  return metrics === '' ? { health } : { health, metrics: await openMetrics(node, metrics) };
}

/** Exports the number of running downloads and the memory used by bytes in transit. */
export function watchMetrics(
  { config, metrics, memory }: DaemonNode,
  { engine, pieces, sources }: Downloads,
  { sent, proxy }: { readonly sent: PieceServer; readonly proxy: BodyMemory },
): void {
  metrics.watchRunning(() => engine.runningCount);
  metrics.client.watch(config.dataDir, () => engine.runningCount);
  metrics.watchBuffers(memory, { received: pieces, origin: sources, sent, proxy });
}

async function openHealth({ config, owned, controlPlane }: DaemonNode, schedulers: Schedulers): Promise<string> {
  const { tcpListen, path } = config.health;
  const server = await StatusServer.listen(
    { host: tcpListen.listen, port: portNumber(tcpListen.port) },
    {
      [path]: () => ({ type: 'application/json; charset=utf-8', body: '"OK"' }),
      '/healthy': () => ({ body: 'OK' }),
      '/readyz': () =>
        schedulers.announcedCount > 0
          ? { body: schedulers.reachable ? 'ready' : unreachableText }
          : { status: 503, body: 'no scheduler has taken this host yet' },
    },
  );
  owned.add('health server', server);
  controlPlane.addOwnPort(server.port, tcpListen.listen);
  return `${tcpListen.listen}:${server.port}`;
}

async function openMetrics({ owned, registry, controlPlane }: DaemonNode, address: string): Promise<string> {
  const separator = address.lastIndexOf(':');
  const [host, port] = [address.slice(0, separator), Number(address.slice(separator + 1))];
  const bound = { host: host || '0.0.0.0', port };
  const server = await StatusServer.listen(bound, { '/metrics': metricsRoute(registry) });
  owned.add('metrics server', server);
  controlPlane.addOwnPort(server.port, bound.host);
  return `${host || '127.0.0.1'}:${server.port}`;
}
