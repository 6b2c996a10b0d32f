/** Tokens that entitle new members to join: shown once at creation, stored as an HMAC. */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { DragonflyError } from '../../core/errors.ts';
import type { Sealer } from '../access/sealer.ts';
import type { Database } from '../db/database.ts';

const tokenBytes = 32;

/** The role a token grants to its bearer; `any`: the role the bearer asks for. */
export const joinRoles = ['any', 'peer', 'seed', 'scheduler'] as const;
export type JoinRole = (typeof joinRoles)[number];

export interface NewJoinToken {
  readonly name: string;
  readonly bio: string;
  readonly role: JoinRole;
  readonly expiredAt: Date;
  readonly userId: number;
}

export class JoinTokens {
  readonly #database: Database;
  readonly #sealer: Sealer;
  readonly #configured: string | undefined;

  /** @param configured a token from the configuration, valid as long as it is configured. */
  constructor(database: Database, sealer: Sealer, configured: string | undefined) {
    this.#database = database;
    this.#sealer = sealer;
    this.#configured = configured === undefined || configured === '' ? undefined : sealer.tokenHash(configured);
  }

  /** Throws ALREADY_EXISTS. */
  async create(token: NewJoinToken): Promise<{ id: number; value: string }> {
    const value = randomBytes(tokenBytes).toString('base64url');
    const now = Date.now();
    const id = await this.#database.insert('join_token', {
      name: token.name,
      bio: token.bio,
      role: token.role,
      token_hash: this.#sealer.tokenHash(value),
      expired_at: token.expiredAt.getTime(),
      user_id: token.userId,
      created_at: now,
      updated_at: now,
    });
    return { id, value };
  }

  /** Resolves with the token's role; a configured token allows any role. Throws UNAUTHENTICATED. */
  async verify(token: string): Promise<JoinRole> {
    const hash = this.#sealer.tokenHash(token);
    if (this.#configured !== undefined && timingSafeEqual(Buffer.from(hash), Buffer.from(this.#configured)))
      return 'any';
    const row = await this.#database.db
      .selectFrom('join_token')
      .select('role')
      .where('token_hash', '=', hash)
      .where('expired_at', '>', Date.now())
      .executeTakeFirst();
    if (!row) throw new DragonflyError('UNAUTHENTICATED', 'the join token is unknown or has expired');
    return joinRoles.find((role) => role === row.role) ?? 'any';
  }
}
