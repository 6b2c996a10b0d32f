/** Opens everything about identities and rights together: keys, accounts, sessions, tokens, roles. */
import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import { DragonflyError } from '../../core/errors.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { ManagerConfig } from '../config.ts';
import type { ChangeFeed } from '../db/change-feed.ts';
import type { Database } from '../db/database.ts';
import { Authorizer } from './authorizer.ts';
import { maxPasswordLength, minPasswordLength } from './passwords.ts';
import { openSealer } from './master-key.ts';
import { InstallationSecrets, type Sealer } from './sealer.ts';
import { Sessions } from './sessions.ts';
import { Tokens, tokenScopes } from './tokens.ts';
import { Users } from './users.ts';

export interface Access {
  readonly sealer: Sealer;
  readonly secrets: InstallationSecrets;
  readonly users: Users;
  readonly sessions: Sessions;
  readonly tokens: Tokens;
  readonly authorizer: Authorizer;
}

/** Secrets that an operator may pass in the environment. */
export interface OperatorSecrets {
  /** Base64 of 32 bytes: the key for secrets in the database. */
  readonly encryptionKey?: string | undefined;
  /** Shared by all managers of one database: wraps the key, which is then stored there. */
  readonly encryptionSecret?: string | undefined;
  readonly rootPassword?: string | undefined;
  /** Root's personal access token, created if missing. */
  readonly token?: string | undefined;
  /** Lets new members request a certificate. */
  readonly joinToken?: string | undefined;
}

export interface AccessParts {
  readonly config: ManagerConfig;
  readonly database: Database;
  readonly changes: ChangeFeed;
  readonly logger: Logger;
  readonly operator: OperatorSecrets;
  /** Called with root's generated password, the only time it is available. */
  readonly announceRootPassword: (password: string) => void;
}

const signingKeyBytes = 32;
const operatorTokenYears = 10;

/** Opens the parts, and sets them up on the first start. */
export async function openAccess(parts: AccessParts): Promise<Access> {
  const { config, database, changes, logger } = parts;
  const { sealer, secrets } = await openSecrets(config, database, parts.operator);
  const { jwt } = config.auth;
  const configured = usableKey(jwt.key, logger);
  const key =
    configured ?? (await secrets.readOrCreate('session key', () => randomBytes(signingKeyBytes).toString('base64')));
  const access: Access = {
    sealer,
    secrets,
    users: new Users(database, changes),
    sessions: new Sessions(database, changes, signingKey(key), {
      timeoutMs: jwt.timeout,
      maxRefreshMs: jwt.maxRefresh,
    }),
    tokens: new Tokens(database, changes, sealer),
    authorizer: await Authorizer.create(database, changes, logger),
  };
  await createFirstUser(access, parts);
  return access;
}

/** The master key of this installation, created on the first call. Errors: those of openSealer. */
export async function openSecrets(
  { server }: ManagerConfig,
  database: Database,
  { encryptionKey, encryptionSecret }: OperatorSecrets,
): Promise<{ sealer: Sealer; secrets: InstallationSecrets }> {
  const file = server.encryptionKeyFile ?? defaultKeyFile(database);
  const sealer = await openSealer(database, { value: encryptionKey, secret: encryptionSecret, file });
  return { sealer, secrets: new InstallationSecrets(database, sealer) };
}

async function createFirstUser(
  { users, tokens }: Access,
  { operator, database, announceRootPassword }: AccessParts,
): Promise<void> {
  const { rootPassword, token } = operator;
  if (
    rootPassword !== undefined &&
    (rootPassword.length < minPasswordLength || rootPassword.length > maxPasswordLength)
  ) {
    throw new DragonflyError(
      'CONFIG_INVALID',
      `DRAGONFLY_INITIAL_ROOT_PASSWORD must have ${minPasswordLength} to ${maxPasswordLength} characters`,
    );
  }
  const root = await users.createRoot(rootPassword);
  if (root?.generated === true) announceRootPassword(root.password);
  if (token === undefined || token === '') return;
  const owner = await database.db.selectFrom('user').select('id').orderBy('id').limit(1).executeTakeFirst();
  const known = await database.db
    .selectFrom('personal_access_token')
    .select('id')
    .where('name', '=', 'default')
    .executeTakeFirst();
  if (known || !owner) return;
  const expiredAt = new Date();
  expiredAt.setFullYear(expiredAt.getFullYear() + operatorTokenYears);
  await tokens.create({ name: 'default', bio: '', scopes: tokenScopes, expiredAt, userId: owner.id }, token);
}

/** Keys published in the original's charts: with them anybody could sign in as any user. */
const publishedKeys = new Set(['ZHJhZ29uZmx5Cg==', 'ZHJhZ29uZmx5']);

function usableKey(key: string | undefined, logger: Logger): string | undefined {
  if (key === undefined || !publishedKeys.has(key.trim())) return key;
  logger.warn('auth.jwt.key is the published example key and is not used: a key was generated instead');
  return undefined;
}

function signingKey(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length >= 16) return bytes;
  throw new DragonflyError('CONFIG_INVALID', 'auth.jwt.key must hold at least 16 bytes in base64');
}

function defaultKeyFile({ path }: Database): string | undefined {
  if (path === ':memory:') return undefined;
  return join(path === undefined ? '/var/lib/dragonfly/manager' : dirname(path), 'manager.key');
}
