/** Which caller may call what: one table per service, checked before anything else. */
import type { Metadata } from '@grpc/grpc-js';
import { DragonflyError } from '../core/errors.ts';
import type { Caller, MemberRole } from './server/caller.ts';
import type { ServiceDefinition } from './definition.ts';
import type { MemberIdentity } from './member-identity.ts';

/**
 * `stranger`: any unidentified caller; a table that lists it is open wherever plain text is accepted. `neighbour`: a
 * stranger on the service's own machine, with some additional rights.
 */
export type CallerRole = MemberRole | 'local' | 'neighbour' | 'stranger';

/** By method; complete for all methods with a handler. */
export type Access<S extends ServiceDefinition> = { readonly [K in keyof S['methods']]?: readonly CallerRole[] };

/** Facts about a caller over TCP. */
export interface CallerFacts {
  /** Without a port. */
  readonly address: string;
  readonly onThisMachine: boolean;
  /** From a verified certificate. */
  readonly identity: MemberIdentity | undefined;
  readonly metadata: Metadata;
}

export type Recognize = (facts: CallerFacts) => Caller | Promise<Caller>;

export const controlPlane: readonly MemberRole[] = ['scheduler', 'manager'];
/** Peers and seeds; without certificates, any caller that claims to be one. */
export const nodes: readonly CallerRole[] = ['peer', 'seed', 'stranger'];
export const anyone: readonly CallerRole[] = [...nodes, ...controlPlane, 'local'];

export function recognizeByCertificate({ address, onThisMachine, identity }: CallerFacts): Caller {
  if (!identity) return { kind: 'stranger', address, onThisMachine };
  return { kind: 'member', ...identity, proof: 'certificate', address, onThisMachine };
}

/** A certificate states all roles of its holder. Roles known by key or address are additional, since others may share the machine. */
export function rolesOf(caller: Caller): readonly CallerRole[] {
  if (caller.kind === 'local') return ['local'];
  const open: readonly CallerRole[] = caller.onThisMachine ? ['neighbour', 'stranger'] : ['stranger'];
  if (caller.kind !== 'member') return open;
  return caller.proof === 'certificate' ? [caller.role] : [caller.role, ...open];
}

/** The host or service in whose name a call is made. */
export interface Claim {
  /** As in MemberIdentity; compared case-insensitively, like host names. */
  readonly hostId: string;
  /** Roles that may act for it. */
  readonly roles: readonly MemberRole[];
  /** The cluster that it must belong to. */
  readonly clusterId?: number;
}

/**
 * A member may only act for itself. An unidentified caller is believed only where the port accepts such callers: throws
 * PERMISSION_DENIED otherwise.
 */
export function requireSpeaksFor(
  { caller, identityRequired }: { readonly caller: Caller; readonly identityRequired: boolean },
  { hostId, roles, clusterId }: Claim,
): void {
  if (caller.kind !== 'member' || caller.proof !== 'certificate') {
    if (!identityRequired) return;
    throw new DragonflyError(
      'PERMISSION_DENIED',
      `only ${hostId} itself may say this, and the caller shows no identity`,
      {
        hint: 'Delete identity/node.pem of the service and start it again: the manager issues a certificate with an identity.',
      },
    );
  }
  const isMember = clusterId === undefined || caller.clusterId === clusterId;
  if (isMember && roles.includes(caller.role) && caller.hostId?.toLowerCase() === hostId.toLowerCase()) return;
  throw new DragonflyError(
    'PERMISSION_DENIED',
    `${caller.role} ${caller.hostId ?? ''} of cluster ${caller.clusterId ?? 0} may not speak for ${hostId}`,
  );
}

/** Throws PERMISSION_DENIED. */
export function requireMay(caller: Caller, allowed: readonly CallerRole[], method: string): void {
  const roles = rolesOf(caller);
  if (roles.some((role) => allowed.includes(role))) return;
  const who = roles.includes('stranger') ? 'somebody who shows no certificate or key' : `a ${roles[0]}`;
  throw new DragonflyError('PERMISSION_DENIED', `${method} is not for ${who}`, {
    hint: `It is for: ${allowed.length === 0 ? 'nobody over this port' : allowed.join(', ')}. See docs/security.md.`,
  });
}
