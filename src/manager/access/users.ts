/** Accounts: who may sign in. Authorizer decides what they may do. */
import type { Selectable } from 'kysely';
import { LRUCache } from 'lru-cache';
import { DragonflyError } from '../../core/errors.ts';
import type { ChangeFeed } from '../db/change-feed.ts';
import type { Database } from '../db/database.ts';
import { uniqueOr, type Db } from '../db/engine.ts';
import type { UserTable } from '../db/schema.ts';
import { failedNetworkMs, firstLockMs, longestLockMs, maxFailedNetworks, maxSigninFailures } from '../limits.ts';
import { grantRole } from './authorizer.ts';
import { generatePassword, hashPassword, passwordMatches } from './passwords.ts';
import { rootRole } from './objects.ts';

export type User = Selectable<UserTable>;

export interface NewUser {
  readonly name: string;
  /** Undefined for accounts that only sign in through a provider. */
  readonly password: string | undefined;
  readonly email?: string | undefined;
  readonly phone?: string | undefined;
  readonly avatar?: string | undefined;
  readonly location?: string | undefined;
  readonly bio?: string | undefined;
}

export type UserChanges = Partial<Pick<User, 'email' | 'phone' | 'avatar' | 'location' | 'bio' | 'state'>>;

export const enabled = 'enable';
export const disabled = 'disable';

export class Users {
  readonly #database: Database;
  readonly #changes: ChangeFeed;
  /** Failures by account and network. */
  readonly #failed = new LRUCache<string, number>({ max: maxFailedNetworks, ttl: failedNetworkMs });

  /** Attempts under way, by account and network. */
  readonly #trying = new Map<string, number>();

  constructor(database: Database, changes: ChangeFeed) {
    this.#database = database;
    this.#changes = changes;
  }

  /**
   * Throws UNAUTHENTICATED without a reason, and RESOURCE_EXHAUSTED while the account is locked after failures. That holds for networks
   * that have failed as often: else whoever knows a name could keep its owner out. @param address of the caller
   */
  async signIn(name: string, password: string, address: string): Promise<User> {
    const user = await this.#byName(name);
    const now = Date.now();
    const from = `${user?.id ?? ''} ${networkOf(address)}`;
    const failures = this.#failed.get(from) ?? 0;
    if (user && user.locked_until > now && failures >= maxSigninFailures) {
      throw new DragonflyError('RESOURCE_EXHAUSTED', 'too many failed attempts', {
        hint: `Try again in ${Math.ceil((user.locked_until - now) / 1000)} seconds.`,
      });
    }
    const matches = await this.#atOnce(from, () => passwordMatches(password, user?.encrypted_password));
    if (user && matches && user.state === enabled) {
      this.#failed.delete(from);
      if (user.failed_signins > 0 && user.locked_until <= now)
        await this.#set(user.id, { failed_signins: 0, locked_until: 0 });
      return user;
    }
    if (user && !matches) {
      this.#failed.set(from, (this.#failed.get(from) ?? 0) + 1);
      await this.#countFailure(user.id);
    }
    throw new DragonflyError('UNAUTHENTICATED', 'name or password is wrong');
  }

  /** No more tries at once than may fail: none of those that run is counted yet. */
  async #atOnce<T>(from: string, attempt: () => Promise<T>): Promise<T> {
    const trying = this.#trying.get(from) ?? 0;
    if (trying >= maxSigninFailures)
      throw new DragonflyError('RESOURCE_EXHAUSTED', 'too many attempts at once', { hint: 'Try again in a second.' });
    this.#trying.set(from, trying + 1);
    try {
      return await attempt();
    } finally {
      const left = (this.#trying.get(from) ?? 1) - 1;
      if (left > 0) this.#trying.set(from, left);
      else this.#trying.delete(from);
    }
  }

