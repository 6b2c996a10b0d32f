/** Who answers at the gRPC port of a daemon: ours name their extensions with any answer. */
import type { Metadata } from '@grpc/grpc-js';
import type { Channels } from '../../rpc/channels.ts';
import { createClient } from '../../rpc/client.ts';
import { announcesSwarm } from '../../rpc/features.ts';
import { HealthDefinition } from '../../../gen/grpc/health/v1/health.ts';
import { reachabilityTimeoutMs } from '../limits.ts';

/** Never rejects. */
export async function daemonKind(
  channels: Channels,
  address: string,
  signal: AbortSignal,
): Promise<'ours' | 'original' | 'nobody'> {
  let isOurs = false;
  const onMetadata = (metadata: Metadata): void => void (isOurs = announcesSwarm(metadata));
  try {
    await channels.ready(address, { signal, timeoutMs: reachabilityTimeoutMs });
    const health = createClient(HealthDefinition, channels, address);
    await health.check({ service: '' }, { signal, timeoutMs: reachabilityTimeoutMs, onMetadata });
    return isOurs ? 'ours' : 'original';
  } catch {
    channels.drop(address);
    return 'nobody';
  }
}
