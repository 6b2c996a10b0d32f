/** Who may call what: one table per service, read at the border before anything else is done for the caller. */
import type { Metadata } from '@grpc/grpc-js';
import { DragonflyError } from '../core/errors.ts';
import type { Caller, MemberRole } from './caller.ts';
import type { ServiceDefinition } from './definition.ts';
import type { MemberIdentity } from './member-identity.ts';

/** `stranger`: reaches the port, and shows nothing. A table that names it is open wherever plain text is taken. */
export type CallerRole = MemberRole | 'local' | 'stranger';

/** By method. Nobody may call what is not in it. */
export type Access<S extends ServiceDefinition> = { readonly [K in keyof S['methods']]?: readonly CallerRole[] };

/** What is known of a caller over TCP. */
export interface CallerFacts {
  /** Without a port. */
  readonly address: string;
  readonly onThisMachine: boolean;
  /** By a certificate that was verified. */
  readonly identity: MemberIdentity | undefined;
  readonly metadata: Metadata;
}

export type Recognize = (facts: CallerFacts) => Caller | Promise<Caller>;

const members: readonly MemberRole[] = ['peer', 'seed', 'scheduler', 'manager'];
export const controlPlane: readonly MemberRole[] = ['scheduler', 'manager'];
export const anyone: readonly CallerRole[] = [...members, 'local', 'stranger'];

export function recognizeByCertificate({ address, onThisMachine, identity }: CallerFacts): Caller {
  if (!identity) return { kind: 'stranger', address, onThisMachine };
  return { kind: 'member', ...identity, proof: 'certificate', address, onThisMachine };
}

export function roleOf(caller: Caller): CallerRole {
  if (caller.kind === 'member') return caller.role;
  return caller.kind === 'local' ? 'local' : 'stranger';
}

/** Throws PERMISSION_DENIED. */
export function requireMay(caller: Caller, roles: readonly CallerRole[], method: string): void {
  const role = roleOf(caller);
  if (roles.includes(role)) return;
  const who = role === 'stranger' ? 'somebody who shows no certificate or key' : `a ${role}`;
  throw new DragonflyError('PERMISSION_DENIED', `${method} is not for ${who}`, {
    hint: `It is for: ${roles.length === 0 ? 'nobody over this port' : roles.join(', ')}. See docs/security.md.`,
  });
}
