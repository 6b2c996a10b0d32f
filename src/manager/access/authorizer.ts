/** Roles and their rights: the original's casbin model over the `casbin_rule` table, reloaded when any replica changes it. */
import { newEnforcer, newModelFromString, type Enforcer } from 'casbin';
import { DragonflyError } from '../../core/errors.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { ChangeFeed } from '../db/change-feed.ts';
import type { Database } from '../db/database.ts';
import { isUniqueViolation, type Db } from '../db/engine.ts';
import { guestObjects, guestRole, objects, rootRole, type AccessAction, type AccessObject } from './objects.ts';

const model = `
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = g(r.sub, p.sub) && r.obj == p.obj && (r.act == p.act || p.act == '*')
`;

export interface Permission {
  readonly object: string;
  readonly action: string;
}

type Rule = readonly [ptype: 'p' | 'g', ...values: string[]];

export class Authorizer {
  readonly #database: Database;
  readonly #changes: ChangeFeed;
  readonly #logger: Logger;
  #enforcer: Promise<Enforcer>;

  private constructor(database: Database, changes: ChangeFeed, logger: Logger) {
    this.#database = database;
    this.#changes = changes;
    this.#logger = logger;
    this.#enforcer = this.#load();
    changes.subscribe(({ topic }) => {
      if (topic === 'role') this.#reload();
    });
  }

  /** Ensures that root has every right. */
  static async create(database: Database, changes: ChangeFeed, logger: Logger): Promise<Authorizer> {
    for (const object of objects) await addRule(database.db, ['p', rootRole, object, '*']);
    const anyGuest = await database.db
      .selectFrom('casbin_rule')
      .select('id')
      .where('v0', '=', guestRole)
      .executeTakeFirst();
    if (!anyGuest) for (const object of guestObjects) await addRule(database.db, ['p', guestRole, object, 'read']);
    const authorizer = new Authorizer(database, changes, logger);
    await authorizer.#enforcer;
    return authorizer;
  }

  async allows(userId: number, object: AccessObject, action: AccessAction): Promise<boolean> {
    const enforcer = await this.#enforcer;
    return enforcer.enforce(String(userId), object, action);
  }

  /** The combined rights of all roles of the user. */
  async rightsOf(userId: number): Promise<Permission[]> {
    const roles = await this.rolesOf(userId);
    if (roles.length === 0) return [];
    const rows = await this.#rules('p').where('v0', 'in', roles).execute();
    return rows.map((row) => ({ object: row.v1, action: row.v2 }));
  }

  /** Nobody may grant, change or revoke rights that he does not have himself: throws PERMISSION_DENIED. */
  async requireRights(userId: number, permissions: readonly Permission[]): Promise<void> {
    if ((await this.rolesOf(userId)).includes(rootRole)) return;
    const enforcer = await this.#enforcer;
    for (const { object, action } of permissions) {
      if (await enforcer.enforce(String(userId), object, action)) continue;
      throw new DragonflyError(
        'PERMISSION_DENIED',
        `this is about the right ${object}:${action}, which you do not have`,
        {
          hint: 'Ask somebody whose roles have it.',
        },
      );
    }
  }

  async rolesOf(userId: number): Promise<string[]> {
    const rows = await this.#rules('g').where('v0', '=', String(userId)).execute();
    return rows.map((row) => row.v1);
  }

  /** Roles by name. */
  async roles(): Promise<string[]> {
    const rows = await this.#rules('p').execute();
    return [...new Set(rows.map((row) => row.v0))].sort();
  }

  /** Throws NOT_FOUND when there is no such role. */
  async permissions(role: string): Promise<Permission[]> {
    const rows = await this.#rules('p').where('v0', '=', role).execute();
    if (rows.length === 0) throw notFound(role);
    return rows.map((row) => ({ object: row.v1, action: row.v2 }));
  }

