/** What tells how a daemon is: health and readiness, and the metrics where configured. */
import type { Owned } from '../core/lifecycle.ts';
import { metricsRoute, StatusServer, type Registry } from '../core/metrics.ts';
import type { ReadyAddresses } from '../core/ready.ts';
import { portNumber, type DfdaemonConfig } from './config.ts';

export interface StatusServers {
  /** Where they are bound. */
  readonly ports: readonly { readonly port: number; readonly address: string }[];
  readonly addresses: ReadyAddresses;
}

/** What readiness says of a node that takes and cannot give. */
export const unreachableText = 'ready, but other nodes cannot reach this one';

/** Throws IN_USE. */
export async function openStatusServers(
  { health, metrics }: DfdaemonConfig,
  {
    owned,
    registry,
    isReady,
    isReachable,
  }: {
    readonly owned: Owned;
    readonly registry: Registry;
    readonly isReady: () => boolean;
    readonly isReachable: () => boolean;
  },
): Promise<StatusServers> {
  const healthServer = await StatusServer.listen(
    { host: health.tcpListen.listen, port: portNumber(health.tcpListen.port) },
    {
      [health.path]: () => ({ type: 'application/json; charset=utf-8', body: '"OK"' }),
      '/healthy': () => ({ body: 'OK' }),
      '/readyz': () =>
        isReady()
          ? { body: isReachable() ? 'ready' : unreachableText }
          : { status: 503, body: 'no scheduler has taken this host yet' },
    },
  );
  owned.add('health server', healthServer);
  const addresses = { health: `${health.tcpListen.listen}:${healthServer.port}` };
  const healthPort = { port: healthServer.port, address: health.tcpListen.listen };
  if (metrics === '') return { ports: [healthPort], addresses };
  const separator = metrics.lastIndexOf(':');
  const [host, port] = [metrics.slice(0, separator), Number(metrics.slice(separator + 1))];
  const metricsServer = await StatusServer.listen(
    { host: host || '0.0.0.0', port },
    { '/metrics': metricsRoute(registry) },
  );
  owned.add('metrics server', metricsServer);
  return {
    ports: [healthPort, { port: metricsServer.port, address: host || '0.0.0.0' }],
    addresses: { ...addresses, metrics: `${host || '127.0.0.1'}:${metricsServer.port}` },
  };
}
