/**
 * Services of a cluster say of each HTTP answer that it is theirs. A node hands no such answer on: metrics and health of machines that its callers cannot
 * reach are for whoever can ask there. Addresses alone would not do: a node knows of few others.
 */
import { DragonflyError } from '../errors.ts';

export const serviceHeader = 'x-dragonfly-service';

/**
 * Throws PERMISSION_DENIED for an answer of a service.
 * @param header lower-case names
 */
export function refuseService(host: string, header: Readonly<Record<string, unknown>>): void {
  if (header[serviceHeader] === undefined) return;
  throw new DragonflyError('PERMISSION_DENIED', `${host} is a service of a cluster, and no origin`, {
    hint: 'Ask it directly, not through a node (NO_PROXY).',
  });
}
