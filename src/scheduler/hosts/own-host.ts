/**
 * A host is announced, held, changed and removed only by itself: it is recognised by its certificate if it has one,
 * otherwise by the address it was announced from. A caller without a certificate cannot speak for a host that has
 * presented one.
 */
import { DragonflyError } from '../../core/errors.ts';
import { isOwnAddress, namesLoopback } from '../../core/net/own-address.ts';
import { redact } from '../../core/redact.ts';
import type { CallContext } from '../../rpc/call-context.ts';
import { Host as HostMessage, type Host } from '../../../gen/common/v2/common.ts';
import { requireSpeaksFor } from '../../rpc/rights.ts';
import type { HostInfo } from '../../swarm/shared/events.ts';
import type { Brain } from '../brain.ts';
import { isSeed, type HostOwner } from './host-registry.ts';
import { maxHostBytes } from '../limits.ts';

type Calling = Pick<CallContext, 'caller' | 'identityRequired' | 'peerHost'>;

/** Throws PERMISSION_DENIED. */
export function requireOwnHost(hostId: string, context: Calling, brain: Pick<Brain, 'hosts' | 'swarm'>): void {
  requireSpeaksFor(context, { hostId, roles: ['peer', 'seed'] });
  const known = brain.hosts.get(hostId);
  const now = ownerOf(context);
  if (!known || now.isCertified) return;
  const { owner, holders, introduced } = known;
  if (introduced) return requireIntroduced(hostId, owner, now);
  if (owner.address === now.address && (!owner.isCertified || holders === 0)) return;
  const isWeak = !owner.isCertified && !isNamedBy(hostId, owner);
  if (isWeak && isNamedBy(hostId, now)) return;
  if (!owner.isCertified && holders === 0 && isOverdue(brain.swarm.host(hostId))) return;
  throw new DragonflyError(
    'PERMISSION_DENIED',
    owner.isCertified
      ? `${hostId} has shown a certificate, and this caller shows none`
      : `${hostId} was announced from ${owner.address || "the scheduler's own machine"}, and lives`,
    { hint: 'A host that has moved is taken over when the old one is silent. See docs/security.md.' },
  );
}

/** What others told of a host lets it speak from where they said it is. Everybody else meets a host that is not announced. */
function requireIntroduced(hostId: string, owner: HostOwner, now: HostOwner): void {
  if (owner.address === now.address) return;
  throw new DragonflyError('HOST_UNKNOWN', `host ${hostId} is not announced`, {
    hint: 'Announce the host before anything else.',
  });
}

/** What tasks there are is for members, services and programs of this machine, and for machines with a node. Throws PERMISSION_DENIED. */
export function requireNode(context: Calling, { hosts }: Pick<Brain, 'hosts'>): void {
  const { address } = ownerOf(context);
  if (context.caller.kind === 'member' || address === '' || hosts.isKnownAddress(address)) return;
  throw new DragonflyError('PERMISSION_DENIED', `no node was announced from ${address}`);
}

/** A seed's word opens content to everyone, so it has to prove that the operator has made it a seed. Throws PERMISSION_DENIED. */
export function requireSeed({ caller }: Calling): true {
  if (caller.kind === 'member' && caller.proof === 'certificate' && caller.role === 'seed') return true;
  throw new DragonflyError('PERMISSION_DENIED', 'only a seed, by its certificate, says what is open to everybody');
}

/** The caller's identity as far as he proves it. */
export function ownerOf({ caller, peerHost }: Calling): HostOwner {
  const isCertified = caller.kind === 'member' && caller.proof === 'certificate';
  return { isCertified, address: peerHost === '' || isOwnAddress(peerHost) ? '' : peerHost };
}

/** Host ids begin with the address of their host, and nobody can call from another host's address. */
function isNamedBy(hostId: string, { address }: HostOwner): boolean {
  return address === '' || hostId.startsWith(`${address}-`);
}

/** True when an announcement of the host failed to come. */
function isOverdue(host: { readonly lastSeenMs: number; readonly info: HostInfo } | undefined): boolean {
  return host === undefined || performance.now() - host.lastSeenMs > 1.5 * host.info.announceIntervalMs;
}

/** The certificate must say that the host is a seed, because others are sent to seeds first. Throws PERMISSION_DENIED, INVALID_ARGUMENT. */
export function requireAnnounceable(host: Host, context: Calling, brain: Pick<Brain, 'hosts' | 'swarm'>): void {
  requireSpeaksFor(context, { hostId: host.id, roles: [isSeed(host) ? 'seed' : 'peer'] });
  // Its own word takes the place of what others told, wherever it calls from, as that of a host nobody knew.
  if (brain.hosts.get(host.id)?.introduced !== true) requireOwnHost(host.id, context, brain);
  requireOwnPlace(host, context);
  const length = HostMessage.encode(host).finish().length;
  if (length > maxHostBytes)
    throw new DragonflyError(
      'INVALID_ARGUMENT',
      `host ${host.id} says ${length} bytes of itself, more than ${maxHostBytes}`,
    );
  brain.hosts.requireRoom(host, ownerOf(context));
}

/**
 * Others, and this scheduler, connect to the address a host announces. A certificate is issued for a name and an
 * address, and the host id is made of these, so its holder cannot direct anybody elsewhere.
 */
function requireOwnPlace({ id, ip }: Host, context: Calling): void {
  if (!ownerOf(context).isCertified || id.startsWith(`${ip}-`)) return;
  throw new DragonflyError('PERMISSION_DENIED', `${id} has no certificate for ${ip}, which it announces`, {
    hint: 'Set host.advertiseIP to the address that others reach it by, and let the manager issue a certificate for it.',
  });
}

/** `http://localhost/x` on two machines means two different things. Throws PERMISSION_DENIED. */
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
