/**
 * Services of a cluster mark every HTTP answer as their own. A node never passes such an answer on: metrics and health
 * of machines that its callers cannot reach are not for them. Checking addresses would not suffice, since a node knows
 * few others.
 */
import { DragonflyError } from '../errors.ts';

export const serviceHeader = 'x-dragonfly-service';

/** Throws PERMISSION_DENIED for a service's answer. @param header lower-case names */
export function refuseService(host: string, header: Readonly<Record<string, unknown>>): void {
  if (header[serviceHeader] === undefined) return;
  throw new DragonflyError('PERMISSION_DENIED', `${host} is a service of a cluster, and no origin`, {
    hint: 'Ask it directly, not through a node (NO_PROXY).',
  });
}