  /** Throws ALREADY_EXISTS when name or email is taken. @returns the id. */
  async create(user: NewUser, role: string): Promise<number> {
    const encrypted = user.password === undefined ? '' : await hashPassword(user.password);
    return this.#changes.writeNew('user', (db) =>
      this.#insert(db, user, encrypted, { role, mustChangePassword: false }),
    );
  }

  /** Creates the first account of an installation. Undefined when there are accounts already. */
  async createRoot(
    password: string | undefined,
  ): Promise<{ name: string; password: string; generated: boolean } | undefined> {
    const { db } = this.#database;
    if (await db.selectFrom('user').select('id').limit(1).executeTakeFirst()) return undefined;
    const chosen = password ?? generatePassword();
    const encrypted = await hashPassword(chosen);
    const name = 'root';
    try {
      await this.#changes.writeNew('user', (transaction) =>
        this.#insert(transaction, { name, password: chosen }, encrypted, {
          role: rootRole,
          mustChangePassword: password === undefined,
        }),
      );
    } catch (error) {
      if (error instanceof DragonflyError && error.code === 'ALREADY_EXISTS') return undefined; // another replica was first
      throw error;
    }
    return { name, password: chosen, generated: password === undefined };
  }

  async get(id: number): Promise<User> {
    const user = await this.#database.db.selectFrom('user').selectAll().where('id', '=', id).executeTakeFirst();
    if (user) return user;
    throw new DragonflyError('NOT_FOUND', `there is no user ${id}`);
  }

  async update(id: number, changes: UserChanges): Promise<User> {
    await this.get(id);
    const email = changes.email === undefined ? {} : { email: changes.email === '' ? null : changes.email };
    await this.#changes.write('user', id, async (db) => {
      await uniqueOr('user', () =>
        db
          .updateTable('user')
          .set({ ...changes, ...email, updated_at: Date.now() })
          .where('id', '=', id)
          .execute(),
      );
      if (changes.state === disabled) await db.deleteFrom('session').where('user_id', '=', id).execute();
    });
    return this.get(id);
  }

  /** Also deletes the user's sessions and tokens. */
  async delete(id: number): Promise<void> {
    await this.get(id);
    await this.#changes.write('user', id, async (db) => {
      await db.deleteFrom('session').where('user_id', '=', id).execute();
      await db.deleteFrom('personal_access_token').where('user_id', '=', id).execute();
      await db.deleteFrom('oauth_identity').where('user_id', '=', id).execute();
      await db.deleteFrom('casbin_rule').where('ptype', '=', 'g').where('v0', '=', String(id)).execute();
      await db.deleteFrom('user').where('id', '=', id).execute();
      await this.#changes.record(db, 'role', 0);
      await this.#changes.record(db, 'token', 0);
    });
  }

  /** Ends every session of the user. Throws UNAUTHENTICATED when the old password is wrong. */
  async changePassword(
    id: number,
    { oldPassword, newPassword, address }: { oldPassword: string; newPassword: string; address: string },
  ): Promise<void> {
    const known = await this.#database.db.selectFrom('user').selectAll().where('id', '=', id).executeTakeFirst();
    const user = await this.signIn(known?.name ?? '', oldPassword, address);
    const encrypted = await hashPassword(newPassword);
    await this.#changes.write('session', id, async (db) => {
      await db
        .updateTable('user')
        .set({ encrypted_password: encrypted, must_change_password: 0, updated_at: Date.now() })
        .where('id', '=', user.id)
        .execute();
      await db.deleteFrom('session').where('user_id', '=', user.id).execute();
      await this.#changes.record(db, 'user', user.id);
    });
  }

  async #insert(
    db: Db,
    user: NewUser,
    encrypted: string,
    { role, mustChangePassword }: { role: string; mustChangePassword: boolean },
  ): Promise<number> {
    const now = Date.now();
    const id = await this.#database.insert(
      'user',
      {
        name: user.name,
        email: user.email === undefined || user.email === '' ? null : user.email,
        encrypted_password: encrypted,
        phone: user.phone ?? '',
        avatar: user.avatar ?? '',
        location: user.location ?? '',
        bio: user.bio ?? '',
        state: enabled,
        must_change_password: mustChangePassword ? 1 : 0,
        failed_signins: 0,
        locked_until: 0,
        created_at: now,
        updated_at: now,
      },
      db,
    );
    await grantRole(db, id, role);
    await this.#changes.record(db, 'role', 0);
    return id;
  }

  async #byName(name: string): Promise<User | undefined> {
    return this.#database.db.selectFrom('user').selectAll().where('name', '=', name).executeTakeFirst();
  }

  async #countFailure(id: number): Promise<void> {
    await this.#database.transaction(async (db) => {
      await db
        .updateTable('user')
        .set((e) => ({ failed_signins: e('failed_signins', '+', 1) }))
        .where('id', '=', id)
        .execute();
      const { failed_signins: failures } = await db
        .selectFrom('user')
        .select('failed_signins')
        .where('id', '=', id)
        .executeTakeFirstOrThrow();
      if (failures < maxSigninFailures) return;
      const lockMs = Math.min(firstLockMs * 2 ** Math.min(failures - maxSigninFailures, 10), longestLockMs);
      await db
        .updateTable('user')
        .set({ locked_until: Date.now() + lockMs })
        .where('id', '=', id)
        .execute();
    });
  }

  async #set(id: number, values: { failed_signins: number; locked_until: number }): Promise<void> {
    await this.#database.db.updateTable('user').set(values).where('id', '=', id).execute();
  }
}

/** Of IPv6 the part that a network is given: its machines choose the rest. */
function networkOf(address: string): string {
  if (!address.includes(':') || address.includes('.')) return address;
  const [head = '', tail] = address.split('::');
  const words = head.split(':');
  const rest = tail === undefined ? [] : tail.split(':');
  while (tail !== undefined && words.length + rest.length < 8) words.push('0');
  return [...words, ...rest].slice(0, 4).join(':');
}
