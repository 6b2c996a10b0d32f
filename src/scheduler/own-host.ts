/** A host is announced, held, changed and taken away by itself alone: by its certificate where it has one. */
import type { CallContext } from '../rpc/call-context.ts';
import type { Host } from '../rpc/generated/common/v2/common.ts';
import { requireSpeaksFor } from '../rpc/rights.ts';
import { isSeed } from './host-registry.ts';

/** Throws PERMISSION_DENIED. */
export function requireOwnHost(hostId: string, context: CallContext): void {
  requireSpeaksFor(context, { hostId, roles: ['peer', 'seed'] });
}

/** A seed says so in its certificate: others are sent to it first. Throws PERMISSION_DENIED. */
export function requireAnnounceable(host: Host, context: CallContext): void {
  requireSpeaksFor(context, { hostId: host.id, roles: [isSeed(host) ? 'seed' : 'peer'] });
}
