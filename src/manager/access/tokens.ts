/** Personal access tokens: shown once at creation, stored as an HMAC, limited by scopes, expiry and their owner's rights. */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { Selectable } from 'kysely';
import { LRUCache } from 'lru-cache';
import { DragonflyError } from '../../core/errors.ts';
import { parseJson } from '../clusters/types.ts';
import type { ChangeFeed } from '../db/change-feed.ts';
import type { Database } from '../db/database.ts';
import { uniqueOr } from '../db/engine.ts';
import type { PersonalAccessTokenTable } from '../db/schema.ts';
import { maxRememberedCallers, rememberCallerMs } from '../limits.ts';
import type { Caller } from './caller.ts';
import type { Sealer } from './sealer.ts';

export const tokenScopes = ['job', 'cluster'] as const;
export type TokenScope = (typeof tokenScopes)[number];

export type TokenRow = Selectable<PersonalAccessTokenTable>;

export interface NewToken {
  readonly name: string;
  readonly bio: string;
  readonly scopes: readonly TokenScope[];
  readonly expiredAt: Date;
  readonly userId: number;
}

export type TokenChanges = Partial<{
  bio: string;
  scopes: readonly TokenScope[];
  state: 'active' | 'inactive';
  expiredAt: Date;
}>;

/** 48 characters, as long as the original's. */
const tokenBytes = 36;

export class Tokens {
  readonly #database: Database;
  readonly #changes: ChangeFeed;
  readonly #sealer: Sealer;
  #generation = 0;
  readonly #known = new LRUCache<string, TokenRow>({ max: maxRememberedCallers, ttl: rememberCallerMs });

  constructor(database: Database, changes: ChangeFeed, sealer: Sealer) {
    this.#database = database;
    this.#changes = changes;
    this.#sealer = sealer;
    changes.subscribe(({ topic }) => {
      if (topic !== 'token' && topic !== 'user') return;
      this.#generation += 1;
      this.#known.clear();
    });
  }

  /** @param value only for tokens from the operator's environment; otherwise one is generated. @returns the id and the token. */
  async create(
    token: NewToken,
    value: string = randomBytes(tokenBytes).toString('base64url'),
  ): Promise<{ id: number; value: string }> {
    const now = Date.now();
    const id = await this.#changes.writeNew('token', (db) =>
      this.#database.insert(
        'personal_access_token',
        {
          name: token.name,
          bio: token.bio,
          scopes: JSON.stringify(token.scopes),
          state: 'active',
          expired_at: token.expiredAt.getTime(),
          user_id: token.userId,
          token_hash: this.#sealer.tokenHash(value),
          created_at: now,
          updated_at: now,
        },
        db,
      ),
    );
    return { id, value };
  }

  async get(id: number): Promise<TokenRow> {
    const row = await this.#database.db
      .selectFrom('personal_access_token')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirst();
    if (row) return row;
    throw new DragonflyError('NOT_FOUND', `there is no personal access token ${id}`);
  }

  async update(id: number, changes: TokenChanges): Promise<TokenRow> {
    await this.get(id);
    await this.#changes.write('token', id, (db) =>
      uniqueOr('token', () =>
        db
          .updateTable('personal_access_token')
          .set({
            ...(changes.bio === undefined ? {} : { bio: changes.bio }),
            ...(changes.scopes === undefined ? {} : { scopes: JSON.stringify(changes.scopes) }),
            ...(changes.state === undefined ? {} : { state: changes.state }),
            ...(changes.expiredAt === undefined ? {} : { expired_at: changes.expiredAt.getTime() }),
            updated_at: Date.now(),
          })
          .where('id', '=', id)
          .execute(),
      ),
    );
    return this.get(id);
  }

  async delete(id: number): Promise<void> {
    await this.get(id);
    await this.#changes.write('token', id, (db) =>
      db.deleteFrom('personal_access_token').where('id', '=', id).execute(),
    );
  }

  /** Throws UNAUTHENTICATED for an unknown token, PERMISSION_DENIED for one that is disabled, expired or lacks the scope. */
  async verify(value: string, scope: TokenScope): Promise<Caller> {
    const row = await this.#lookUp(this.#sealer.tokenHash(value));
    if (!row) throw new DragonflyError('UNAUTHENTICATED', 'Invalid token');
    if (row.state !== 'active') throw new DragonflyError('PERMISSION_DENIED', 'Token is inactive');
    if (row.expired_at <= Date.now()) throw new DragonflyError('PERMISSION_DENIED', 'Token has expired');
    const scopes = parseJson<string[]>(row.scopes, []);
    if (scopes.length > 0 && !scopes.includes(scope)) {
      throw new DragonflyError('PERMISSION_DENIED', `Token does not have the scope ${scope}`);
    }
    return { kind: 'token', userId: row.user_id, name: row.name, mustChangePassword: false, scopes };
  }

  async #lookUp(hash: string): Promise<TokenRow | undefined> {
    const known = this.#known.get(hash);
    if (known) return known;
    const generation = this.#generation;
    const row = await this.#database.db
      .selectFrom('personal_access_token')
      .innerJoin('user', 'user.id', 'personal_access_token.user_id')
      .selectAll('personal_access_token')
      .where('token_hash', '=', hash)
      .where('user.state', '=', 'enable')
      .executeTakeFirst();
    if (!row || !timingSafeEqual(Buffer.from(row.token_hash), Buffer.from(hash))) return undefined;
    if (generation === this.#generation) this.#known.set(hash, row);
    return row;
  }
}
