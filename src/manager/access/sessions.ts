/**
 * Sessions of signed-in users: a signed token that names a row. The row makes it revocable on every replica at once;
 * the signature rejects forged tokens without a query.
 */
import { createHash, randomBytes } from 'node:crypto';
import { jwtVerify, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import { DragonflyError } from '../../core/errors.ts';
import type { ChangeFeed } from '../db/change-feed.ts';
import type { Database } from '../db/database.ts';
import { maxRememberedCallers, maxSessionsPerUser, rememberCallerMs } from '../limits.ts';
import type { Caller } from './caller.ts';

export interface IssuedSession {
  readonly token: string;
  readonly expiresAt: Date;
}

interface SessionTimes {
  /** Lifetime of a token; refreshing issues a new one. */
  readonly timeoutMs: number;
  /** A session may be refreshed for this long after its token expired. */
  readonly maxRefreshMs: number;
}

const algorithm = 'HS256';

export class Sessions {
  readonly #database: Database;
  readonly #changes: ChangeFeed;
  readonly #key: Uint8Array;
  readonly #times: SessionTimes;
  /** Incremented whenever remembered callers may have become outdated, so that a look-up that began before is not remembered afterwards. */
  #generation = 0;
  readonly #known = new LRUCache<string, Caller>({ max: maxRememberedCallers, ttl: rememberCallerMs });

  constructor(database: Database, changes: ChangeFeed, key: Uint8Array, times: SessionTimes) {
    this.#database = database;
    this.#changes = changes;
    this.#key = key;
    this.#times = times;
    changes.subscribe(({ topic }) => {
      if (topic !== 'session' && topic !== 'user') return;
      this.#generation += 1;
      this.#known.clear();
    });
  }

  async issue(userId: number): Promise<IssuedSession> {
    const jti = randomBytes(24).toString('base64url');
    const now = Date.now();
    const expiresAt = new Date(now + this.#times.timeoutMs);
    await this.#database.db
      .insertInto('session')
      .values({ id: sessionId(jti), user_id: userId, created_at: now, expires_at: expiresAt.getTime() })
      .execute();
    await this.#endOldest(userId);
    const token = await new SignJWT({ id: userId, orig_iat: Math.floor(now / 1000) })
      .setProtectedHeader({ alg: algorithm, typ: 'JWT' })
      .setJti(jti)
      .setExpirationTime(expiresAt)
      .sign(this.#key);
    return { token, expiresAt };
  }

  /** Undefined when the token is forged, expired or revoked, or its user is disabled or deleted. */
  async verify(token: string): Promise<Caller | undefined> {
    const jti = await this.#verifiedId(token, 0);
    if (jti === undefined) return undefined;
    const id = sessionId(jti);
    const known = this.#known.get(id);
    if (known) return known;
    const generation = this.#generation;
    const row = await this.#database.db
      .selectFrom('session')
      .innerJoin('user', 'user.id', 'session.user_id')
      .select(['user.id as user_id', 'user.name', 'user.must_change_password'])
      .where('session.id', '=', id)
      .where('user.state', '=', 'enable')
      .executeTakeFirst();
    if (!row) return undefined;
    const caller: Caller = {
      kind: 'user',
      userId: row.user_id,
      name: row.name,
      mustChangePassword: row.must_change_password === 1,
      scopes: [],
      sessionId: id,
    };
    if (generation === this.#generation) this.#known.set(id, caller);
    return caller;
  }

  /** Exchanges a token for a new one; the old one ends. Throws UNAUTHENTICATED. */
  async refresh(token: string): Promise<IssuedSession> {
    const jti = await this.#verifiedId(token, this.#times.maxRefreshMs);
    const row =
      jti === undefined
        ? undefined
        : await this.#database.db
            .selectFrom('session')
            .innerJoin('user', 'user.id', 'session.user_id')
            .select(['session.id', 'session.user_id'])
            .where('session.id', '=', sessionId(jti))
            .where('user.state', '=', 'enable')
            .executeTakeFirst();
    if (!row) throw new DragonflyError('UNAUTHENTICATED', 'the session is over', { hint: 'Sign in again.' });
    const issued = await this.issue(row.user_id);
    await this.revoke(row.id);
    return issued;
  }

  async revoke(id: string): Promise<void> {
    await this.#changes.write('session', 0, (db) => db.deleteFrom('session').where('id', '=', id).execute());
  }

  async deleteExpired(): Promise<void> {
    const before = Date.now() - this.#times.maxRefreshMs;
    await this.#database.db.deleteFrom('session').where('expires_at', '<', before).execute();
  }

  async #verifiedId(token: string, toleranceMs: number): Promise<string | undefined> {
    try {
      const { payload } = await jwtVerify(token, this.#key, {
        algorithms: [algorithm],
        clockTolerance: toleranceMs / 1000,
      });
      return payload.jti;
    } catch {
      return undefined;
    }
  }

  async #endOldest(userId: number): Promise<void> {
    const { db } = this.#database;
    const surplus = await db
      .selectFrom('session')
      .select('id')
      .where('user_id', '=', userId)
      .orderBy('created_at', 'desc')
      .limit(1_000)
      .offset(maxSessionsPerUser)
      .execute();
    for (const { id } of surplus) await this.revoke(id);
  }
}

function sessionId(jti: string): string {
  return createHash('sha256').update(jti).digest('hex');
}
