/**
 * A database as a manager of the original leaves it. Tables, columns and types as `information_schema.columns` lists them
 * after the first start of its versions 2.1.28 and 2.5.1 (on MariaDB; on PostgreSQL the types that stand for them there);
 * rows as its REST API writes them.
 */
import { createConnection } from 'mysql2/promise';
import { Client } from 'pg';
import { databaseEngine, type DatabaseConfig } from '../../../src/manager/config.ts';

export type OriginalVersion = '2.1.28' | '2.5.1';

type Kind = 'text' | 'json' | 'time' | 'number' | 'flag';
type Columns = Readonly<Record<string, Kind>>;

const base: Columns = { id: 'number', created_at: 'time', updated_at: 'time', is_del: 'number' };

function texts(...names: readonly string[]): Columns {
  return Object.fromEntries(names.map((name) => [name, 'text']));
}

function numbers(...names: readonly string[]): Columns {
  return Object.fromEntries(names.map((name) => [name, 'number']));
}

const place = texts('host_name', 'idc', 'location', 'ip', 'state');

const tables: Readonly<Record<string, Columns>> = {
  user: {
    ...base,
    ...texts('email', 'name', 'encrypted_password', 'avatar', 'phone', 'private_token', 'state', 'location', 'bio'),
  },
  casbin_rule: { id: 'number', ...texts('ptype', 'v0', 'v1', 'v2', 'v3', 'v4', 'v5') },
  oauth: { ...base, ...texts('name', 'bio', 'client_id', 'client_secret', 'redirect_url') },
  personal_access_token: {
    ...base,
    ...texts('name', 'bio', 'token', 'state'),
    scopes: 'json',
    expired_at: 'time',
    user_id: 'number',
  },
  scheduler_cluster: {
    ...base,
    ...texts('name', 'bio'),
    config: 'json',
    client_config: 'json',
    seed_client_config: 'json',
    scopes: 'json',
    is_default: 'flag',
  },
  seed_peer_cluster: { ...base, ...texts('name', 'bio'), config: 'json' },
  seed_peer_cluster_scheduler_cluster: numbers('scheduler_cluster_id', 'seed_peer_cluster_id'),
  scheduler: {
    ...base,
    ...place,
    config: 'json',
    port: 'number',
    features: 'json',
    last_keep_alive_at: 'time',
    scheduler_cluster_id: 'number',
  },
  seed_peer: {
    ...base,
    ...place,
    type: 'text',
    ...numbers('port', 'download_port', 'object_storage_port', 'seed_peer_cluster_id'),
  },
  peer: {
    ...base,
    ...place,
    ...texts('type', 'os', 'platform', 'platform_family', 'platform_version', 'kernel_version'),
    ...texts('git_version', 'git_commit', 'build_platform'),
    ...numbers('port', 'download_port', 'proxy_port', 'object_storage_port', 'scheduler_cluster_id'),
  },
  application: { ...base, ...texts('name', 'url', 'bio'), priority: 'json', user_id: 'number' },
  config: { ...base, ...texts('name', 'value', 'bio'), user_id: 'number' },
  job: {
    ...base,
    ...texts('task_id', 'bio', 'type', 'state'),
    args: 'json',
    task_result: 'json',
    user_id: 'number',
  },
  job_scheduler_cluster: numbers('scheduler_cluster_id', 'job_id'),
};

/** Columns that the older version does not have, and one that it calls otherwise. */
const newer: Readonly<Record<string, readonly string[]>> = {
  scheduler_cluster: ['seed_client_config'],
  scheduler: ['config', 'last_keep_alive_at'],
  peer: ['proxy_port'],
};
const renamed: Readonly<Record<string, string>> = { task_result: 'result' };

export type OriginalRows = Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>;

/** Makes the tables in an empty database and writes the rows. */
export async function writeOriginal(
  config: DatabaseConfig,
  version: OriginalVersion,
  rows: OriginalRows,
): Promise<void> {
  const server = databaseEngine(config) === 'mysql' ? config.mysql : config.postgres;
  if (!server) throw new Error('the original keeps its data on a database server');
  const { host, port, user, dbname } = server;
  const mysql = databaseEngine(config) === 'mysql';
  const quote = (name: string): string => (mysql ? `\`${name}\`` : `"${name}"`);
  const nameIn = (table: string, column: string): string | undefined => {
    if (version === '2.5.1') return column;
    return newer[table]?.includes(column) === true ? undefined : (renamed[column] ?? column);
  };
  const statements = Object.entries(tables).flatMap(([table, columns]) => {
    const defined = Object.entries(columns).flatMap(([column, kind]) => {
      const name = nameIn(table, column);
      return name === undefined ? [] : [`${quote(name)} ${mysql ? mysqlTypes[kind] : postgresTypes[kind]}`];
    });
    const written = (rows[table] ?? []).map((row) => {
      const named = Object.entries(row).flatMap(([column, value]) => {
        const name = nameIn(table, column);
        return name === undefined ? [] : [[quote(name), literal(value, columns[column] ?? 'text', mysql)] as const];
      });
      return `insert into ${quote(table)} (${named.map(([name]) => name).join(', ')}) values (${named.map(([, value]) => value).join(', ')})`;
    });
    return [`create table ${quote(table)} (${defined.join(', ')})`, ...written];
  });
  if (mysql) {
    const connection = await createConnection({ host, port, user, database: dbname });
    // The original writes the zero date for "never".
    await connection.query("set session sql_mode = ''");
    for (const statement of statements) await connection.query(statement);
    await connection.end();
  } else {
    const client = new Client({ host, port, user, database: dbname });
    await client.connect();
    for (const statement of statements) await client.query(statement);
    await client.end();
  }
}

const mysqlTypes: Readonly<Record<Kind, string>> = {
  text: 'varchar(1024)',
  json: 'longtext',
  time: 'datetime(3)',
  number: 'bigint unsigned',
  flag: 'tinyint(1)',
};
const postgresTypes: Readonly<Record<Kind, string>> = {
  text: 'varchar(1024)',
  json: 'text',
  time: 'timestamptz',
  number: 'bigint',
  flag: 'boolean',
};

function literal(value: unknown, kind: Kind, mysql: boolean): string {
  if (value === null) return 'null';
  if (kind === 'flag' && !mysql) return value === 1 ? 'true' : 'false';
  if (typeof value === 'number') return String(value);
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return `'${text.replaceAll("'", "''")}'`;
}
