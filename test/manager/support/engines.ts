/** The databases the manager's tests run on: SQLite always, the servers when their programs are installed. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { createConnection } from 'mysql2/promise';
import { Client } from 'pg';
import { managerConfigSchema, type DatabaseConfig } from '../../../src/manager/config.ts';
import { freePort } from '../../support/free-port.ts';

const run = promisify(execFile);

export interface TestEngine extends AsyncDisposable {
  /** Settings of a new, empty database. */
  newDatabase(): Promise<DatabaseConfig>;
}

export interface EngineKind {
  readonly name: string;
  /** Why it cannot be tested on this machine. */
  readonly missing: string | false;
  start(): Promise<TestEngine>;
}

const postgresBin = globSync('/usr/lib/postgresql/*/bin').at(-1) ?? '';
const mariadbd =
  ['/usr/sbin/mariadbd', '/usr/libexec/mariadbd', '/usr/local/bin/mariadbd'].find((path) => existsSync(path)) ?? '';

export const engineKinds: readonly EngineKind[] = [
  { name: 'sqlite', missing: false, start: startSqlite },
  {
    name: 'postgres',
    missing: existsSync(`${postgresBin}/initdb`) ? false : 'PostgreSQL is not installed',
    start: startPostgres,
  },
  { name: 'mariadb', missing: mariadbd === '' ? 'MariaDB is not installed' : false, start: startMariadb },
];

export function databaseConfig(input: object): DatabaseConfig {
  return managerConfigSchema.parse({ database: input }).database;
}

async function startSqlite(): Promise<TestEngine> {
  const directory = await mkdtemp(join(tmpdir(), 'manager-sqlite-'));
  let count = 0;
  return {
    newDatabase: () =>
      Promise.resolve(databaseConfig({ type: 'sqlite', sqlite: { path: join(directory, `${(count += 1)}.db`) } })),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

async function startPostgres(): Promise<TestEngine> {
  const server = await serverDirectory('postgres');
  const port = await freePort();
  await run(
    `${postgresBin}/initdb`,
    ['-D', `${server.path}/data`, '-A', 'trust', '-U', 'postgres', '--no-sync'],
    server.as,
  );
  const child = spawn(
    `${postgresBin}/postgres`,
    [
      '-D',
      `${server.path}/data`,
      '-p',
      String(port),
      '-k',
      server.path,
      '-c',
      'listen_addresses=127.0.0.1',
      '-c',
      'fsync=off',
    ],
    { ...server.as, stdio: 'ignore' },
  );
  const query = async (sql: string): Promise<void> => {
    const client = new Client({ host: '127.0.0.1', port, user: 'postgres', database: 'postgres' });
    client.on('error', () => undefined);
    await client.connect();
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  };
  return serverEngine(child, server.path, query, (dbname) =>
    databaseConfig({ type: 'postgres', postgres: { host: '127.0.0.1', port, user: 'postgres', dbname } }),
  );
}

async function startMariadb(): Promise<TestEngine> {
  const server = await serverDirectory('mysql');
  const port = await freePort();
  const data = `--datadir=${server.path}/data`;
  // At its start a server removes whatever temporary tables it finds in the directory of another, too.
  const temporary = `--tmpdir=${server.path}`;
  await run(
    'mariadb-install-db',
    ['--no-defaults', data, temporary, '--auth-root-authentication-method=normal', '--skip-test-db'],
    server.as,
  );
  const child = spawn(
    mariadbd,
    [
      '--no-defaults',
      data,
      temporary,
      `--socket=${server.path}/sock`,
      `--pid-file=${server.path}/pid`,
      `--port=${port}`,
      '--bind-address=127.0.0.1',
      '--innodb-flush-log-at-trx-commit=0',
      '--skip-name-resolve',
    ],
    { ...server.as, stdio: 'ignore' },
  );
  const query = async (sql: string): Promise<void> => {
    const connection = await createConnection({ host: '127.0.0.1', port, user: 'root' });
    try {
      await connection.query(sql);
    } finally {
      await connection.end();
    }
  };
  return serverEngine(child, server.path, query, (dbname) =>
    databaseConfig({ type: 'mariadb', mysql: { host: '127.0.0.1', port, user: 'root', dbname } }),
  );
}

async function serverEngine(
  child: ChildProcess,
  path: string,
  query: (sql: string) => Promise<void>,
  config: (dbname: string) => DatabaseConfig,
): Promise<TestEngine> {
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const engine: TestEngine = {
    newDatabase: async () => {
      const dbname = `test_${(databases += 1)}`;
      await query(`create database ${dbname}`);
      return config(dbname);
    },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGQUIT');
      child.kill('SIGKILL');
      await exited;
      await rm(path, { recursive: true, force: true });
    },
  };
  try {
    await eventually(() => query('select 1'), 60_000);
  } catch (error) {
    await engine[Symbol.asyncDispose]();
    throw error;
  }
  return engine;
}

let databases = 0;

/** A directory of the server's own user: both servers refuse to run as root. */
async function serverDirectory(user: string): Promise<{ path: string; as: { uid?: number; gid?: number } }> {
  const path = await mkdtemp(join(tmpdir(), `manager-${user}-`));
  if (process.getuid?.() !== 0) return { path, as: {} };
  const uid = Number((await run('id', ['-u', user])).stdout);
  const gid = Number((await run('id', ['-g', user])).stdout);
  await chown(path, uid, gid);
  return { path, as: { uid, gid } };
}

/** Tries again until it succeeds or the deadline has passed; then throws the last error. */
export async function eventually<T>(attempt: () => T | Promise<T>, deadlineMs = 60_000): Promise<T> {
  const endMs = performance.now() + deadlineMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > endMs) throw error;
      await delay(20);
    }
  }
}
