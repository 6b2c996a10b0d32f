/** A host is announced, held, changed and taken away by itself alone: by its certificate where it has one. */
import { DragonflyError } from '../core/errors.ts';
import { isOwnAddress, namesLoopback } from '../core/own-address.ts';
import { redact } from '../core/redact.ts';
import type { CallContext } from '../rpc/call-context.ts';
import { Host as HostMessage, type Host } from '../rpc/generated/common/v2/common.ts';
import { requireSpeaksFor } from '../rpc/rights.ts';
import { isSeed } from './host-registry.ts';
import { maxHostBytes } from './limits.ts';

/** Throws PERMISSION_DENIED. */
export function requireOwnHost(hostId: string, context: CallContext): void {
  requireSpeaksFor(context, { hostId, roles: ['peer', 'seed'] });
}

/** A seed says so in its certificate: others are sent to it first. Throws PERMISSION_DENIED, INVALID_ARGUMENT. */
export function requireAnnounceable(host: Host, context: CallContext): void {
  requireSpeaksFor(context, { hostId: host.id, roles: [isSeed(host) ? 'seed' : 'peer'] });
  const length = HostMessage.encode(host).finish().length;
  if (length > maxHostBytes)
    throw new DragonflyError(
      'INVALID_ARGUMENT',
      `host ${host.id} says ${length} bytes of itself, more than ${maxHostBytes}`,
    );
}

/** `http://localhost/x` of two machines are two things under one name. Throws PERMISSION_DENIED. */
export function requireShareable(url: string, callerAddress: string): void {
  if (!namesLoopback(url) || isOwnAddress(callerAddress)) return;
  throw new DragonflyError(
    'PERMISSION_DENIED',
    `${redact(url)} means the machine of the one who asks: nobody else can have it`,
    {
      hint: 'Download it without the scheduler, or give the service a name that others reach it by.',
    },
  );
}