  /** Throws ALREADY_EXISTS when the role exists. */
  async createRole(role: string, permissions: readonly Permission[]): Promise<void> {
    await this.#write(async (db) => {
      const known = await db
        .selectFrom('casbin_rule')
        .select('id')
        .where('ptype', '=', 'p')
        .where('v0', '=', role)
        .executeTakeFirst();
      if (known) throw new DragonflyError('ALREADY_EXISTS', `the role ${role} already exists`);
      for (const { object, action } of permissions) await addRule(db, ['p', role, object, action]);
    });
  }

  /** Removes the role, also from its users. Throws NOT_FOUND, and FAILED_PRECONDITION for root. */
  async deleteRole(role: string): Promise<void> {
    if (role === rootRole) throw rootStays();
    await this.#write(async (db) => {
      const { numDeletedRows } = await db
        .deleteFrom('casbin_rule')
        .where('ptype', '=', 'p')
        .where('v0', '=', role)
        .executeTakeFirst();
      if (numDeletedRows === 0n) throw notFound(role);
      await db.deleteFrom('casbin_rule').where('ptype', '=', 'g').where('v1', '=', role).execute();
    });
  }

  /** Throws ALREADY_EXISTS when the role has it. */
  async addPermission(role: string, { object, action }: Permission): Promise<void> {
    await this.permissions(role);
    await this.#write(async (db) => {
      if (await addRule(db, ['p', role, object, action])) return;
      throw new DragonflyError('ALREADY_EXISTS', `the role ${role} already has this permission`);
    });
  }

  /** Throws NOT_FOUND when the role does not have it. */
  async removePermission(role: string, { object, action }: Permission): Promise<void> {
    if (role === rootRole) throw rootStays();
    await this.#write((db) =>
      removeRule(db, ['p', role, object, action], `the role ${role} does not have this permission`),
    );
  }

  /** Throws NOT_FOUND when there is no such role, ALREADY_EXISTS when the user has it. */
  async grant(userId: number, role: string): Promise<void> {
    await this.permissions(role);
    await this.#write(async (db) => {
      if (await addRule(db, ['g', String(userId), role])) return;
      throw new DragonflyError('ALREADY_EXISTS', `the user already has the role ${role}`);
    });
  }

  /** Throws NOT_FOUND when the user does not have it, FAILED_PRECONDITION when no root user would remain. */
  async revoke(userId: number, role: string): Promise<void> {
    await this.#write(async (db) => {
      await removeRule(db, ['g', String(userId), role], `the user does not have the role ${role}`);
      if (role !== rootRole) return;
      const left = await db
        .selectFrom('casbin_rule')
        .select('id')
        .where('ptype', '=', 'g')
        .where('v1', '=', role)
        .executeTakeFirst();
      if (!left) throw new DragonflyError('FAILED_PRECONDITION', 'the last root cannot be taken away');
    });
  }

  async #write(work: (db: Db) => Promise<void>): Promise<void> {
    await this.#changes.write('role', 0, work);
  }

  #rules(ptype: 'p' | 'g') {
    return this.#database.db.selectFrom('casbin_rule').selectAll().where('ptype', '=', ptype).orderBy('id');
  }

  #reload(): void {
    const next = this.#load();
    // The old rules apply until the new ones are read; the next change or restart makes up for a failed read.
    next.then(
      () => (this.#enforcer = next),
      (error: unknown) => this.#logger.error({ error: (error as Error).message }, 'roles could not be reloaded'),
    );
  }

  async #load(): Promise<Enforcer> {
    const enforcer = await newEnforcer(newModelFromString(model));
    const rows = await this.#database.db.selectFrom('casbin_rule').selectAll().execute();
    const policies = rows.filter((row) => row.ptype === 'p').map((row) => [row.v0, row.v1, row.v2]);
    const groupings = rows.filter((row) => row.ptype === 'g').map((row) => [row.v0, row.v1]);
    await enforcer.addPolicies(policies);
    await enforcer.addGroupingPolicies(groupings);
    return enforcer;
  }
}

/** Grants a role inside the caller's transaction. */
export async function grantRole(db: Db, userId: number, role: string): Promise<void> {
  await addRule(db, ['g', String(userId), role]);
}

/** @returns false when the rule existed. */
async function addRule(db: Db, rule: Rule): Promise<boolean> {
  const columns = toColumns(rule);
  const known = await whereRule(db.selectFrom('casbin_rule').select('id'), columns).executeTakeFirst();
  if (known) return false;
  try {
    await db.insertInto('casbin_rule').values(columns).execute();
    return true;
  } catch (error) {
    if (isUniqueViolation(error)) return false;
    throw error;
  }
}

async function removeRule(db: Db, rule: Rule, otherwise: string): Promise<void> {
  const { numDeletedRows } = await whereRule(db.deleteFrom('casbin_rule'), toColumns(rule)).executeTakeFirst();
  if (numDeletedRows === 0n) throw new DragonflyError('NOT_FOUND', otherwise);
}

interface RuleColumns {
  ptype: string;
  v0: string;
  v1: string;
  v2: string;
  v3: string;
  v4: string;
  v5: string;
}

function toColumns([ptype, v0 = '', v1 = '', v2 = '']: Rule): RuleColumns {
  return { ptype, v0, v1, v2, v3: '', v4: '', v5: '' };
}

function whereRule<Q extends { where(column: 'ptype' | 'v0' | 'v1' | 'v2', operator: '=', value: string): Q }>(
  query: Q,
  rule: RuleColumns,
): Q {
  return query
    .where('ptype', '=', rule.ptype)
    .where('v0', '=', rule.v0)
    .where('v1', '=', rule.v1)
    .where('v2', '=', rule.v2);
}

function notFound(role: string): DragonflyError {
  return new DragonflyError('NOT_FOUND', `there is no role ${role}`);
}

function rootStays(): DragonflyError {
  return new DragonflyError('FAILED_PRECONDITION', 'the role root cannot be changed');
}
