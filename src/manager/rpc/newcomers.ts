/**
 * Which unknown schedulers and seed peers may register: every daemon is sent to them. Where that requires no proof, it
 * is logged, and the number per address is limited.
 */
import { DragonflyError } from '../../core/errors.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { CallContext } from '../../rpc/call-context.ts';
import type { MemberKey, MemberKind, Members } from '../clusters/members.ts';
import { maxMembers, maxNewcomersPerAddress } from '../limits.ts';

export interface NewcomersOptions {
  readonly members: Pick<Members, 'find' | 'count'>;
  /** Whether they have to present a certificate, or need a row created by an operator. */
  readonly certified: boolean;
  readonly logger: Logger;
}

export class Newcomers {
  readonly #options: NewcomersOptions;

  constructor(options: NewcomersOptions) {
    this.#options = options;
  }

  /** Throws PERMISSION_DENIED, RESOURCE_EXHAUSTED. */
  async admit(kind: MemberKind, key: MemberKey, { caller, peerHost }: CallContext): Promise<void> {
    const { members, certified, logger } = this.#options;
    if (caller.kind === 'local' || (caller.kind === 'member' && caller.proof === 'certificate')) return;
    if ((await members.find(kind, key)) !== undefined) return;
    if (certified)
      throw new DragonflyError('PERMISSION_DENIED', `${peerHost} is not known and shows no certificate`, {
        hint: 'Give it a certificate (security.autoIssueCert, tlsPolicy prefer), create its row in the console, or set security.newMembers of the manager to any.',
      });
    const isFull =
      (await members.count(kind)) >= maxMembers ||
      (!caller.onThisMachine && (await members.count(kind, key.ip)) >= maxNewcomersPerAddress);
    if (isFull)
      throw new DragonflyError('RESOURCE_EXHAUSTED', `${peerHost} has registered as many members as it may`, {
        hint: 'Those that are silent are forgotten after liveness.forgetAfter. A member with a certificate is not counted.',
      });
    logger.warn(
      { kind, ...key, from: peerHost },
      'a member that nobody knew has registered without a certificate, and all daemons are told of it: security.newMembers certified refuses that',
    );
  }
}
